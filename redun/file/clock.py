"""Bounds of the clock that a file system stamps files with, read from user space.

Linux stamps files from its *coarse* realtime clock, which moves once a tick (1 to 10 ms, more on a busy virtual
machine) and lags behind the precise one; from 6.13 on, from the precise clock when somebody looked at the file since
its last stamp.  So a stamp made now lies between the two clocks, and neither of them bounds it on both sides: of a file
that is rewritten and looked at in turn, 99% of the stamps are later than what the coarse clock reads afterwards.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Gives nanoseconds since 1970 UTC."""

_CLOCK_REALTIME_COARSE = 5  # linux/time.h; Python's time module has no name for it
_LONGEST_TICK_NS = 10_000_000  # 100 Hz, the slowest tick in use


def _read_coarse() -> int:
    return time.clock_gettime_ns(_CLOCK_REALTIME_COARSE)


def _read_lagging() -> int:
    return time.time_ns() - _LONGEST_TICK_NS


stamp_floor_ns: Clock = _read_coarse if sys.platform == "linux" else _read_lagging
"""No file that is written from now on gets an earlier stamp than this moment."""

stamp_ceiling_ns: Clock = time.time_ns
"""No file that was written until now has a later stamp than this moment."""
