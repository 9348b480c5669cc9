"""The loop of one execution: takes finished jobs, lets the reducer work, flushes, and waits.

All state of the execution is changed in the thread that runs this loop.  Others reach it through one queue: executors
put finished jobs, any thread a step to be done here, a signal handler None to wake it up.  Steps for later (a job that
is tried again, a job whose time is up) wait in a heap by their time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Protocol

from redun.executors.base import Executor
from redun.scheduler.disk_full import PatientFlush
from redun.scheduler.job import Job
from redun.scheduler.plan import Plan
from redun.scheduler.record import Recorder
from redun.scheduler.reduce import Reducer

FLUSH_SECONDS = 1.0
"""While jobs keep coming, what finished is handed to the system this often."""
IDLE_FLUSH_SECONDS = 0.05
"""Before a wait it is handed over at once, unless it was this short a time ago: then the wait is cut to the rest of it.
A chain of short jobs waits after each; flushing at each wait would cost it a batch per job."""


class Cancels(Protocol):
    """Somebody who holds work that can be dropped."""

    def cancel_waiting(self) -> int:
        """Drop it, unreported; return how many pieces that were."""


class Root:
    """Waits for the value of the whole run."""

    def __init__(self, on_fail: Callable[[], None] = lambda: None) -> None:
        """``on_fail`` is called when there can be no value any more."""
        self._on_fail = on_fail
        self.is_ended = False
        self.value: Any = None
        self.error: BaseException | None = None

    def deliver(self, _slot: int, value: Any) -> None:
        """Take the value."""
        self.is_ended = True
        self.value = value

    def fail(self, _slot: int, error: BaseException) -> None:
        """Take the first error."""
        self.is_ended = True
        self.error = self.error or error
        self._on_fail()


class Loop:
    """Drives one execution to its end."""

    def __init__(
        self,
        plan: Plan[Job],
        recorder: Recorder,
        executors: Iterable[Executor],
        queue: SimpleQueue[Any],
        on_interval: Callable[[], None],
        interval_seconds: float,
        *,
        before_wait: Callable[[], None] = lambda: None,
        flushes_each_job: bool = False,
        warn: Callable[[str], None] = lambda _text: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Make a loop that has not begun.

        Args:
            plan: what may start.
            recorder: what is flushed.
            executors: where jobs run.
            queue: where finished jobs come in.
            on_interval: called every ``interval_seconds`` while the run goes on.
            interval_seconds: 0 or less is never.
            before_wait: called before the loop waits for a job.
            flushes_each_job: whether each finished job is handed to the system at once.
            warn: tells people what goes wrong meanwhile.
            clock: seconds, from any start.
        """
        self._clock = clock
        self._before_wait = before_wait
        self._flushes_each_job = flushes_each_job
        self._plan = plan
        self._recorder = recorder
        self._patient = PatientFlush(recorder.flush, lambda: recorder.n_pending, warn)
        self._executors: list[Cancels] = list(executors)
        self._queue = queue
        self._on_interval = on_interval
        self._interval_seconds = interval_seconds
        self._flushed_at = self._interval_at = self._clock()
        self._is_dirty = False
        self._has_cancelled = False
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._n_later = 0
        self.interrupted_by: int | None = None
        self.n_background = 0  # evaluations that the root does not wait for, and that the run does

    def interrupt(self, signal_number: int) -> None:
        """Ask the loop to end; may be called from a signal handler."""
        self.interrupted_by = signal_number
        self._queue.put(None)

    def add(self, executor: Cancels) -> None:
        """Ask one more for what to drop when the run stops."""
        self._executors.append(executor)

    @property
    def is_idle(self) -> bool:
        """Whether nothing has come in and nothing is to be done later."""
        return self._queue.empty() and not self._later

    def do_soon(self, step: Callable[[], None]) -> None:
        """Do a step in the loop's thread; may be called from any thread."""
        self._queue.put(step)

    def take_back(self, job: Job) -> None:
        """Take a job whose function has run; may be called from any thread."""
        self._queue.put(job)

    def do_later(self, seconds: float, step: Callable[[], None]) -> None:
        """Do a step once some time has passed; only from the loop's thread.  The loop goes on until it is done."""
        self._n_later += 1
        heappush(self._later, (self._clock() + seconds, self._n_later, step))

    def run(self, reducer: Reducer, root: Root) -> None:
        """Work until the root has ended and nothing runs any more, or nothing can go on, or an interrupt came."""
        evaluator = reducer.evaluator
        while self.interrupted_by is None:
            has_more = evaluator.run_deferred()
            n_taken = self._take_finished(reducer) + self._do_due()
            if self._plan.is_stopped:
                self._cancel_waiting()
            self._tick()
            if has_more or n_taken:
                continue
            if root.is_ended and self._plan.n_running == 0 and not (self.n_background and self._is_waiting_for_time()):
                return
            if self._plan.n_running == 0 and self._queue.empty() and not self._is_waiting_for_time():
                return  # a dry run, or a stopped one: what is left will not run
            self._wait(reducer)
        self._plan.stop()
        self._cancel_waiting()
        self._take_finished(reducer)
        self._recorder.flush()

    def _take_finished(self, reducer: Reducer) -> int:
        n_taken = self._queue.qsize()
        for _ in range(n_taken):
            self._take(reducer, self._queue.get())
        return n_taken

    def _do_due(self) -> int:
        n_done = 0
        while self._later and self._later[0][0] <= self._clock():
            _, _, step = heappop(self._later)
            step()
            n_done += 1
        return n_done

    def _is_waiting_for_time(self) -> bool:
        return bool(self._later) and not self._plan.is_stopped

    def _take(self, reducer: Reducer, job: Job | Callable[[], None] | None) -> None:
        if callable(job):
            job()
        elif job is not None:
            self._is_dirty = True
            reducer.returned(job)
            if self._flushes_each_job:
                self._flush(self._clock())

    def _cancel_waiting(self) -> None:
        if not self._has_cancelled:
            self._has_cancelled = True
            for executor in self._executors:
                self._plan.drop(executor.cancel_waiting())

    def _tick(self) -> None:
        now = self._clock()
        if self._is_dirty and now - self._flushed_at >= FLUSH_SECONDS:
            self._flush(now)
        if 0 < self._interval_seconds <= now - self._interval_at:
            self._interval_at = now
            self._on_interval()

    def _wait(self, reducer: Reducer) -> None:
        self._before_wait()
        now = self._clock()
        timeout: float | None = None
        if self._is_dirty:
            timeout = self._flushed_at + IDLE_FLUSH_SECONDS - now
            if timeout <= 0:
                self._flush(now)
                timeout = None
        if timeout is None and self._interval_seconds > 0:
            timeout = max(0.0, self._interval_at + self._interval_seconds - now)
        if self._later:
            due = max(0.0, self._later[0][0] - now)
            timeout = due if timeout is None else min(timeout, due)
        try:
            self._take(reducer, self._queue.get(timeout=timeout))
        except Empty:
            return  # the next round flushes, or shows the status

    def _flush(self, now: float) -> None:
        self._is_dirty = not self._patient.flush(now)
        self._flushed_at = now
