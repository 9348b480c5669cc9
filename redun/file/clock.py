"""The clock that a file system stamps files with, read from user space.

Linux stamps files from its *coarse* realtime clock, which moves once a tick (1 to 10 ms) and lags behind the precise
one.  A moment read from the precise clock therefore lies after the stamp of a file that is written later, and every
comparison of the two is wrong by up to a tick.  So moments that are compared with stamps are read here.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Gives nanoseconds since 1970 UTC, comparable with the stamps of files."""

_CLOCK_REALTIME_COARSE = 5  # linux/time.h; Python's time module has no name for it
_FALLBACK_LAG_NS = 10_000_000  # the longest tick in use (100 Hz)


def _read_lagging() -> int:
    return time.time_ns() - _FALLBACK_LAG_NS


def _read_coarse() -> int:
    return time.clock_gettime_ns(_CLOCK_REALTIME_COARSE)


def _choose() -> tuple[Clock, int]:
    if sys.platform == "linux":
        try:
            return _read_coarse, round(time.clock_getres(_CLOCK_REALTIME_COARSE) * 1e9)
        except OSError:
            pass
    return _read_lagging, _FALLBACK_LAG_NS


stamp_now_ns, TICK_NS = _choose()
"""A file that is written after ``stamp_now_ns`` returned is stamped with that moment or a later one, and with at most
``TICK_NS`` more than what it returns when the write is over (Linux 6.13 and later stamps with the precise clock when
somebody looked at the file between two writes)."""
