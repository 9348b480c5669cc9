"""From the parcel of a call to a job that runs here.

The job is one like any other: what a thread of the scheduler's process does in ``Job.run``, a worker does in the same
``Job.run``.  It only stands alone: no scheduler, no jobs above it, and a store that gathers what is to be sent back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn, cast

from redun.file.local_filesystem import HashMode, get_hash_mode, set_hash_mode
from redun.hashing import Oid
from redun.objects.headers import CallHeader, Settings
from redun.objects.kinds import Kind
from redun.scheduler.context import Context
from redun.scheduler.facts import FactsTable, TaskFacts
from redun.scheduler.job import Caller, Job
from redun.scheduler.parcels import ParcelReader
from redun.scheduler.portable import mapping_of
from redun.scheduler.produced import FileKeeper
from redun.store.blobs import LARGE_SIZE_BYTES, Blobs
from redun.store.memory import MemoryStore
from redun.task.closure import get_code_hash_mode, set_code_hash_mode
from redun.task.job_info import JobInfo
from redun.task.registry import get_task_registry
from redun.task.task import Task
from redun.worker.loading import find_task, load_others

_BLOB = int(Kind.BLOB)


class KeptContents(MemoryStore):
    """Takes the contents of files that a job wrote; large ones go where both sides can read them."""

    def __init__(self, contents: Blobs | None) -> None:
        super().__init__()
        self._contents = contents
        self.large: list[Oid] = []

    def put_file(self, path: Path) -> tuple[Oid, int]:
        if self._contents is None or path.stat().st_size < LARGE_SIZE_BYTES:
            return super().put_file(path)
        with path.open("rb") as stream:
            oid, size = self._contents.put_stream(stream, path)
        self.large.append(oid)
        return oid, size

    def small(self) -> list[tuple[Oid, bytes, int]]:
        """Return the contents that must be sent along."""
        return [(oid, self.get(oid), _BLOB) for oid, _ in self.iter_oids()]


class _Alone:
    """Stands for whoever asked for the call: they are in another process."""

    def deliver(self, _slot: int, _value: Any) -> NoReturn:
        raise AssertionError("the result of a worker's job goes into its outcome")

    def fail(self, _slot: int, error: BaseException) -> NoReturn:
        raise AssertionError("the error of a worker's job goes into its outcome") from error


def make_job(header: CallHeader, reader: ParcelReader, kept: KeptContents) -> Job:
    """Return the job of a call, ready to run.

    Raises:
        CodeMissing, CodeDiffers: its task is not here as it was called.
        ValueUndecodable, ObjectMissing: something that it is given cannot be read.
    """
    _apply(header.settings)
    facts = _facts_of(header, reader)
    load_others(header.task)
    job = Job(header.job.execution_id, header.job.number, facts, Caller(_Alone(), 0, None, -1, None))
    job.attempt, job.eval = header.job.attempt, header.job.eval
    job.args = tuple(_argument(oid, reader) for oid in header.args)
    job.kwargs = {name: _argument(oid, reader) for name, oid in header.kwargs}
    if header.context is not None:
        job.context = Context(mapping_of(reader.value(header.context)))
    job.keeper = FileKeeper(kept, header.settings.keep_bytes)
    job.given = frozenset(reader.externals) or None
    return job


_last: list[tuple[Task[..., Any], Oid, TaskFacts]] = []
"""The facts of the last call: most calls are of the same task with the same options, and making them costs 30 us."""


def _facts_of(header: CallHeader, reader: ParcelReader) -> TaskFacts:
    task = find_task(header.task)
    for last_task, last_options, facts in _last:
        if last_task is task and last_options == header.options:
            return facts
    made = _make_facts(task, mapping_of(reader.value(header.options)))
    if not reader.externals:  # files among the options are looked at for each call
        _last[:] = [(task, header.options, made)]
    return made


def _make_facts(task: Task[..., Any], options: Any) -> TaskFacts:
    if options.get("config_args") != task.get_task_options().get("config_args"):
        task = task.options(config_args=options.get("config_args") or [])
    table = FactsTable(get_task_registry(), lambda task: task.oid, lambda task: task.oid)
    # Trying again and limits of time are the scheduler's affair.
    return table.make(task)._replace(options=options, retry=None, timeout_seconds=None)


def _argument(oid: Oid | None, reader: ParcelReader) -> Any:
    return JobInfo() if oid is None else reader.value(oid)


def _apply(settings: Settings) -> None:
    if get_hash_mode() != settings.file_hash:
        set_hash_mode(cast("HashMode", settings.file_hash))
    if get_code_hash_mode() != settings.code_hash:
        set_code_hash_mode(settings.code_hash)
        get_task_registry().forget_hashes()
