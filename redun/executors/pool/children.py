"""Processes that this one has started: how they are told to end, how they ended, and what they must not inherit.

A worker leads a process group of its own, so that what it started (a shell, say) can be ended with it.
"""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress

_kept: set[socket.socket] = set()
"""Ends of connections that stay with this process.  A worker ends when nobody holds the other end of its connection any
more; a child that was forked with a copy would keep it alive after the scheduler is gone."""


def keep_from_children(end: socket.socket) -> None:
    """Close an end of a connection in every process that is forked from this one from now on."""
    _kept.add(end)


def close_end(end: socket.socket) -> None:
    """Close an end that was kept from children.  Idempotent."""
    _kept.discard(end)
    end.close()


def _close_kept() -> None:
    for end in _kept:
        with suppress(OSError):
            end.close()
    _kept.clear()


os.register_at_fork(after_in_child=_close_kept)


def signal_group(process_id: int, number: signal.Signals) -> None:
    """Send a signal to a worker and to all that it started; nothing happens when none of it is there."""
    try:
        os.killpg(process_id, number)
    except ProcessLookupError:
        with suppress(ProcessLookupError):  # it has not made its group yet
            os.kill(process_id, number)
    except PermissionError:
        return  # macOS says so of a group whose processes have all ended


def reap(process_id: int) -> int | None:
    """Return the exit code of a child that has ended, negative for a signal; None of one that still runs.

    What a child that ended badly has left running ends with it.
    """
    found, status = os.waitpid(process_id, os.WNOHANG)
    if not found:
        return None
    code = os.waitstatus_to_exitcode(status)
    if code:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process_id, signal.SIGKILL)
    return code
