"""What a remote executor does beside its monitor: packing calls, writing and reading the scratch.

An errand runs in some thread of a small pool and changes nothing that the monitor knows; what comes of it is taken by
the monitor's own thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Errand(Generic[T]):
    """A step to be done elsewhere, and what to do with what comes of it.  It is a piece of work for a pool."""

    __slots__ = ("_error", "_fail", "_step", "_then", "_value")

    def __init__(self, step: Callable[[], T], then: Callable[[T], None], fail: Callable[[Exception], None]) -> None:
        """``then`` takes the value, ``fail`` the error: one of them, in the thread that calls the errand."""
        self._step = step
        self._then = then
        self._fail = fail
        self._value: Any = None
        self._error: Exception | None = None

    def run(self) -> None:
        """Do the step.  Never raises."""
        try:
            self._value = self._step()
        except Exception as error:
            self._error = error

    def __call__(self) -> None:
        """Hand on what came of it."""
        if self._error is not None:
            self._fail(self._error)
        else:
            self._then(self._value)
