"""Work in a forked child that is killed (SIGKILL) at a chosen moment, counted in calls and not in seconds.

The interpreter tells of each call and return, of Python's own functions and of built-in ones, so a kill can fall
between any two system calls, and the same number falls on the same moment again however busy the machine is.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress

_FAILED = 70


class ChildFailed(Exception):
    """The work raised an exception, which the child has shown on its standard error."""


def count_moments(work: Callable[[], object]) -> int:
    """Do the work in a child, to its end, and return how many moments it has at which it could be killed.

    Raises:
        ChildFailed: the work raised an exception.
    """
    read_end, write_end = os.pipe()

    def counted() -> None:
        moments = _Moments(None)
        moments.watch()
        work()
        moments.leave()
        os.write(write_end, str(moments.count).encode())

    is_killed = _in_child(counted)
    os.close(write_end)
    text = os.read(read_end, 64)
    os.close(read_end)
    if is_killed:
        raise ChildFailed("killed, and nobody was asked to")
    return int(text)


def do_and_die(work: Callable[[], object], moment: int) -> bool:
    """Do the work in a child that is killed at a moment; return whether it was, False when it had ended before.

    Raises:
        ChildFailed: the work raised an exception.
    """

    def doomed() -> None:
        moments = _Moments(moment)
        moments.watch()
        work()
        moments.leave()

    return _in_child(doomed)


class _Moments:
    """Counts calls and returns in all threads, and kills the process at one of them."""

    def __init__(self, last: int | None) -> None:
        self.count = 0
        self._last = last

    def watch(self) -> None:
        """Begin; threads that were started before are not seen."""
        threading.setprofile(self._note)
        sys.setprofile(self._note)

    def leave(self) -> None:
        """End."""
        sys.setprofile(None)
        threading.setprofile(None)

    def _note(self, _frame: object, _event: str, _argument: object) -> None:
        self.count += 1
        if self._last is not None and self.count >= self._last:
            os.kill(os.getpid(), signal.SIGKILL)


def _in_child(work: Callable[[], object]) -> bool:
    """Do the work in a forked child; return whether it was killed."""
    child = os.fork()
    if not child:
        code = _FAILED
        with suppress(BaseException):
            try:
                work()
                code = 0
            except BaseException:
                traceback.print_exc()
        os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, -signal.SIGKILL):
        raise ChildFailed(f"exit code {code}; its standard error says why")
    return code != 0
