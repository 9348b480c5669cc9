"""The runs that go on inside jobs of one run: what must have ended before it may."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from redun.scheduler.errors import SchedulerError

if TYPE_CHECKING:
    from redun.scheduler.run import Run


class Stopped(SchedulerError):
    """A run inside a job did not come to its end, since the run above it has failed."""

    def __init__(self) -> None:
        super().__init__("a sub-run was stopped: the run that it belongs to has failed")


class Extensions:
    """The runs that go on inside jobs of one run.  Any thread may call."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inner: set[Run] = set()
        self._is_stopped = False
        self._is_over = False

    @contextmanager
    def holding(self, run: Run) -> Iterator[None]:
        """Keep the run above from ending before ``run`` has; raises Stopped when it has ended."""
        with self._changed:
            if self._is_over:
                raise Stopped
            self._inner.add(run)
            if self._is_stopped:
                run.stop_soon()
        try:
            yield
        finally:
            with self._changed:
                self._inner.discard(run)
                self._changed.notify_all()

    def stop(self) -> None:
        """Have nothing new start in them: the run above has failed."""
        with self._changed:
            self._is_stopped = True
            for run in self._inner:
                run.stop_soon()

    def end(self, signal_number: int, timeout_seconds: float) -> None:
        """End them all, keep what they have finished, and let none begin; waits for them."""
        with self._changed:
            self._is_over = True
            for run in self._inner:
                run.loop.interrupt(signal_number)
            self._changed.wait_for(lambda: not self._inner, timeout_seconds)
