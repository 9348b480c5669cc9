"""Who writes a journal, and whether that writer is still alive.  Normative page: docs/format/journal.md.

The invariant: a writer that is alive is never declared dead by a process that can see it.  A pid alone proves nothing,
since pids are used again: the kernel's start time of the process decides.  Of a writer that cannot be seen (another
host, another pid namespace) only the journal's age tells.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

import msgpack

from redun.errors import StoreError

Clock = Callable[[], int]
"""Gives microseconds since 1970 UTC."""

UNSEEN_WRITER_TIMEOUT_SECONDS = 3600
_PROC = "/proc"


class BadHeader(StoreError):
    """The first record of a journal is no header."""


class JournalHeader(NamedTuple):
    """Who writes a journal.  A named tuple, because its fields in order are the record."""

    writer: str  # the journal's file name without its suffix
    host: str
    pid: int
    process_start: str  # the kernel's start time of the process; empty where unknown
    pid_namespace: str  # empty where unknown
    created_us: int  # microseconds since 1970 UTC

    def encode(self) -> bytes:
        """Return the payload of the header record."""
        data: bytes = msgpack.packb(list(self))
        return data

    @classmethod
    def decode(cls, payload: bytes) -> JournalHeader:
        """Read a header record's payload.

        Raises:
            BadHeader: it is not an array of the six fields.
        """
        try:
            header = cls(*msgpack.unpackb(payload))
        except (TypeError, ValueError) as error:
            raise BadHeader(f"expected a journal's header, found {payload[:80]!r}: {error}") from None
        if [type(field) for field in header] != [str, str, int, str, str, int]:
            raise BadHeader(f"expected writer, host, pid, process start, pid namespace, created; found {header!r}")
        return header


def now_us() -> int:
    """Return the time by the system's clock, in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def describe_writer(created_us: int, *, token: bytes) -> JournalHeader:
    """Describe this process as a writer.

    Args:
        created_us: microseconds since 1970 UTC.
        token: random bytes that keep two journals of one process and second apart.
    """
    host = socket.gethostname()
    pid = os.getpid()
    started = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(created_us // 1_000_000))
    name = re.sub(r"[^A-Za-z0-9.-]", "_", f"{started}-{host}-{pid}-{token.hex()}")
    return JournalHeader(name, host, pid, _read_process_start(pid), _read_pid_namespace(), created_us)


def is_writer_alive(header: JournalHeader, modified_us: int, now_us: int) -> bool:
    """Tell whether the writer of a journal is alive.

    Args:
        header: what the journal says of its writer.
        modified_us: when the journal was last modified or touched, microseconds since 1970 UTC.
        now_us: the time now, by the same measure.
    """
    if header.host != socket.gethostname() or header.pid_namespace != _read_pid_namespace():
        return now_us - modified_us < UNSEEN_WRITER_TIMEOUT_SECONDS * 1_000_000
    start = _read_process_start(header.pid)
    if start:
        return header.process_start in (start, "")
    return _is_process_there(header.pid)


def _is_process_there(pid: int) -> bool:
    """Ask by the null signal: the only way without /proc, or when /proc hides the processes of other users."""
    if pid <= 0:
        return False  # 0 and below name groups of processes
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    # With /proc at hand, what answers here and shows no start time there is a zombie: it will never write again.
    return not os.path.exists(f"{_PROC}/self/stat")  # noqa: PTH110 - a constant, not a user's path


def _read_process_start(pid: int) -> str:
    """Return field 22 of /proc/PID/stat, empty when there is no such process, when it is a zombie or without /proc."""
    try:
        with open(f"{_PROC}/{pid}/stat", "rb") as stream:  # noqa: PTH123 - hot at start-up
            # The second field is the program's name in parentheses and may hold spaces and parentheses itself.
            fields = stream.read().rpartition(b")")[2].split()
    except OSError:
        return ""
    state = fields[0]
    return "" if state in (b"Z", b"X") else fields[19].decode()


def _read_pid_namespace() -> str:
    try:
        return os.readlink(f"{_PROC}/self/ns/pid")  # noqa: PTH115 - no path of the user's
    except OSError:
        return ""
