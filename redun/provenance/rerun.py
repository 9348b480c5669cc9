"""What a recorded job was asked, for running it again.

The invariant: nothing is decoded here; arguments are named by oid, in the order in which the call was bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from redun.errors import RefError
from redun.hashing import Oid
from redun.objects.execution_records import JobRow
from redun.objects.kinds import Kind
from redun.provenance.executions import ExecutionView, load_execution
from redun.provenance.resolve import Resolved, Subject, resolve
from redun.provenance.values import get_call, get_eval, get_task
from redun.store.base import ObjectStore
from redun.store.refs import Refs

ROOT_TASK = "redun.root_task"
"""What stands as the task of an execution that was started from Python with more than one call."""


class NotRepeatable(RefError):
    """What is named is no job, or its record does not tell what it was asked."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(
            f"{text} cannot be run again: {why}", hint="give the id of a job or an execution, as `redun log` shows"
        )
        self.text = text
        self.why = why


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A task by its full name, and the oids of its arguments."""

    fullname: str
    args: tuple[Oid, ...]  # items of ``*args``, where the task has such
    named: tuple[tuple[str, Oid], ...]  # every other argument


def find_recorded(text: str, store: ObjectStore, refs: Refs, cwd: Path) -> RecordedCall:
    """Return what the job, or the first job of the execution, was asked that a text names.

    Raises:
        AmbiguousId, UnknownId: as ``resolve`` does.
        NotRepeatable: it names something else, or its arguments are not on record.
        ObjectError: an object that it takes is missing or damaged.
    """
    found = resolve(text, store, refs, cwd, max_executions=None)
    oid = _find_eval(found, store, refs)
    if oid is None:
        raise NotRepeatable(text, "its arguments were not known yet when it ended")
    record = get_eval(store, oid)
    fullname = get_task(store, record.task).fullname
    if fullname == ROOT_TASK:
        raise NotRepeatable(text, "it was started from Python with an expression, not with one task")
    pairs = list(zip(record.names, record.args))
    return RecordedCall(
        fullname,
        tuple(arg for name, arg in pairs if isinstance(name, int)),
        tuple((name, arg) for name, arg in pairs if isinstance(name, str)),
    )


def _find_eval(found: Resolved, store: ObjectStore, refs: Refs) -> Oid | None:
    if found.subject in {Subject.EXECUTION, Subject.JOB}:
        row = _find_row(found, load_execution(store, refs, found.ref_name))
        return None if row is None else row.eval
    if found.subject is Subject.OBJECT and found.oid is not None:
        if found.kind == Kind.EVAL:
            return found.oid
        if found.kind == Kind.CALL:
            return get_call(store, found.oid).eval
    raise NotRepeatable(found.text, f"it is a {found.subject.value}")


def _find_row(found: Resolved, execution: ExecutionView) -> JobRow | None:
    """Return the row of a job; of an execution, that of the job which no other asked for."""
    if found.subject is Subject.JOB:
        return execution.by_number().get(found.job_number)
    return next((row for row in execution.rows if row.parent == 0), None)
