"""Writes down what an execution does: evals, reductions, calls, and batches of job rows.

The order keeps a promise of the store: whoever puts a node has put what it links to before.  Job rows gather in memory
and become a *jobs* node at each flush, which the scheduler asks for at least once a second: so what a ``kill -9`` can
take is what finished within the last second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from redun.expression_codec import EncodedExpression, encode_expression
from redun.hashing import Oid
from redun.objects.call_records import EMPTY_SUMMARY, CallRecord, ReductionRecord
from redun.objects.execution_records import JobRow, JobsRecord, JobStatus
from redun.objects.kinds import Kind
from redun.objects.task_records import SourceRecord, UnitRecord
from redun.scheduler.calling import encode_calling
from redun.scheduler.disk_full import is_full
from redun.store.base import ObjectStore
from redun.value.encoding import Encoded

if TYPE_CHECKING:
    from redun.scheduler.job import Job
    from redun.task.task import Task

MAX_ROWS = 1000
"""Rows in a batch: enough that its own cost vanishes, few enough that a batch stays a small object."""


class Recorder:
    """The writing half of one execution."""

    def __init__(self, store: ObjectStore, execution_id: bytes, epoch_us: int, clock: Callable[[], int]) -> None:
        """``clock`` gives microseconds since 1970 UTC; ``epoch_us`` is when the execution began."""
        self._store = store
        self.execution_id = execution_id
        self.new_tasks: set[Oid] = set()
        """Tasks that were not on record before this execution used them."""
        self._epoch_us = epoch_us
        self._clock = clock
        self._rows: list[JobRow] = []
        self.n_pending = 0
        """Jobs that ended since the last flush."""
        self._reduced: dict[int, Job] = {}
        self._tasks: dict[str, Oid] = {}
        self._sources: list[Oid] = []
        self._batches: list[Oid] = []

    @property
    def epoch_us(self) -> int:
        """When the execution began, microseconds since 1970 UTC."""
        return self._epoch_us

    @property
    def batches(self) -> list[Oid]:
        """The jobs nodes written so far, in order."""
        return self._batches

    @property
    def sources(self) -> list[Oid]:
        """The source nodes of every task used so far."""
        return self._sources

    def now_us(self) -> int:
        """Return microseconds since the execution began."""
        return self._clock() - self._epoch_us

    def _put(self, oid: Oid, data: bytes, kind: int) -> None:
        try:
            self._store.put(oid, data, kind)
        except OSError as error:
            # What a store cannot write it keeps for the next flush; but not a content that is a file of its own.
            if not (is_full(error) and self._store.has(oid)):
                raise

    # -- values, tasks and evals

    def put(self, encoded: Encoded) -> Oid:
        """Store a value and what must be stored with it."""
        for oid, data, kind in encoded.parts:
            self._put(oid, data, kind)
        self._put(encoded.oid, encoded.data, encoded.kind)
        return encoded.oid

    def put_eval(self, eval_oid: Oid, data: bytes, args: Sequence[Encoded]) -> None:
        """Store the key of a call that is about to run, with its arguments."""
        for encoded in args:
            self.put(encoded)
        self._put(eval_oid, data, Kind.EVAL)

    def put_task(self, task: Task[..., Any]) -> Oid:
        """Store a task, its units and their texts, once per execution; return the task hash."""
        known = self._tasks.get(task.fullname)
        if known is not None:
            return known
        sources = task.sources()
        for part, _, _, _ in sources:
            if isinstance(part, UnitRecord):
                self._put(*part.encode(), Kind.UNIT)
        oid, data = task.record().encode()
        if not self._store.has(oid):
            self.new_tasks.add(oid)
        self._put(oid, data, Kind.TASK)
        for part, text, module, line in sources:
            source_oid, source_data = SourceRecord(part.encode()[0], text, module, line).encode()
            self._put(source_oid, source_data, Kind.SOURCE)
            if source_oid not in self._sources:
                self._sources.append(source_oid)
        if task.compat and self._store.has(task.oid):
            oid = task.oid  # its calls are those of an earlier task; without that one on record, of this one as it is
        self._tasks[task.fullname] = oid
        return oid

    def put_calling(self, task: Task[..., Any]) -> Oid:
        """Store what a call of a task depends on beside what it is given; return what names that in summaries."""
        calling = encode_calling(task)
        if calling is None:
            return task.oid
        self.put_eval(calling.oid, calling.data, calling.defaults)
        return calling.oid

    # -- what became of jobs

    def record_reduction(self, job: Job, value: Any) -> EncodedExpression:
        """Store what a job's function returned, which holds calls still to be made."""
        expression = encode_expression(value)
        for encoded in expression.values:
            self.put(encoded)
        self._put(expression.oid, expression.data, Kind.EXPRESSION)
        produced = job.produced or {}
        listed = sorted(produced)
        reduction = ReductionRecord(_known(job.eval), expression.oid, listed, [produced[oid] for oid in listed])
        job.reduction, data = reduction.encode()
        self._put(job.reduction, data, Kind.REDUCTION)
        if not job.disturbed:
            self._reduced[job.number] = job
        return expression

    def record_call(self, job: Job, result: Encoded) -> tuple[Oid, CallRecord]:
        """Store a job's result and its call."""
        self.put(result)
        summary, own = (EMPTY_SUMMARY, []) if job.summary is None else job.summary.build()
        children = [child for child in job.children or () if child is not None]
        upstreams = job.upstreams or []
        call = CallRecord(_known(job.eval), result.oid, job.reduction, children, upstreams, summary, own)
        oid, data = call.encode()
        self._put(oid, data, Kind.CALL)
        return oid, call

    def add_row(self, job: Job, status: JobStatus, outcome: Oid | None) -> None:
        """Note how a job ended."""
        reduced = self._reduced.pop(job.number, None)
        if reduced is not None and status is JobStatus.FAILED:
            # Its function ended well, and a call below it failed: the next run asks those calls, and not the function.
            self._rows.append(self._row(job, JobStatus.REDUCED, job.reduction))
        self._rows.append(self._row(job, status, outcome))
        self.n_pending += 1
        if len(self._rows) >= MAX_ROWS:
            self._write_batch()

    def note_contested(self, task: Oid, call: Oid, job: Job) -> int:
        """Note that an eval of a task now has two different results on record; return when, since 1970 UTC."""
        row = self._row(job, JobStatus.CONTESTED, call)
        self._rows.append(row._replace(number=0, parent=0, eval=task))
        return self._epoch_us + row.start_us + row.duration_us

    def note_handle(self, root: Oid, state: Oid, time_us: int, job: Job) -> None:
        """Note an event of a handle: see docs/format/handle.md.  ``time_us`` is microseconds since 1970 UTC."""
        row = self._row(job, JobStatus.HANDLE, state)
        self._rows.append(row._replace(number=0, parent=0, eval=root, start_us=time_us - self._epoch_us, duration_us=0))

    def note_taken(self, outcomes: Iterable[tuple[Oid, Oid, int]]) -> None:
        """Note outcomes that were taken from elsewhere: eval, call or reduction, microseconds since 1970 UTC."""
        for eval_oid, target, time_us in outcomes:
            start_us = time_us - self._epoch_us
            self._rows.append(JobRow(0, 0, start_us, 0, JobStatus.TAKEN, "", 1, eval_oid, target, ""))
            if len(self._rows) >= MAX_ROWS:
                self._write_batch()

    def flush(self) -> None:
        """Write a batch of what has ended, or been reduced, since the last one, and hand it to the system."""
        for job in self._reduced.values():
            self._rows.append(self._row(job, JobStatus.REDUCED, job.reduction))
        self._reduced.clear()
        self._write_batch()
        self._store.flush()
        self.n_pending = 0

    def _row(self, job: Job, status: JobStatus, outcome: Oid | None) -> JobRow:
        return JobRow(
            job.number,
            0 if job.parent is None else job.parent.number,
            job.start_us,
            max(0, self.now_us() - job.start_us),
            status,
            job.executor,
            job.attempt,
            job.eval,
            outcome,
            job.task.fullname,
        )

    def _write_batch(self) -> None:
        if self._rows:
            oid, data = JobsRecord(self.execution_id, self._epoch_us, self._rows).encode()
            self._put(oid, data, Kind.JOBS)
            self._batches.append(oid)
            self._rows = []


def _known(oid: Oid | None) -> Oid:
    assert oid is not None, "a call is recorded under the eval it was claimed with"
    return oid
