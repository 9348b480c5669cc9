"""The thread of a monitor: an inbox, a pool for errands, chores, and steps for later.

Whatever it is given is done in its one thread, but for errands, whose ends come back through the inbox.  It knows
nothing of jobs; ``Monitor`` does, and is called once in every turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from heapq import heappop, heappush
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Protocol, TypeVar

from redun.executors.remote.chores import Chores
from redun.executors.remote.errands import Errand
from redun.executors.thread import ThreadExecutor

T = TypeVar("T")
Step = Callable[[], None]

IO_THREADS = 16


class Turning(Protocol):
    """Who is called in the thread."""

    def prepare(self) -> None:
        """Called first."""

    def turn(self, now: float) -> None:
        """Do what is due."""

    def iter_dues(self) -> Iterable[float | None]:
        """Return when something will be due; None for never."""

    def take_mistake(self, error: Exception) -> None:
        """Take an error that nobody thought of."""

    def close(self) -> None:
        """Called last."""


class Turns:
    """The thread."""

    def __init__(self, name: str, pauses: Iterable[float], thread_setup: Step) -> None:
        self.chores = Chores(tuple(pauses))
        self.is_ending = False
        self._name = name
        self._thread_setup = thread_setup
        self._inbox: SimpleQueue[Step] = SimpleQueue()
        self._pool = ThreadExecutor(f"{name}-io", max_workers=IO_THREADS)
        self._pool.start(self._inbox.put, thread_setup)  # type: ignore[arg-type]  # an errand that is done is a step
        self._thread: threading.Thread | None = None
        self._later: list[tuple[float, int, Step]] = []
        self._n_later = 0

    def start(self, who: Turning) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._serve, args=(who,), name=f"redun-{self._name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the thread end; from any thread."""
        self.is_ending = True
        self._inbox.put(lambda: None)

    def join(self, seconds: float) -> None:
        """Wait until the thread has ended; from any other thread."""
        if self._thread is not None:
            self._thread.join(seconds)

    def do_soon(self, step: Step) -> None:
        """Do a step in the thread; from any thread."""
        self._inbox.put(step)

    def do_later(self, seconds: float, step: Step) -> None:
        """Do a step once some time has passed; from the thread itself."""
        self._n_later += 1
        heappush(self._later, (monotonic() + seconds, self._n_later, step))

    def ask(self, step: Callable[[], T], then: Callable[[T], None], fail: Callable[[Exception], None]) -> None:
        """Do a step in the pool, and then one of the others in the thread; from the thread itself."""
        self._pool.submit(Errand(step, then, fail))

    def _serve(self, who: Turning) -> None:
        self._thread_setup()
        who.prepare()
        while not self.is_ending:
            try:
                self._turn(who)
            except Exception as error:  # no run hangs of a mistake of ours, and the next job may do better
                who.take_mistake(error)
        with suppress(Exception):
            self._take_inbox(0.0)
        self._pool.stop()
        with suppress(Exception):
            who.close()

    def _turn(self, who: Turning) -> None:
        self._take_inbox(self._seconds_to_wait(who))
        now = monotonic()
        while self._later and self._later[0][0] <= now:
            heappop(self._later)[2]()
        who.turn(now)
        self.chores.do_one(monotonic())

    def _take_inbox(self, seconds: float | None) -> None:
        with suppress(Empty):
            step = self._inbox.get(timeout=seconds) if seconds is None or seconds > 0 else self._inbox.get_nowait()
            step()
            for _ in range(self._inbox.qsize()):
                self._inbox.get_nowait()()

    def _seconds_to_wait(self, who: Turning) -> float | None:
        dues = [*who.iter_dues(), self.chores.next_due(), self._later[0][0] if self._later else None]
        known = [due for due in dues if due is not None]
        return max(0.0, min(known) - monotonic()) if known else None
