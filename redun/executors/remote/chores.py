"""What is to be asked of a cluster: one thing at a time, and again when it fails for a reason that may pass.

While one chore waits to be tried again the others wait behind it: a cluster that throttles one request throttles the
next.  No clock, no thread: whoever owns the queue says what time it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

PAUSE_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 60.0)
"""Before each further attempt: three minutes in all.  Throttling passes within seconds; a network that is gone for
longer will not be waited for, since nobody could tell that from a run that hangs."""


class Patience:
    """Counts failures in a row, and says how long to wait after each."""

    def __init__(self, pauses: Sequence[float] = PAUSE_SECONDS) -> None:
        self._pauses = pauses
        self._n_failures = 0

    def fail(self) -> float | None:
        """Note a failure; return the seconds to wait, None when it has been tried often enough."""
        self._n_failures += 1
        return self._pauses[self._n_failures - 1] if self._n_failures <= len(self._pauses) else None

    def succeed(self) -> None:
        """Note that it worked."""
        self._n_failures = 0


@dataclass(slots=True)
class _Chore:
    step: Callable[[], None]
    give_up: Callable[[Exception], None]
    patience: Patience


class Chores:
    """A queue of chores."""

    def __init__(self, pauses: Sequence[float] = PAUSE_SECONDS) -> None:
        self._pauses = pauses
        self._chores: deque[_Chore] = deque()
        self._not_before = 0.0

    def add(self, step: Callable[[], None], give_up: Callable[[Exception], None]) -> None:
        """Queue a chore; ``give_up`` takes the error that repeating does not mend, or did not."""
        self._chores.append(_Chore(step, give_up, Patience(self._pauses)))

    def next_due(self) -> float | None:
        """Return when there is something to do; None when there is nothing."""
        return self._not_before if self._chores else None

    def do_one(self, now: float) -> bool:
        """Do the first chore if its time has come; return whether one was tried."""
        if not self._chores or now < self._not_before:
            return False
        chore = self._chores[0]
        pause: float | None = None
        failure: Exception | None = None
        try:
            chore.step()
        except OSError as error:
            pause, failure = chore.patience.fail(), error
        except Exception as error:  # a client library may raise anything, and no run may hang of it
            failure = error
        if pause is not None:
            self._not_before = now + pause
            return True
        self._chores.popleft()
        if failure is not None:
            chore.give_up(failure)
        return True
