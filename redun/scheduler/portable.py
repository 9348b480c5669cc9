"""A job's call as a parcel, and the outcome of one: what goes to a worker in another process and comes back.

Normative page: docs/format/parcel.md.  The worker's half is ``redun/worker``; both halves read and write the headers
through the records here.  The invariant: a call that is packed is the call whose eval is on record.  The worker is told
the hash of the task, and refuses to run another one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from shutil import copyfileobj
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.expression_codec import decode_expression, encode_expression
from redun.file.local_filesystem import get_hash_mode
from redun.hashing import READ_SIZE_BYTES, Oid
from redun.objects.codec import decode_node
from redun.objects.kinds import ExpressionRecord, Kind
from redun.objects.parcel import Parcel, ParcelDamaged, decode_parcel, encode_parcel
from redun.scheduler.errors import ErrorValue, NotSerializable, SchedulerError, Traceback
from redun.scheduler.unread import is_large, pass_on
from redun.store.base import ObjectMissing, ObjectStore
from redun.store.blobs import LARGE_SIZE_BYTES, Blobs
from redun.store.storage import NameMissing
from redun.task.closure import get_code_hash_mode
from redun.task.job_info import JobInfo
from redun.task.registry import get_task_registry
from redun.value.encoding import Encoded, ValueNotEncodable, ValueUndecodable, decode_value, encode_value
from redun.version import __version__

if TYPE_CHECKING:
    from redun.scheduler.job import Job

CALL, OUTCOME = "call", "outcome"
FORMAT_VERSION = 1
VALUE, EXPRESSION, ERROR = "value", "expression", "error"
MAIN = "__main__"
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_BLOB = int(Kind.BLOB)
_EXTERNAL_KINDS = frozenset({int(Kind.FILE), int(Kind.HANDLE)})


class NotPortable(SchedulerError):
    """A call cannot be handed to another process; the message says why."""


class Settings(NamedTuple):
    """What a worker must do as the scheduler does, or their hashes differ."""

    file_hash: str
    code_hash: str
    keep_bytes: int


class TaskPlace(NamedTuple):
    """Where a worker finds a task."""

    fullname: str
    oid: Oid
    module: str
    main_path: str  # of the script, when the module is ``__main__``; else empty
    import_paths: list[str]


class JobFacts(NamedTuple):
    """What a worker is told of the job."""

    execution_id: bytes
    number: int
    attempt: int
    eval: Oid


class CallHeader(NamedTuple):
    """The header of a call."""

    versions: tuple[str, str]
    task: TaskPlace
    job: JobFacts
    args: list[Oid | None]
    kwargs: list[tuple[str, Oid | None]]
    options: Oid
    context: Oid | None
    settings: Settings

    def encode(self) -> list[Any]:
        """Return it as plain data."""
        return [CALL, FORMAT_VERSION, *self]

    @classmethod
    def decode(cls, header: Any) -> CallHeader:
        """Read it.  Raises ParcelDamaged for anything else."""
        try:
            what, version, versions, task, job, args, kwargs, *others, settings = header
            if (what, version) != (CALL, FORMAT_VERSION):
                raise ValueError(f"expected a call of format {FORMAT_VERSION}, found {what!r} of format {version!r}")
            names = [(name, oid) for name, oid in kwargs]
            options, context = others
            return cls(
                tuple(versions), TaskPlace(*task), JobFacts(*job), args, names, options, context, Settings(*settings)
            )
        except (ValueError, TypeError) as error:
            raise ParcelDamaged(f"the parcel of a call is not as it should be: {error}") from None


class OutcomeHeader(NamedTuple):
    """The header of an outcome."""

    eval: Oid
    status: str
    root: Oid | None
    produced: list[tuple[Oid, bool]]
    disturbed: list[str]
    kept: list[Oid]
    dropped: Oid | None
    error: tuple[Oid | None, Oid] | None

    def encode(self) -> list[Any]:
        """Return it as plain data."""
        return [OUTCOME, FORMAT_VERSION, *self]

    @classmethod
    def decode(cls, header: Any) -> OutcomeHeader:
        """Read it.  Raises ParcelDamaged for anything else."""
        try:
            what, version, *fields = header
            if (what, version) != (OUTCOME, FORMAT_VERSION):
                raise ValueError(f"expected an outcome of format {FORMAT_VERSION}, found {what!r} of {version!r}")
            return cls(*fields)
        except (ValueError, TypeError) as error:
            raise ParcelDamaged(f"the parcel of an outcome is not as it should be: {error}") from None


def version_pair() -> tuple[str, str]:
    """Return the version of redun, and that of Python as far as code and pickles depend on it."""
    return __version__, f"{sys.version_info.major}.{sys.version_info.minor}"


class Gathered:
    """Objects on their way into a parcel; large contents go where both sides can read them."""

    def __init__(self, contents: Blobs | None, *, is_careful: bool = False) -> None:
        """``is_careful``: contents that are there already are hashed before they are trusted."""
        self._contents = contents
        self._is_careful = is_careful
        self.objects: list[tuple[Oid, bytes, int]] = []

    def add(self, oid: Oid, data: bytes, kind: int) -> None:
        """Take one object.  Raises OSError when a large content cannot be written."""
        if kind == _BLOB and self._contents is not None and len(data) >= LARGE_SIZE_BYTES:
            self._contents.put(oid, data, is_careful=self._is_careful)
        else:
            self.objects.append((oid, data, kind))

    def add_value(self, value: Any) -> Oid:
        """Take a value with all it consists of; return its oid.  Raises ValueNotEncodable."""
        return self.add_encoded(encode_value(value))

    def add_encoded(self, encoded: Encoded) -> Oid:
        """Take a value that was encoded."""
        for oid, data, kind in encoded.parts:
            self.add(oid, data, kind)
        self.add(encoded.oid, encoded.data, encoded.kind)
        return encoded.oid

    def add_origins(self, store: ObjectStore) -> None:
        """Take what the handles that were taken were opened with: it was stored when they first came up."""
        held = {oid for oid, _, _ in self.objects}
        wanted = [decode_node(data).links for _, data, kind in self.objects if kind == Kind.HANDLE]
        stack = [links[0] for links in wanted if links]
        while stack:
            oid = stack.pop()
            if oid not in held:
                held.add(oid)
                data, kind = store.get(oid), store.kind_of(oid)
                self.objects.append((oid, data, int(kind or 0)))
                stack += [] if kind == _BLOB else decode_node(data).links

    def add_expression(self, value: Any) -> Oid:
        """Take an expression, or a container of some; return its oid.  Raises ExpressionNotEncodable."""
        made = encode_expression(value)
        for encoded in made.values:
            self.add_encoded(encoded)
        self.add(made.oid, made.data, int(Kind.EXPRESSION))
        return made.oid


class ParcelReader:
    """Reads the objects that a parcel names: from it, or from where large contents lie."""

    def __init__(self, parcel: Parcel, contents: Blobs | None, store: ObjectStore | None = None) -> None:
        """``store``: where the parcel goes back to, which has all that went out."""
        self._parcel = parcel
        self._contents = contents
        self._store = store
        self.externals: dict[Oid, None] = {}
        """The files and handles that were read."""
        self.beside: list[Oid] = []
        """The contents that were read from beside the parcel."""

    def __call__(self, oid: Oid) -> bytes:
        """Return an object's bytes.  Raises ObjectMissing."""
        found = self._parcel.objects.get(oid)
        if found is not None:
            if found[0] in _EXTERNAL_KINDS:
                self.externals[oid] = None
            return found[1]
        if self._store is not None and self._store.has(oid):
            return self._store.get(oid)
        if self._contents is None:
            raise ObjectMissing(oid)
        self.beside.append(oid)
        try:
            return self._contents.get(oid)
        except NameMissing:
            raise ObjectMissing(oid) from None

    def has(self, oid: Oid) -> bool:
        """Tell whether an object is in the parcel itself."""
        return oid in self._parcel.objects

    def part(self, oid: Oid) -> tuple[Oid, bytes, int]:
        """Return an object of the parcel with its name and kind."""
        kind, data = self._parcel.objects[oid]
        return oid, data, kind

    def value(self, oid: Oid) -> Any:
        """Return a value."""
        return decode_value(oid, self)

    def expression(self, oid: Oid) -> Any:
        """Return an expression."""
        return decode_expression(ExpressionRecord.decode(decode_node(self(oid))), self.value)


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
    )
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


def _place_of(job: Job) -> TaskPlace:
    task = job.task
    module, main_path = task.load_module, ""
    if module == MAIN:
        main_path = _relative(str(getattr(sys.modules[MAIN], "__file__", None) or ""), Path.cwd())
        if not main_path:
            raise NotPortable(
                f"task {task.fullname!r} is defined in __main__, which is no file that a worker could import",
                hint="define it in a module, or run it on an executor of threads",
            )
    # As it is defined: a call may have options of its own, which the worker gets beside it.
    defined = get_task_registry().get(task_name=task.fullname) or task
    return TaskPlace(task.fullname, defined.oid, module, main_path, list(_import_paths(tuple(sys.path), Path.cwd())))


@lru_cache(maxsize=8)
def _import_paths(paths: Sequence[str], here: Path) -> tuple[str, ...]:
    """Return where a worker finds the project's modules: not what comes with a Python, or is installed into one."""
    from sysconfig import get_path

    standard = get_path("stdlib")
    kept = [
        _relative(path, here)
        for path in (path or "." for path in paths)
        if not (_INSTALLED.intersection(Path(path).parts) or path.startswith(standard) or path.endswith(".zip"))
    ]
    return tuple(dict.fromkeys(kept))


def _relative(path: str, here: Path) -> str:
    """Return a path inside the working directory as relative to it: a code package is unpacked elsewhere."""
    if not path:
        return ""
    absolute = (here / path).resolve()
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
    for oid in (*reader.beside, *header.kept) if contents is not None else ():
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
