"""One job of an execution, as people ask for it.

The invariant: a job's view says only what its row and the objects named there say; what cannot be read is told in
``problem`` and leaves the rest standing.  A job's id derives from its execution and number: docs/format/hashing.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.execution_records import JobRow, JobStatus
from redun.objects.kinds import Kind
from redun.objects.task_records import SourceRecord
from redun.provenance.executions import ExecutionView, JobState
from redun.provenance.failures import ErrorView, view_error
from redun.provenance.values import (
    ArgumentView,
    EvalView,
    ValueView,
    describe_damage,
    get_call,
    view_eval,
    view_value,
)
from redun.store.base import ObjectStore

_CALLED = frozenset({JobStatus.DONE, JobStatus.CACHED, JobStatus.STEPPED, JobStatus.UNSURE})
"""Rows of these statuses name a call as their outcome."""


@dataclass(frozen=True, slots=True)
class JobHead:
    """A job as its row tells it: no object is read for it."""

    id: str  # uuid
    number: int
    execution_id: str
    fullname: str  # of the task
    state: JobState
    start_us: int  # microseconds since 1970 UTC
    duration_us: int | None  # None while running
    executor: str
    attempt: int  # 1 for the first


@dataclass(frozen=True, slots=True)
class JobView:
    """A job with what it was called with and what came of it."""

    head: JobHead
    eval: Oid | None  # None: it failed before its arguments were known
    task: Oid | None
    arguments: tuple[ArgumentView, ...]
    call: Oid | None  # of a finished job
    result: ValueView | None
    error: ErrorView | None  # of a failed one
    problem: str  # what could not be read; empty when all could


@dataclass(frozen=True, slots=True)
class SourceView:
    """The text of a task as it was written."""

    text: str
    module: str
    line: int


def head_of_job(execution: ExecutionView, row: JobRow) -> JobHead:
    """Return what a row tells, with absolute times and the job's id."""
    state = execution.state_of(row)
    return JobHead(
        execution.job_id(row.number),
        row.number,
        execution.id,
        row.task,
        state,
        execution.head.start_us + row.start_us,
        None if state is JobState.RUNNING else row.duration_us,
        row.executor,
        row.attempt,
    )


def view_job(store: ObjectStore, execution: ExecutionView, row: JobRow) -> JobView:
    """Read what a job was called with and what came of it."""
    asked, trouble_asked = _view_asked(store, row)
    result, trouble_result = _view_result(store, row)
    return JobView(
        head_of_job(execution, row),
        row.eval,
        asked.task if asked is not None else None,
        asked.arguments if asked is not None else (),
        row.outcome if row.status in _CALLED else None,
        result,
        view_error(store, row.outcome) if row.status is JobStatus.FAILED and row.outcome is not None else None,
        "; ".join(filter(None, (trouble_asked, trouble_result))),
    )


def outline_job(store: ObjectStore, execution: ExecutionView, row: JobRow) -> JobView:
    """Read only what a job was called with: a line of a list shows no more, and it takes half the time."""
    asked, trouble = _view_asked(store, row, fullname=row.task)
    task, arguments = (None, ()) if asked is None else (asked.task, asked.arguments)
    return JobView(head_of_job(execution, row), row.eval, task, arguments, None, None, None, trouble)


def parents_of(execution: ExecutionView, row: JobRow) -> list[JobRow]:
    """Return the jobs that a job stands below, the root first; as far as they have rows."""
    known = execution.by_number()
    parents: list[JobRow] = []
    # A parent's number is always lower, so a damaged batch cannot make this loop.
    while row.parent < row.number and (parent := known.get(row.parent)) is not None:
        parents.append(parent)
        row = parent
    return parents[::-1]


def find_source(store: ObjectStore, task: Oid, execution: ExecutionView | None = None) -> SourceView | None:
    """Return the text of a task as it was written: its execution's, else any on record, else None."""
    preferred = execution.sources if execution is not None else ()
    for oid in chain(preferred, (oid for oid, _ in store.iter_oids(Kind.SOURCE))):
        try:
            record = SourceRecord.decode(store.get_node(oid))
        except ObjectError:
            continue
        if record.subject == task:
            return SourceView(record.text, record.module, record.line)
    return None


def _view_asked(store: ObjectStore, row: JobRow, fullname: str | None = None) -> tuple[EvalView | None, str]:
    if row.eval is None:
        return None, ""
    try:
        return view_eval(store, row.eval, fullname), ""
    except ObjectError as error:
        return None, describe_damage(row.eval, error)


def _view_result(store: ObjectStore, row: JobRow) -> tuple[ValueView | None, str]:
    if row.outcome is None or row.status not in _CALLED:
        return None, ""
    try:
        return view_value(store, get_call(store, row.outcome).result), ""
    except ObjectError as error:
        return None, describe_damage(row.outcome, error)
