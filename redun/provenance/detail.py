"""Everything there is to tell of one job, file, task, value or call: what `redun log ID` shows.

The invariant: a detail is gathered from the read models of this room and holds no text of its own; what cannot be
found is None or empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.provenance.dataflow import Dataflow, trace_call
from redun.provenance.executions import ExecutionView
from redun.provenance.files import FileView, view_versions
from redun.provenance.jobs import JobView, SourceView, find_source, parents_of, view_job
from redun.provenance.search import FoundJob, Scope, find_job_of_call, find_jobs_of_task, find_uses
from redun.provenance.tags import TagView
from redun.provenance.values import EvalView, ValueView, get_call, get_task, view_eval, view_value
from redun.store.base import ObjectStore

MAX_LISTED = 10
"""How many jobs are named that used a file, a value or a task."""


@dataclass(frozen=True, slots=True)
class JobDetail:
    """A job, what it stands below, its source, and where its result came from."""

    job: JobView
    parents: tuple[tuple[str, str], ...]  # (job id, task's full name), the root first
    source: SourceView | None
    dataflow: Dataflow | None  # None: there is no result, or it cannot be read
    tags: tuple[TagView, ...] = ()


@dataclass(frozen=True, slots=True)
class CallDetail:
    """A call that no job in the scope made."""

    call: Oid
    asked: EvalView
    result: ValueView
    source: SourceView | None
    dataflow: Dataflow
    tags: tuple[TagView, ...] = ()


@dataclass(frozen=True, slots=True)
class EvalDetail:
    """What a task was asked, and the outcomes on record, newest first."""

    asked: EvalView
    outcomes: tuple[tuple[int, Oid, int | None], ...]  # (end in microseconds since 1970 UTC, call or reduction, kind)


@dataclass(frozen=True, slots=True)
class FileDetail:
    """A version of a file, who made it, who read it, and the other versions."""

    file: FileView
    writer: JobDetail | None
    readers: tuple[JobView, ...]  # at most MAX_LISTED, newest first
    versions: tuple[FileView, ...]  # the others, newest first
    tags: tuple[TagView, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskDetail:
    """One hash of a task, its source, and the newest jobs that asked it."""

    oid: Oid
    fullname: str
    source: SourceView | None
    jobs: tuple[JobView, ...]  # at most MAX_LISTED
    tags: tuple[TagView, ...] = ()


@dataclass(frozen=True, slots=True)
class ValueDetail:
    """A value, and the newest jobs that returned it or were given it."""

    value: ValueView
    returned_by: tuple[JobView, ...]
    given_to: tuple[JobView, ...]
    dataflow: Dataflow | None  # of the newest job that returned it
    tags: tuple[TagView, ...] = ()


def describe_job(scope: Scope, found: FoundJob) -> JobDetail:
    """Gather all of a job."""
    store, execution, row = scope.store, found.execution, found.row
    job = view_job(store, execution, row)
    parents = tuple((execution.job_id(parent.number), parent.task) for parent in parents_of(execution, row))
    source = find_source(store, job.task, execution) if job.task is not None else None
    tags = scope.tags.of_job(execution, row.number)
    return JobDetail(job, parents, source, _trace(store, job.call, execution), tags)


def describe_call(scope: Scope, call: Oid) -> JobDetail | CallDetail:
    """Gather all of the newest job that made a call; of the call itself where no job in the scope did.

    Raises:
        ObjectError: the call cannot be read.
    """
    found = find_job_of_call(scope, call)
    if found is not None:
        return describe_job(scope, found)
    record = get_call(scope.store, call)
    asked = view_eval(scope.store, record.eval)
    source = find_source(scope.store, asked.task)
    result, dataflow = view_value(scope.store, record.result), trace_call(scope.store, call)
    return CallDetail(call, asked, result, source, dataflow, scope.tags.of_object(call))


def describe_eval(store: ObjectStore, oid: Oid) -> EvalDetail:
    """Gather what a task was asked and every outcome on record; raises ObjectError."""
    candidates = store.find_candidates(oid)
    outcomes = tuple((candidate.time_us, candidate.target, store.kind_of(candidate.target)) for candidate in candidates)
    return EvalDetail(view_eval(store, oid), outcomes)


def describe_file(scope: Scope, oids: Iterable[Oid]) -> FileDetail:
    """Gather all of the newest of some versions of a file.

    Raises:
        ObjectError: one of them cannot be read.
    """
    file, *others = view_versions(scope.store, scope.iter_executions(), oids)
    writer = describe_job(scope, FoundJob(file.writer.execution, file.writer.row)) if file.writer else None
    readers = tuple(view_job(scope.store, use.execution, use.row) for use in file.readers[:MAX_LISTED])
    return FileDetail(file, writer, readers, tuple(others), scope.tags.of_object(file.oid))


def describe_task(scope: Scope, oid: Oid) -> TaskDetail:
    """Gather all of one hash of a task; raises ObjectError."""
    jobs = islice(find_jobs_of_task(scope, oid), MAX_LISTED)
    views = tuple(view_job(scope.store, found.execution, found.row) for found in jobs)
    fullname, source = get_task(scope.store, oid).fullname, find_source(scope.store, oid)
    return TaskDetail(oid, fullname, source, views, scope.tags.of_object(oid))


def describe_value(scope: Scope, oid: Oid) -> ValueDetail:
    """Gather who returned a value and who was given it."""
    returned: list[FoundJob] = []
    given: list[FoundJob] = []
    for found, is_result in find_uses(scope, oid):
        uses = returned if is_result else given
        if len(uses) < MAX_LISTED:
            uses.append(found)
        if len(returned) == len(given) == MAX_LISTED:
            break
    maker = returned[0] if returned else None
    views = [[view_job(scope.store, found.execution, found.row) for found in uses] for uses in (returned, given)]
    dataflow = _trace(scope.store, views[0][0].call, maker.execution) if maker is not None else None
    value, tags = view_value(scope.store, oid), scope.tags.of_object(oid)
    return ValueDetail(value, tuple(views[0]), tuple(views[1]), dataflow, tags)


def _trace(store: ObjectStore, call: Oid | None, execution: ExecutionView) -> Dataflow | None:
    if call is None:
        return None
    try:
        return trace_call(store, call, execution)
    except ObjectError:
        return None
