"""Jobs whose function is a coroutine: they run in an asyncio loop, and what they await is evaluated below them.

Theory of operation.  The function runs in the thread of a ``CoroutineThread``.  ``await expression`` puts a step into
the scheduler's queue and waits for a future of its own loop; the step starts the evaluation below the job, like the
calls that a sync function returns, so they are its children on record and enter its summary.  Their values come back
through ``call_soon_threadsafe``.  All state but the futures is looked at in the scheduler's thread only.

The invariant: the value of an async job is never taken to follow from less than it does.  Its body cannot be replayed
between two awaits, so its reductions never serve; it is reused as a whole, when every task below is current.  One that
saw an error of a call, or gave up waiting for one, may come out differently next time, and is recorded as *unsure*.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from redun.errors import RedunError
from redun.executors.base import Executor
from redun.executors.coroutines import CoroutineThread
from redun.expression import Expression, awaiting
from redun.file.produced import mark_start, track_writes
from redun.objects.execution_records import JobStatus
from redun.scheduler.errors import SchedulerError, TaskExited
from redun.scheduler.owned import ATOMS, own_copy
from redun.value.encoding import ValueNotEncodable, encode_value
from redun.value.stored import loaded

if TYPE_CHECKING:
    import asyncio

    from redun.scheduler.failure import Failures
    from redun.scheduler.job import Job
    from redun.scheduler.plan import Plan
    from redun.scheduler.reduce import Reducer


class NotLocal(SchedulerError):
    """An async task is to run on an executor that runs no coroutines."""

    def __init__(self, task_name: str, executor: str) -> None:
        super().__init__(
            f"the async task {task_name!r} is to run on executor {executor!r}, expected one of threads of this process",
            hint="leave its executor option out, and await tasks that run there",
        )
        self.task_name = task_name
        self.executor = executor


class HeldLimit(SchedulerError):
    """An async job holds units of a limit that the calls it awaits need, so that nothing can go on."""

    def __init__(self, task_name: str, needs: Mapping[str, int]) -> None:
        names = ", ".join(sorted(needs))
        super().__init__(
            f"the async task {task_name!r} holds units of {names} while it awaits calls, and nothing can start without",
            hint="give the limit to the tasks that it awaits, and not to itself",
        )
        self.task_name = task_name
        self.needs = dict(needs)


class AsyncJobs:
    """The async jobs of one run."""

    def __init__(
        self,
        reducer: Reducer,
        plan: Plan[Job],
        failures: Failures,
        queue: SimpleQueue[Any],
        thread_setup: Callable[[], None],
    ) -> None:
        """``queue`` is the loop's: it takes steps to be done in the scheduler's thread, and jobs that have run."""
        self._reducer = reducer
        self._plan = plan
        self._failures = failures
        self._queue = queue
        self._thread = CoroutineThread(thread_setup)
        self._running: dict[int, AsyncCall] = {}

    def submit(self, job: Job, executor: Executor) -> None:
        """Start a job that was admitted; it fails with NotLocal on an executor that runs no coroutines."""
        try:
            if not executor.runs_coroutines or job.get_option("mode") == "process":
                raise NotLocal(job.task.fullname, executor.name)
        except RedunError as error:  # also of an alias that leads nowhere
            job.error = error
            self._queue.put(job)
            return
        call = self._running[job.number] = AsyncCall(self, job)
        self._thread.submit(call)

    def cancel_waiting(self) -> int:
        """Drop the jobs that wait for calls, which may never be made now, unreported; return how many they were."""
        dropped = [call for call in self._running.values() if call.waiting]
        for call in dropped:
            self._drop(call)
        return len(dropped)

    def abandon(self, job: Job) -> None:
        """Cancel a job whose time is up, and hear no more of it."""
        call = self._running.get(job.number)
        if call is not None:
            self._drop(call)

    def fail_stuck(self) -> None:
        """Fail the jobs that hold what all others wait for; called when nothing happens any more."""
        if not self._plan.n_waiting or self._plan.n_running > sum(
            bool(call.waiting) for call in self._running.values()
        ):
            return
        for call in list(self._running.values()):
            if call.waiting and call.job.needs:
                for part in list(call.waiting):
                    part.fail(0, HeldLimit(call.job.task.fullname, call.job.needs))

    def stop(self) -> None:
        """Cancel what still runs."""
        self._thread.stop()

    # -- for the calls

    def do_soon(self, step: Callable[[], None]) -> None:
        """Do a step in the scheduler's thread."""
        self._queue.put(step)

    def evaluate(self, part: _Awaited) -> None:
        """Have an awaited expression evaluated below its job."""
        call = part.call
        if self._running.get(call.job.number) is not call:
            return
        if self._plan.is_stopped:
            self._drop(call)
            self._plan.drop(1)
            return
        call.waiting.add(part)
        self._reducer.evaluator.start(part.expression, call.job, part, 0)

    def note_error(self, job: Job) -> None:
        """Note that a job has seen an error."""
        self._reducer.forbid_reuse(job)

    def ended(self, call: AsyncCall, *, is_sure: bool) -> None:
        """Take back a job whose function has run; ``is_sure``: it waited for all that it asked for."""
        job = call.job
        if self._running.get(job.number) is not call:
            return  # dropped; another attempt at the job may be running
        del self._running[job.number]
        if call.errors or not is_sure:
            self._reducer.forbid_reuse(job)
            job.status = JobStatus.UNSURE
        for error in call.errors:
            if error is not job.error:
                self._failures.note_caught(error)
        self._queue.put(job)

    def _drop(self, call: AsyncCall) -> None:
        del self._running[call.job.number]
        self._thread.cancel(call)


class AsyncCall:
    """A job as a coroutine."""

    def __init__(self, jobs: AsyncJobs, job: Job) -> None:
        self._jobs = jobs
        self.job = job
        self.waiting: set[_Awaited] = set()
        self.errors: list[BaseException] = []
        self.n_unanswered = 0
        """Awaited calls whose outcome it has not seen; counted where it runs.  At its end: those it gave up on."""

    async def run_async(self) -> None:
        """Run the function, with ``await expression`` working in it and in the asyncio tasks that it makes."""
        awaiting.set(self._evaluate)  # in the context of this asyncio task, which nobody shares
        job = self.job
        job.begin()
        start_ns = mark_start()
        try:
            with track_writes():
                args, kwargs = job.handed()
                body: Coroutine[Any, Any, Any] = job.task.func(*args, **kwargs)
                job.settle(await body, start_ns)
        except BaseException as error:
            job.error = error
            job.traceback = error.__traceback__
        finally:
            job.forget_arguments()
            is_sure = not self.n_unanswered
            self._jobs.do_soon(lambda: self._jobs.ended(self, is_sure=is_sure))

    def _evaluate(self, expression: Expression[Any]) -> Generator[Any, None, Any]:
        from asyncio import get_running_loop

        part = _Awaited(self, expression, get_running_loop())
        self.n_unanswered += 1
        self._jobs.do_soon(lambda: self._jobs.evaluate(part))
        error, value = yield from part.future
        self.n_unanswered -= 1
        if error is not None:
            raise error
        return value

    def note_value(self, value: Any) -> None:
        """Note the files in a value that some other job gave: what this one returns of them, it did not make."""
        with suppress(ValueNotEncodable):
            externals = encode_value(value).externals
            if externals:
                self.job.given = (self.job.given or frozenset()).union(externals)

    def note_error(self, error: BaseException) -> None:
        """Note an error of an awaited call."""
        self.errors.append(error)
        self._jobs.note_error(self.job)


class _Awaited:
    """Waits, in the scheduler's thread, for the value of one awaited expression."""

    __slots__ = ("_loop", "call", "expression", "future")

    def __init__(self, call: AsyncCall, expression: Expression[Any], loop: asyncio.AbstractEventLoop) -> None:
        self.call = call
        self.expression = expression
        self._loop = loop
        self.future: asyncio.Future[tuple[BaseException | None, Any]] = loop.create_future()

    def deliver(self, _slot: int, value: Any) -> None:
        """Take the value."""
        if self in self.call.waiting:
            if type(value) not in ATOMS:
                self.call.note_value(value)
                value = own_copy(loaded(value))
            self._answer(None, value)

    def fail(self, _slot: int, error: BaseException) -> None:
        """Learn that there is no value."""
        if self in self.call.waiting:
            self.call.note_error(error)
            # asyncio ends its loop for an error that is no Exception.
            self._answer(error if isinstance(error, Exception) else TaskExited(error), None)

    def _answer(self, error: BaseException | None, value: Any) -> None:
        self.call.waiting.discard(self)
        with suppress(RuntimeError):  # a loop of the user's own, closed meanwhile
            self._loop.call_soon_threadsafe(self._resolve, (error, value))

    def _resolve(self, outcome: tuple[BaseException | None, Any]) -> None:
        if not self.future.done():
            self.future.set_result(outcome)
