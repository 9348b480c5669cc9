"""A job's call as a parcel, and the outcome of one: what goes to a worker in another process and comes back.

Normative page: docs/format/parcel.md.  The worker's half is ``redun/worker``; both halves read and write the headers
through the records here.  The invariant: a call that is packed is the call whose eval is on record.  The worker is told
the hash of the task, and refuses to run another one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from shutil import copyfileobj
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from redun.file.local_filesystem import get_hash_mode
from redun.hashing import READ_SIZE_BYTES, Oid
from redun.objects.codec import decode_node
from redun.objects.headers import MAIN, VALUE, CallHeader, JobFacts, OutcomeHeader, Settings, TaskPlace
from redun.objects.kinds import Kind
from redun.objects.parcel import Parcel, ParcelDamaged, decode_parcel, encode_parcel
from redun.scheduler.errors import ErrorValue, NotSerializable, SchedulerError, Traceback
from redun.scheduler.parcels import Gathered, ParcelReader
from redun.scheduler.unread import is_large, pass_on
from redun.store.base import ObjectMissing, ObjectStore
from redun.store.blobs import Blobs
from redun.store.storage import NameMissing
from redun.task.closure import get_code_hash_mode
from redun.task.job_info import JobInfo
from redun.task.registry import get_task_registry
from redun.value.encoding import ValueNotEncodable, ValueUndecodable, decode_value
from redun.version import __version__

if TYPE_CHECKING:
    from redun.scheduler.job import Job
    from redun.task.task import Task

_INSTALLED = frozenset({"site-packages", "dist-packages"})
_BLOB = int(Kind.BLOB)
_MARKS = (b"redun.QuotedExpression", b"redun.PartialTask")
"""The types of values that name tasks inside of them."""


class NotPortable(SchedulerError):
    """A call cannot be handed to another process; the message says why."""


def version_pair() -> tuple[str, str]:
    """Return the version of redun, and that of Python as far as code and pickles depend on it."""
    return __version__, f"{sys.version_info.major}.{sys.version_info.minor}"


# -- a call goes out


def pack_call(job: Job, contents: Blobs | None) -> bytes:
    """Return a job's call as a parcel.

    Raises:
        NotPortable: its task cannot be imported elsewhere.
        NotSerializable: an argument, an option or its context has no form.
        OSError: a large content cannot be written.
    """
    assert job.eval is not None
    assert job.portal is not None
    gathered = Gathered(contents)
    kwargs = job.kwargs or {}
    header = CallHeader(
        version_pair(),
        _place_of(job),
        JobFacts(job.execution_id, job.number, job.attempt, job.eval),
        [_add(gathered, f"argument {place}", value) for place, value in enumerate(job.args)],
        [(name, _add(gathered, f"argument {name}", value)) for name, value in kwargs.items()],
        _oid(_add(gathered, "options", dict(job.facts.options))),
        None if job.context is None else _add(gathered, "context", dict(job.context.values)),
        Settings(get_hash_mode(), get_code_hash_mode(), job.portal.keep_bytes),
        gathered.add_value(job.portal.describe()) if job.facts.options.get("evaluates") else None,
    )
    also = _find_modules(gathered)
    if also:
        header = header._replace(task=header.task._replace(also=also))
    gathered.add_origins(job.portal.store)
    return encode_parcel(header.encode(), gathered.objects)


def _add(gathered: Gathered, what: str, value: Any) -> Oid | None:
    if type(value) is JobInfo:
        return None
    try:
        return gathered.add_value(value)
    except ValueNotEncodable as error:
        raise NotSerializable(what, error) from error


def _oid(oid: Oid | None) -> Oid:
    assert oid is not None
    return oid


def _find_modules(gathered: Gathered) -> list[tuple[str, str]]:
    """Return where the tasks are that arguments name: tasks as values, partial tasks, quoted calls.

    The bytes are searched for the names: one that only looks like a task's costs a worker an import.
    """
    holders = [
        data
        for _, data, kind in gathered.objects
        if kind == Kind.TASK or (kind != _BLOB and any(mark in data for mark in _MARKS))
    ]
    if not holders:
        return []
    named = [task for task in get_task_registry() if any(task.fullname.encode() in data for data in holders)]
    return sorted({(task.load_module, _main_path_of(task)) for task in named})


def _main_path_of(task: Task[..., Any]) -> str:
    """Return the path of the script that defines a task; empty for one that is in a module.  Raises NotPortable."""
    if task.load_module != MAIN:
        return ""
    main_path = _relative(str(getattr(sys.modules[MAIN], "__file__", None) or ""), _here())
    if not main_path:
        raise NotPortable(
            f"task {task.fullname!r} is defined in __main__, which is no file that a worker could import",
            hint="define it in a module, or run it on an executor of threads",
        )
    return main_path


def _place_of(job: Job) -> TaskPlace:
    task = job.task
    module, main_path = task.load_module, _main_path_of(task)
    # As it is defined: a call may have options of its own, which the worker gets beside it.
    defined = get_task_registry().get(task_name=task.fullname) or task
    return TaskPlace(task.fullname, defined.oid, module, main_path, list(_import_paths(tuple(sys.path), _here())))


def _here() -> str:
    return os.getcwd()  # noqa: PTH109 - asked for each job, and five times as quick as Path.cwd


@lru_cache(maxsize=8)
def _import_paths(paths: Sequence[str], here: str) -> tuple[str, ...]:
    """Return where a worker finds the project's modules: not what comes with a Python, or is installed into one."""
    from sysconfig import get_path

    standard = get_path("stdlib")
    kept = [
        _relative(path, here)
        for path in (path or "." for path in paths)
        if not (_INSTALLED.intersection(Path(path).parts) or path.startswith(standard) or path.endswith(".zip"))
    ]
    return tuple(dict.fromkeys(kept))


@lru_cache(maxsize=256)
def _relative(path: str, here: str) -> str:
    """Return a path inside the working directory as relative to it: a code package is unpacked elsewhere."""
    if not path:
        return ""
    absolute = Path(here, path).resolve()
    return absolute.relative_to(here).as_posix() if absolute.is_relative_to(here) else str(absolute)


# -- an outcome comes back


def take_outcome(job: Job, outcome: bytes, contents: Blobs | None) -> None:
    """Note what a worker made of a job's call: its value, an expression, or its error.  Never raises."""
    try:
        _take(job, outcome, contents)
    except Exception as error:
        job.error, job.traceback = _unreadable(error), None
    job.forget_arguments()


def _take(job: Job, outcome: bytes, contents: Blobs | None) -> None:
    parcel = decode_parcel(outcome)
    header = OutcomeHeader.decode(parcel.header)
    if header.eval != job.eval:
        raise ParcelDamaged("the outcome is that of another call")
    assert job.portal is not None
    reader = ParcelReader(parcel, contents, job.portal.store)
    if header.added is not None:
        from redun.scheduler.elsewhere import take_added  # few workflows have runs inside jobs elsewhere

        take_added(job, header.added)
    if header.error is not None:
        job.error, job.traceback = _read_error(reader, *header.error)
        return
    _keep_contents(job, parcel, header.kept, contents)
    root = _oid(header.root)
    value = _result(job, root, reader, contents) if header.status == VALUE else reader.expression(root)
    if header.dropped is not None:
        job.dropped = reader.expression(header.dropped)
    job.produced = {oid: bool(flag) for oid, flag in header.produced} or None
    job.disturbed = header.disturbed or None
    if contents is not None:
        for oid in (*reader.beside, *header.kept):
            contents.note_written(oid)
    job.value = value


def _result(job: Job, root: Oid, reader: ParcelReader, contents: Blobs | None) -> Any:
    """Return a result: unread where its contents lie beside the parcel."""
    assert job.portal is not None
    data = reader(root)
    node = decode_node(data)
    if not is_large(node):
        return reader.value(root)
    parts = [reader.part(link) for link in node.links if reader.has(link)]
    beside = [link for link in node.links if not reader.has(link)]
    if not beside:
        return reader.value(root)
    reader.beside += beside
    _take_contents(job.portal.store, beside, contents)
    return pass_on(job.portal.store, root, node, data, parts)


def _keep_contents(job: Job, parcel: Parcel, kept: Sequence[Oid], contents: Blobs | None) -> None:
    """Store the contents of files that are kept: those that came along, and large ones that lie in ``contents``.

    With a handle, all that came along is stored: one that is read counts as stored, with what it was opened with.
    """
    assert job.portal is not None
    store = job.portal.store
    has_handles = any(kind == Kind.HANDLE for kind, _ in parcel.objects.values())
    for oid, (kind, data) in parcel.objects.items():
        if kind == _BLOB or (has_handles and kind != Kind.EXPRESSION):
            store.put(oid, data, kind)
    _take_contents(store, kept, contents)


def _take_contents(store: ObjectStore, oids: Iterable[Oid], contents: Blobs | None) -> None:
    """See to it that large contents are in the store, without holding one in memory.

    Raises:
        ObjectMissing: one is nowhere.
    """
    for oid in oids:
        if store.has(oid):
            continue
        if contents is None:
            raise ObjectMissing(oid)
        try:
            with contents.open(oid) as stream, NamedTemporaryFile() as spool:
                copyfileobj(stream, spool, READ_SIZE_BYTES)
                spool.flush()
                found, _ = store.put_file(Path(spool.name))
        except NameMissing:
            raise ObjectMissing(oid) from None
        if found != oid:
            raise ParcelDamaged(f"content {oid.hex()[:8]} was changed on the way")


def _read_error(
    reader: Callable[[Oid], bytes], error_oid: Oid | None, error_value_oid: Oid
) -> tuple[BaseException, Traceback]:
    """Return the exception that a worker met; one whose class is not known here becomes an Exception of its text."""
    told = decode_value(error_value_oid, reader)
    if not isinstance(told, ErrorValue):
        raise ParcelDamaged(f"expected an error value, found {type(told).__name__}")
    if error_oid is not None:
        try:
            error = decode_value(error_oid, reader)
        except ValueUndecodable:
            return told.error, told.traceback
        if isinstance(error, BaseException):
            return error, told.traceback
    return told.error, told.traceback


def _unreadable(error: Exception) -> SchedulerError:
    made = SchedulerError(f"the outcome of a worker cannot be used: {error}")
    made.__cause__ = error
    return made


def mapping_of(value: Any) -> Mapping[str, Any]:
    """Return what must be a dict.  Raises ParcelDamaged for anything else."""
    if not isinstance(value, dict):
        raise ParcelDamaged(f"expected a dict, found {type(value).__name__}")
    return value
