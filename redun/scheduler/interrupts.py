"""Ctrl-C and SIGTERM during a run: the first asks the scheduler to end in order, the second acts as ever."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def on_interrupt(act: Callable[[int], None]) -> Iterator[None]:
    """Call ``act(signal number)`` on the first signal while the body runs.

    Handlers that the program has set itself stay in force.  Outside the main thread nothing is done: Python delivers
    signals to the main thread only.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = {number: signal.getsignal(number) for number in _SIGNALS}
    ours = [number for number in _SIGNALS if earlier[number] in (signal.default_int_handler, signal.SIG_DFL)]

    def handle(number: int, _frame: FrameType | None) -> None:
        # From here on the signal means what it meant before: a second Ctrl-C leaves at once.
        for restored in ours:
            signal.signal(restored, earlier[restored])
        act(number)

    for number in ours:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, earlier[number])
