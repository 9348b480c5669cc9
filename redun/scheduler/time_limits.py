"""Jobs whose time is limited: the task option ``timeout``, in seconds.

Time counts from when the function begins to run, not from when the job was handed to an executor.  A thread cannot be
killed: a job whose time is up fails, and its function goes on for as long as it likes, with nobody waiting.  So the
executor is given a copy of the job to work on, which is dropped when it comes back late, and is told that the place
which it takes up is lost.  What can be stopped says how by ``Job.cancel``: the processes of a script are killed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any

from redun.scheduler.errors import TimedOut
from redun.scheduler.job import Job
from redun.scheduler.retries import read_seconds

Step = Callable[[], None]


def read_timeout(options: Mapping[str, Any]) -> float | None:
    """Return the seconds that a call may take; None for any number.  Raises ValueError unless it is above 0."""
    if options.get("timeout") is None:
        return None
    seconds = read_seconds(options, "timeout", 0.0)
    if seconds == 0:
        raise ValueError("expected timeout to be a number of seconds above 0, found 0")
    return seconds


class TimedJob(Job):
    """One attempt at a job whose time is limited, as an executor sees it."""

    __slots__ = ("_on_begin", "is_abandoned", "original", "watch")

    def __init__(self, original: Job, on_begin: Callable[[TimedJob], None]) -> None:
        for name in Job.__slots__:
            if hasattr(original, name):
                setattr(self, name, getattr(original, name))
        self.original = original
        self.watch = 0
        self.is_abandoned = False
        self._on_begin = on_begin

    def begin(self) -> None:
        self._on_begin(self)

    def run(self) -> None:
        self.begin()
        super().run()


class TimeLimits:
    """Watches over the limited jobs of one execution."""

    def __init__(
        self,
        abandon: Callable[[TimedJob], None],
        do_soon: Callable[[Step], None],
        do_later: Callable[[float, Step], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Make limits of no job.

        Args:
            abandon: tells whoever runs a job that nobody waits for it any more.
            do_soon: does a step in the scheduler's thread, from any thread.
            do_later: does a step after so many seconds.
            clock: seconds, from any start.
        """
        self._abandon = abandon
        self._do_soon = do_soon
        self._do_later = do_later
        self._clock = clock
        self._running: dict[int, TimedJob] = {}  # those that have begun, by the number of the attempt
        self._n_begun = 0

    def start(self, job: Job, returned: Callable[[Job], None]) -> TimedJob:
        """Return what to hand to the executor; ``returned`` takes the job when its time is up."""

        def on_begin(timed: TimedJob) -> None:
            began = self._clock()
            self._do_soon(lambda: self._watch(timed, began, returned))

        return TimedJob(job, on_begin)

    def end(self, job: Job) -> bool:
        """Note that a job came back; False when its time was up and it is to be dropped."""
        if isinstance(job, TimedJob):
            self._running.pop(job.watch, None)
            return not job.is_abandoned
        return True

    def _watch(self, timed: TimedJob, began: float, returned: Callable[[Job], None]) -> None:
        limit = timed.facts.timeout_seconds
        assert limit is not None
        self._n_begun += 1
        number = timed.watch = self._n_begun
        self._running[number] = timed

        # The step outlives most jobs by most of their limit, so it does not hold the job.
        def check() -> None:
            running = self._running.pop(number, None)
            if running is not None:
                self._give_up(running, returned)

        self._do_later(max(0.0, began + limit - self._clock()), check)

    def _give_up(self, timed: TimedJob, returned: Callable[[Job], None]) -> None:
        timed.is_abandoned = True
        job, limit = timed.original, timed.facts.timeout_seconds
        assert limit is not None
        cancel = getattr(timed, "cancel", None)
        if cancel is not None:
            with suppress(Exception):  # it has ended this very moment
                cancel()
        self._abandon(timed)
        job.error = TimedOut(job.task.fullname, limit)
        returned(job)
