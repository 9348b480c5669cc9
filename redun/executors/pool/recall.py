"""A request to give work back, made in one thread and answered in another."""

from __future__ import annotations

import threading


class Recall:
    """A ``cancel_waiting`` that waits for workers to give back what they have not begun.

    Whoever asks does not wait for ever; what is given back later is not counted, and must be run.
    """

    def __init__(self) -> None:
        self._members: set[int] = set()
        self._n_dropped = 0
        self._is_over = False
        self._lock = threading.Lock()
        self._done = threading.Event()

    def begin(self, n_dropped: int, members: set[int]) -> None:
        """Note what was dropped at once, and which workers were asked."""
        self._n_dropped, self._members = n_dropped, members
        if not members:
            self._done.set()

    def take(self, member: int, n_returned: int, *, is_all: bool) -> bool:
        """Count what a worker gives back as dropped; False when it was not asked, or nobody counts any more.

        ``is_all``: whether it has nothing left to give; else this answers an earlier request, and more will come.
        """
        with self._lock:
            if self._is_over or member not in self._members:
                return False
            self._n_dropped += n_returned
            if is_all:
                self.forget(member)
            return True

    def forget(self, member: int) -> None:
        """Wait for one worker less."""
        self._members.discard(member)
        if not self._members:
            self._done.set()

    def wait(self, seconds: float) -> int:
        """Return how many pieces of work were dropped within some time."""
        self._done.wait(seconds)
        with self._lock:
            self._is_over = True
            return self._n_dropped
