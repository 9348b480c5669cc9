"""Adds jobs below a job of an execution: the running one that asks, or one of an execution that has ended.

The invariant: an execution that has ended is never written to.  A new node with all its batches and the new ones takes
its place, and the ref is rewritten last; so a reader sees the old one or the new one whole.  Of two that extend the
same execution at the same time, the ref of the later one wins.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.hashing import Oid
from redun.objects.execution_records import ExecutionRecord, JobsRecord
from redun.objects.ids import format_id, job_id
from redun.objects.kinds import Kind
from redun.scheduler.context import Context, merge_context
from redun.scheduler.current import find_running_job, get_current_scheduler
from redun.scheduler.errors import DryRunResult, Interrupted, SchedulerError
from redun.scheduler.execution import Home
from redun.scheduler.extend import ExtendedExecution, Extension, extend_here
from redun.scheduler.facts import FactsTable
from redun.scheduler.homes import home_of_dryrun
from redun.scheduler.job import Caller, Job
from redun.scheduler.loop import Root
from redun.scheduler.root import root_task
from redun.scheduler.tags import TagRecorder
from redun.store.ref_texts import ExecutionRef
from redun.task.registry import get_task_registry

if TYPE_CHECKING:
    from redun.scheduler.elsewhere import AddedPart
    from redun.scheduler.parts import RunOptions
    from redun.scheduler.scheduler import Scheduler


class UnknownJob(SchedulerError):
    """A job that is to be extended is not there."""

    def __init__(self, found_id: str) -> None:
        super().__init__(
            f"expected the id of the job that calls this, or of one of an execution that has ended, found {found_id}"
        )
        self.job_id = found_id


class _Found(NamedTuple):
    ref: ExecutionRef | None  # None in memory
    record: ExecutionRecord
    number: int  # of the job
    last_number: int  # of any job


class ReopenedExecution:
    """An execution that has ended, as a run sees it that extends it."""

    def __init__(self, home: Home, found: _Found, clock: Callable[[], int]) -> None:
        self._home = home
        self._ref = found.ref
        self._record = found.record
        self._parts: list[ExtendedExecution | AddedPart] = []
        self.clock, self.store = clock, home.store
        self.raw_id = found.record.execution_id
        self.id = format_id(self.raw_id)
        self.argv = list(found.record.argv)
        self.start_us = found.record.start_us
        self.new_tasks: set[Oid] = set()
        self.numbers = count(found.last_number + 1)

    def join(self, part: ExtendedExecution | AddedPart) -> None:
        """Have the new node link to what a part records."""
        self._parts.append(part)

    def touch(self) -> None:
        """Show that this process is alive."""
        self._home.touch()

    def end(self) -> None:
        """Put the new node, and publish it in the place of the old one."""
        recorders = [part.recorder for part in self._parts]
        record = self._record._replace(
            jobs=[*self._record.jobs, *(batch for recorder in recorders for batch in recorder.batches)],
            sources=_merged(self._record.sources, [source for recorder in recorders for source in recorder.sources]),
            tags=_merged(self._record.tags, TagRecorder.merge(part.tags for part in self._parts)),
        )
        oid, data = record.encode()
        self.store.put(oid, data, Kind.EXECUTION)
        packs = self._home.seal()
        if self._home.refs is not None and self._ref is not None:
            ref = dataclasses.replace(self._ref, object=oid, packs=(*self._ref.packs, *packs), signatures=())
            self._home.refs.write(self._home.refs.sign(ref), is_forced=self._home.is_forced)
        self._home.finish()


def extend_run(scheduler: Scheduler, expr: Any, parent_job_id: str, options: RunOptions) -> dict[str, Any]:
    """Do what ``Scheduler.extend_run`` says."""
    job, above = find_running_job(), get_current_scheduler(required=False)
    if job is None or above is None or job.id != parent_job_id:
        return _extend_ended(scheduler, expr, parent_job_id, options)
    run = above.current_run()
    below = options.context if job.context is None else merge_context(job.context, _values(options.context))
    part = ExtendedExecution(run.execution, job.number)
    return _tell(part, lambda: extend_here(scheduler, run, job, expr, options._replace(context=below), part))


def _extend_ended(scheduler: Scheduler, expr: Any, parent_job_id: str, options: RunOptions) -> dict[str, Any]:
    found = _find(scheduler.home, parent_job_id)
    home = home_of_dryrun(scheduler.backend) if options.is_dryrun else scheduler.home
    whole = ReopenedExecution(home, found, scheduler.clock)
    part = ExtendedExecution(whole, found.number)
    facts = FactsTable(get_task_registry(), part.recorder.put_task, part.recorder.put_calling).make(root_task)
    job = Job(whole.raw_id, found.number, facts, Caller(Root(), 0, None, -1, None))
    job.context = options.context
    run = Extension(scheduler, part, options, job, None)
    try:
        return _tell(part, lambda: scheduler.drive(run, expr))
    finally:
        whole.end()


def _tell(part: ExtendedExecution, drive: Callable[[], Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    try:
        told["result"] = drive()
    except DryRunResult:
        told["dryrun"] = True
    except Interrupted:
        raise
    except Exception as error:
        told["error"] = error
    call = part.recorder.root_call
    return {**told, "job_id": part.root_job_id, "call_hash": None if call is None else call.hex()}


def _find(home: Home, wanted: str) -> _Found:
    """Look through the executions, the newest first; a microsecond a job."""
    for ref, oid in _iter_ended(home):
        record = ExecutionRecord.decode(home.store.get_node(oid))
        batches = [JobsRecord.decode(home.store.get_node(batch)) for batch in record.jobs]
        numbers = {row.number for batch in batches for row in batch.rows}
        for number in numbers:
            if number and format_id(job_id(record.execution_id, number)) == wanted:
                return _Found(ref, record, number, max(numbers))
    raise UnknownJob(wanted)


def _iter_ended(home: Home) -> Iterator[tuple[ExecutionRef | None, Oid]]:
    if home.refs is None:
        yield from ((None, oid) for oid, _ in home.store.iter_oids(Kind.EXECUTION))
    else:
        yield from ((ref, ref.object) for ref in home.refs.iter_refs() if ref.object is not None)


def _merged(old: Iterable[Oid], new: Iterable[Oid]) -> list[Oid]:
    return list(dict.fromkeys([*old, *new]))


def _values(context: Context | None) -> Mapping[str, Any] | None:
    return None if context is None else context.values
