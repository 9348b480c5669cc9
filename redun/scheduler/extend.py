"""Runs that go on inside a job of another run: what ``subrun`` and ``Scheduler.extend_run`` are made of.

Theory of operation.  A job's function evaluates an expression with a scheduler of its own, in the thread that the job
runs in.  The jobs made there stand below that job: ``Point`` is the job as they see it, so that options, context, calls
and the summary of what lies below are handed on as if the job had returned the expression.  Either they belong to the
execution of the job (``Extension``: its store, its job numbers, batches of its own that the execution links to at its
end) or to an execution of their own, whose root call is then the one call below the job.

The invariant: nothing is put after the execution has ended.  ``Extensions`` (extensions.py) knows what goes on inside a
run; before the run ends early it ends them, and waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from redun.expression import TaskExpression
from redun.expression_codec import is_concrete
from redun.hashing import Oid
from redun.objects.execution_records import ExecutionStatus, JobStatus
from redun.objects.ids import format_id, job_id
from redun.scheduler.extensions import Stopped
from redun.scheduler.facts import EVALUATES
from redun.scheduler.job import Caller, Job, JobView
from redun.scheduler.preview import preview
from redun.scheduler.record import Recorder
from redun.scheduler.run import Run
from redun.scheduler.summary import SummaryBuilder
from redun.scheduler.tags import TagRecorder

if TYPE_CHECKING:
    from redun.scheduler.context import Context
    from redun.scheduler.elsewhere import AddedPart, ExecutionElsewhere
    from redun.scheduler.execution import Execution
    from redun.scheduler.loop import Root
    from redun.scheduler.parts import RunOptions
    from redun.scheduler.reopen import ReopenedExecution
    from redun.scheduler.scheduler import Scheduler
    from redun.store.base import ObjectStore

_CALLED = frozenset({JobStatus.DONE, JobStatus.CACHED, JobStatus.STEPPED, JobStatus.UNSURE})


class Point(JobView):
    """A job as those see it that a run inside it makes: under another number, and with another context if need be."""

    __slots__ = ("number",)

    def __init__(self, job: Job, number: int, context: Context | None) -> None:
        """``number`` is what their rows name as the parent: 0 makes them roots of an execution of their own."""
        super().__init__(job, context)
        self.number = number


class _Recorder(Recorder):
    """Notes which job stands directly below the point."""

    def __init__(self, store: Any, execution_id: bytes, epoch_us: int, clock: Callable[[], int], point: int) -> None:
        super().__init__(store, execution_id, epoch_us, clock)
        self._point = point
        self.root_number: int | None = None
        self.root_call: Oid | None = None

    def add_row(self, job: Job, status: JobStatus, outcome: Oid | None) -> None:
        super().add_row(job, status, outcome)
        if job.parent is not None and job.parent.number == self._point:
            self.root_number = job.number
            self.root_call = outcome if status in _CALLED else None


class ExtendedExecution:
    """The part of an execution that a run inside one of its jobs adds: ``Execution`` as that run sees it."""

    def __init__(
        self, whole: Execution | ExtendedExecution | ReopenedExecution | ExecutionElsewhere, point: int
    ) -> None:
        """Make a part; ``point`` is the number of the job."""
        self.id: str = whole.id
        self.raw_id: bytes = whole.raw_id
        self.labels = {"redun_execution_id": whole.id}
        self.argv: list[str] = whole.argv
        self.start_us: int = whole.start_us
        self.clock: Callable[[], int] = whole.clock
        self.numbers: Iterator[int] = whole.numbers
        self.store: ObjectStore = whole.store
        self.recorder = _Recorder(whole.store, whole.raw_id, whole.start_us, whole.clock, point)
        self.tags = TagRecorder(whole.store, whole.raw_id)
        self._whole = whole
        self.new_tasks: set[Oid] = whole.new_tasks  # what one part has put first is new to all
        self.recorder.new_tasks = self.new_tasks

    def begin(self) -> None:
        """Have the execution link to what will be recorded here."""
        self.join(self)

    def join(self, part: ExtendedExecution | AddedPart) -> None:
        """Pass on a part of a part."""
        self._whole.join(part)

    def end(self, _status: ExecutionStatus, _root: Oid | None) -> None:
        """Hand everything to the system; the execution itself goes on."""
        self.recorder.flush()

    def touch(self) -> None:
        """Show that the execution is still going on."""
        self._whole.touch()

    @property
    def root_job_id(self) -> str | None:
        """The id of the last job directly below the point."""
        number = self.recorder.root_number
        return None if number is None else format_id(job_id(self.raw_id, number))


class _Inner(Run):
    """A run inside a job."""

    def __init__(
        self, scheduler: Scheduler, execution: Any, options: RunOptions, point: Any, above: Run | None
    ) -> None:
        super().__init__(scheduler, execution, options)
        self._point = point
        self._above = above

    def _outcome(self, root: Root) -> Any:
        if self._above is None:
            return super()._outcome(root)
        if root.error is not None:
            # The error carries no traceback of ours: a task that recovers from it has it as its argument.
            self._above.failures.adopt(root.error, self.failures)
            raise root.error
        if not root.is_ended and self.loop.interrupted_by is None and not self.options.is_dryrun:
            error = Stopped()
            self._above.failures.note_caught(error)  # it is not what the run fails of
            raise error
        return super()._outcome(root)


class Extension(_Inner):
    """A run whose jobs belong to the execution of the job that it goes on in."""

    def _announce(self) -> None:
        self._log.say(f"Extend Execution {self.execution.id} below Job {self._point.short_id}")

    def _start(self, expr: Any, root: Root) -> None:
        self.reducer.evaluator.start(expr, self._point, root, 0)

    def _end(self, status: ExecutionStatus, _root: Root) -> None:
        self.execution.end(status, None)


class NewExecution(_Inner):
    """A run with an execution of its own, inside a job of another one."""

    def _start(self, expr: Any, root: Root) -> None:
        if type(expr) is TaskExpression and all(map(is_concrete, (*expr.args, *expr.kwargs.values()))):
            self._root_call = expr
            self.reducer.call(expr, self._point, root, 0)
        else:
            self._start_root(expr, Caller(root, 0, self._point, self._point.add_child(), self._root_call))


def extend_here(inner: Scheduler, above: Run, job: Job, expr: Any, options: RunOptions, part: ExtendedExecution) -> Any:
    """Evaluate an expression inside a job of a run, as part of its execution; in the thread that the job runs in.

    Raises:
        Exception: as ``Scheduler.run`` does; Stopped when the run above failed meanwhile.
    """
    run = Extension(inner, part, options, Point(job, job.number, options.context), above)
    return _drive_inside(inner, run, above, job, expr)


def run_inside(inner: Scheduler, above: Run, job: Job, expr: Any, options: RunOptions, *, is_same_store: bool) -> Any:
    """Evaluate an expression inside a job of a run, as an execution of its own.

    ``is_same_store``: whether it is kept where the run above is kept, so that the job can link to its call.
    """
    execution = inner.begin_execution(["redun", "subrun", preview(expr)], options)
    run = NewExecution(inner, execution, options, Point(job, 0, options.context), above)
    try:
        return _drive_inside(inner, run, above, job, expr)
    finally:
        if not is_same_store:
            # What was called is not on record here, so nothing tells here whether it would come out the same.
            job.children, job.summary, job.status = None, SummaryBuilder(), int(JobStatus.UNSURE)
            job.summary.forbid_reuse()


def _drive_inside(inner: Scheduler, run: Run, above: Run, job: Job, expr: Any) -> Any:
    job.keeper = None  # the jobs below tell which files they made
    job.children = job.summary = None  # of an attempt before this one
    job.cancel = lambda: run.loop.interrupt(0)  # when the job's time is up
    with above.extensions.holding(run):
        value = inner.drive(run, expr)
    job.cancel = None
    judge(job)
    return value


def judge(job: Job) -> None:
    """Say of a job in which a run has gone on whether its result may serve later."""
    if job.summary is not None:
        if not job.facts.options.get(EVALUATES):
            job.summary.forbid_reuse()  # whoever looks its call up takes it for one that made none
        if not job.summary.is_reusable:
            job.status = int(JobStatus.UNSURE)  # it cannot be stepped through either
