"""How a job ends: what it came to goes on record, its claim is settled, and whoever asked for the call is answered.

The invariant: each job ends once, by ``finish``, ``conclude`` or ``fail``; all three settle its claim, so that all
callers of the same call are answered alike.  Everything here happens in the scheduler's thread.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from redun.handle import handle_classes
from redun.hashing import Oid
from redun.objects.call_records import EMPTY_SUMMARY, CallRecord, SubtreeSummary
from redun.objects.execution_records import JobStatus
from redun.scheduler.errors import NotSerializable
from redun.scheduler.evaluate import Evaluator
from redun.scheduler.job import Caller, Job
from redun.scheduler.noted import note_values
from redun.scheduler.owned import ATOMS
from redun.scheduler.parts import Parts
from redun.scheduler.status import Column
from redun.scheduler.summary import summary_of
from redun.value.encoding import ValueNotEncodable, encode_value


class Ended(NamedTuple):
    """How a claimed call ended."""

    call: Oid | None
    result: Oid | None
    task: Oid
    summary: SubtreeSummary
    error: BaseException | None
    value: Any = None  # of a call that left no trace


class JobResult:
    """Waits for the value that a job's reduction comes to."""

    __slots__ = ("_evaluator", "_job", "_settler")

    def __init__(self, settler: Settler, evaluator: Evaluator, job: Job) -> None:
        self._settler = settler
        self._evaluator = evaluator
        self._job = job

    def deliver(self, _slot: int, value: Any) -> None:
        # Deferred: in a chain of jobs each the last call of the one above, all of them end at once.
        self._evaluator.defer(lambda: self._settler.finish(self._job, value))

    def fail(self, _slot: int, error: BaseException) -> None:
        self._evaluator.defer(lambda: self._settler.fail(self._job, error))


class Settler:
    """Ends the jobs of one execution."""

    def __init__(self, parts: Parts) -> None:
        self._plan = parts.plan
        self._recorder = parts.recorder
        self._cache = parts.cache
        self._log = parts.log
        self._counts = parts.counts
        self._handles = parts.handles
        self._failures = parts.failures

    def finish(self, job: Job, value: Any) -> None:
        """Record a job's result, and answer everyone who asked for it."""
        if not job.facts.is_recorded:
            self._finish_unrecorded(job, value)
            return
        try:
            result = encode_value(value)
        except Exception as error:
            self.fail(job, at_result(error))
            return
        if job.handles or result.externals:
            self._handles.end(job, result)
        if result.externals:
            summary_of(job).add_externals(result.externals, None if job.reduction else job.produced)
        if type(value) not in ATOMS:
            note_values(self._log, job, [value], [result])
        call_oid, record = self._recorder.record_call(job, result)
        self._note_contest(job, call_oid, record)
        is_stepped = job.status == JobStatus.STEPPED
        # A stepped call enters the eval table even when it was there: now it is newer than any contest below it.
        done = JobStatus.UNSURE if job.disturbed or job.status == JobStatus.UNSURE else JobStatus.DONE
        self._recorder.add_row(job, JobStatus.STEPPED if is_stepped else done, call_oid)
        self._counts.move(job.task.fullname, Column.RUNNING, Column.CACHED if is_stepped else Column.DONE)
        self.conclude(job, call_oid, record, value)

    def _finish_unrecorded(self, job: Job, value: Any) -> None:
        self._counts.move(job.task.fullname, Column.RUNNING, Column.DONE)
        summary = EMPTY_SUMMARY if job.summary is None else job.summary.build()[0]
        self._settle(job, Ended(None, None, job.facts.calling, summary._replace(is_reusable=False), None, value), value)

    def _note_contest(self, job: Job, call_oid: Oid, record: CallRecord) -> None:
        if job.prior and self._cache.recorded_results(job.prior) - {record.result}:
            task_oid = job.facts.calling
            self._cache.note_contest(task_oid, self._recorder.note_contested(task_oid, call_oid, job))

    def conclude(self, job: Job, call_oid: Oid, record: CallRecord, value: Any) -> None:
        """Answer everyone who asked for a job whose call is on record."""
        summary = record.summary
        if not (summary.tasks or summary.externals) and summary.is_reusable:
            summary = EMPTY_SUMMARY
        if not job.facts.is_cached:
            # Its result may not serve later, so nothing that holds it may be reused in one step.
            summary = summary._replace(is_reusable=False)
        self._settle(job, Ended(call_oid, record.result, job.facts.calling, summary, None), value)

    def _settle(self, job: Job, ended: Ended, value: Any) -> None:
        if handle_classes:
            self._handles.forget(job)
        followers = self._plan.settle(job.key, ended)
        self._answer(ended, job.caller, value)
        for caller in followers:
            self._answer(ended, caller, value)

    def fail(self, job: Job, error: BaseException) -> None:
        """Record a job's failure, and tell everyone who asked for it."""
        self._counts.move(job.task.fullname, Column.RUNNING, Column.FAILED)
        outcome = self._failures.note(job, error)
        if handle_classes:
            self._handles.drop(job)
        if job.facts.is_recorded:
            self._recorder.add_row(job, JobStatus.FAILED, self._recorder.put(outcome))
        ended = Ended(None, None, job.facts.calling, EMPTY_SUMMARY, error)
        for caller in [job.caller, *self._plan.settle(job.key, ended)]:
            caller.waiter.fail(caller.slot, error)

    def replay(self, ended: Ended, caller: Caller) -> None:
        """Answer somebody who asks for a call that has ended."""
        if ended.error is not None:
            caller.waiter.fail(caller.slot, ended.error)
            return
        self._answer(ended, caller, ended.value if ended.result is None else self._cache.decode(ended.result))

    def _answer(self, ended: Ended, caller: Caller, value: Any) -> None:
        if caller.parent is not None:
            assert caller.parent.children is not None
            caller.parent.children[caller.child_slot] = ended.call
            summary_of(caller.parent).add_call(ended.task, ended.summary)
        if caller.expression is not None:
            caller.expression.call_hash = ended.call
        caller.waiter.deliver(caller.slot, value)


def at_result(error: Exception) -> Exception:
    """Return the error of a job whose result cannot be recorded."""
    return NotSerializable("result", error) if isinstance(error, ValueNotEncodable) else error
