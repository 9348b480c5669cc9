"""The cyclic collector of a command's process, told to look less often.

Commands hold many small objects in no cycles: records, rows, the modules they import.  Looking at them again and again
takes a tenth of a cold run's time, and a fifth of what it takes to import the client of a bucket.

The invariant: a program that calls commands as functions has its own collector back when one returns.  What was frozen
is never looked at, so files that hang on cycles would stay open in it for ever.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_kept() -> Iterator[None]:
    """Undo at the end what ``tune_collector`` does meanwhile."""
    thresholds, was_frozen = gc.get_threshold(), gc.get_freeze_count() > 0
    try:
        yield
    finally:
        if not was_frozen:  # else what the program itself has frozen would thaw
            gc.unfreeze()
        gc.set_threshold(*thresholds)


def tune_collector() -> None:
    """Let the collector look less often, and never at what has been loaded so far."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
