"""Ctrl-C and SIGTERM during a run: the first asks the scheduler to end in order, the second acts as ever.

A second one within a second of the first is the same keystroke bouncing, or a process group told twice: it is ignored.
Otherwise it would take what the first was about to save.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
BOUNCE_SECONDS = 1.0


@contextmanager
def on_interrupt(act: Callable[[int], None], clock: Callable[[], float] = monotonic) -> Iterator[None]:
    """Call ``act(signal number)`` on the first signal while the body runs; ``clock`` gives seconds.

    Handlers that the program has set itself stay in force.  Outside the main thread nothing is done: Python delivers
    signals to the main thread only.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = {number: signal.getsignal(number) for number in _SIGNALS}
    ours = [number for number in _SIGNALS if earlier[number] in (signal.default_int_handler, signal.SIG_DFL)]

    first_at: list[float] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        if not first_at:
            first_at.append(clock())
            act(number)
        elif clock() - first_at[0] >= BOUNCE_SECONDS:
            for restored in ours:
                signal.signal(restored, earlier[restored])
            signal.raise_signal(number)

    for number in ours:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, earlier[number])
