"""Removes from a scratch what nobody needs any more.

Only what belongs to calls that succeeded, and whose results their run has recorded; or, where a team agreed on a time,
whatever is older.  Contents and code packages are shared between calls and runs, so only their age tells.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from queue import SimpleQueue

from redun.errors import RedunError
from redun.executors.remote.errands import Errand
from redun.executors.remote.scratch import DAY_US, Scratch
from redun.executors.thread import ThreadExecutor

THREADS = 16


def remove_done(scratch: Scratch, done: Collection[str], arrays: Mapping[str, Collection[str]]) -> None:
    """Remove calls by their keys, and arrays (keys by id) all of whose calls are among them; return when that is done.

    What cannot be removed stays: it is in nobody's way.
    """
    steps: list[Callable[[], None]] = [partial(scratch.remove_call, key) for key in done]
    whole = [array_id for array_id, keys in arrays.items() if set(done).issuperset(keys)]
    steps.extend(partial(scratch.remove_array, array_id) for array_id in whole)
    ended: SimpleQueue[object] = SimpleQueue()
    pool = ThreadExecutor("scratch", max_workers=THREADS)
    pool.start(ended.put, lambda: None)
    for step in steps:
        pool.submit(Errand(step, lambda _nothing: None, lambda _error: None))
    for _ in steps:
        ended.get()
    pool.stop()


def sweep(scratch: Scratch, days: float) -> None:
    """Remove what is older than some days, as far as that can be done; nothing for 0 days."""
    if not days:
        return
    with suppress(OSError, RedunError):
        scratch.sweep(time.time_ns() // 1000, int(days * DAY_US))
