"""A process, forked off a Spark worker, in which calls run one after another.

Theory of operation.  A Spark worker is killed without a word when its Spark job is cancelled, and what its tasks
started would live on.  So the child holds the end of a pipe whose other end only the worker has: a thread of the child
waits there, and when the worker is gone it kills all that the child has started, and the child.  The child lives as
long as its worker, so modules are imported once.  It is forked from a worker that has imported redun and nothing of
the project.

Requests and replies are length-prefixed msgpack.  A reply is written as soon as its call has run: when the child dies,
the call that killed it is the first one without a reply.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

import msgpack

from redun.errors import ExecutorError
from redun.executors.spark.part import MAX_BYTES, Done
from redun.worker.running import run_parcel

_LENGTH = struct.Struct(">Q")
_END = b""  # in place of a reply: the request is done with
_SWEEPS = 5


class ChildDied(ExecutorError):
    """The process that ran a call ended; the message says by which signal or exit code."""


class Request(NamedTuple):
    """Calls to be run."""

    folder: str | None  # the working directory; None: as it is
    scratch: str | None  # where contents of 1 MiB and more lie; None: in the parcels
    seconds: float  # no call begins later than this, but for the first
    calls: list[tuple[int, bytes]]  # number and parcel


class Child:
    """The process, seen from the worker."""

    def __init__(self, run: str) -> None:
        """Fork it off.  ``run``: which run it is for."""
        self.run = run
        requests_in, requests_out = os.pipe()
        replies_in, replies_out = os.pipe()
        lifeline_in, self._lifeline = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            for descriptor in (requests_out, replies_in, self._lifeline):
                os.close(descriptor)
            _live(requests_in, replies_out, lifeline_in)
        for descriptor in (requests_in, replies_out, lifeline_in):
            os.close(descriptor)
        self._requests = os.fdopen(requests_out, "wb")
        self._replies = os.fdopen(replies_in, "rb")

    def ask(self, request: Request, take: Callable[[Done], None]) -> None:
        """Have calls run; ``take`` gets what came of each, until all are done or the time is up.

        Raises:
            ChildDied: in the call after the last one taken.
        """
        try:
            _write(self._requests, msgpack.packb(request))
            while reply := _read(self._replies):
                take(Done(*msgpack.unpackb(reply, max_bin_len=MAX_BYTES)))
        except (EOFError, BrokenPipeError):
            raise ChildDied(self._epitaph()) from None

    def close(self) -> None:
        """End it, and all that it started."""
        os.close(self._lifeline)
        for stream in (self._requests, self._replies):
            with suppress(OSError):
                stream.close()
        if self._pid:
            self._wait()

    def _wait(self) -> int:
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        return os.waitstatus_to_exitcode(status)

    def _epitaph(self) -> str:
        code = self._wait()
        if code >= 0:
            return f"the process that ran it ended with exit code {code}"
        name = signal.Signals(-code).name
        guess = ", as the kernel does when memory runs out" if name == "SIGKILL" else ""
        return f"the process that ran it was killed by {name}{guess}"


def _live(requests: int, replies: int, lifeline: int) -> NoReturn:
    """Run calls until there are no more requests.  Never comes back: what stands above belongs to the worker."""
    code = 1
    try:
        os.setsid()  # Ctrl-C is for the scheduler
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        threading.Thread(target=_watch, args=(lifeline,), name="redun-lifeline", daemon=True).start()
        with os.fdopen(requests, "rb") as source, os.fdopen(replies, "wb") as target:
            while True:
                _serve(Request(*msgpack.unpackb(_read(source), max_bin_len=MAX_BYTES)), target)
    except (EOFError, BrokenPipeError):
        code = 0
    finally:
        kill_descendants(os.getpid())
        os._exit(code)


def _serve(request: Request, target: BinaryIO) -> None:
    from redun.remotes.location import open_storage
    from redun.store.blobs import Blobs

    if request.folder is not None:
        os.chdir(request.folder)
        if request.folder not in sys.path:
            sys.path.insert(0, request.folder)
    contents = None if request.scratch is None else Blobs(open_storage(request.scratch))
    begun = last = time.monotonic()
    for number, parcel in request.calls:
        if last - begun > request.seconds and last != begun:
            break
        outcome = run_parcel(parcel, contents)
        now = time.monotonic()
        _write(target, msgpack.packb(Done(number, now - last, outcome)))
        last = now
    _write(target, _END)


def _watch(lifeline: int) -> None:
    """Wait until the worker is gone, then end this process and all that it started."""
    while os.read(lifeline, 1):
        continue
    kill_descendants(os.getpid())
    os._exit(1)


def kill_descendants(pid: int) -> None:
    """Kill all that a process has started, whatever group it went to; again while there is something left."""
    for _ in range(_SWEEPS):
        found = _descendants(pid)
        if not found:
            return
        for one in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(one, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            state, parent = entry.read_text(encoding="latin-1").rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(entry.parent.name))
    found, heads = [], [pid]
    while heads:
        below = children.get(heads.pop(), [])
        found += below
        heads += below
    return found


def _write(stream: BinaryIO, data: bytes) -> None:
    stream.write(_LENGTH.pack(len(data)) + data if len(data) < 1 << 16 else _LENGTH.pack(len(data)))
    if len(data) >= 1 << 16:
        stream.write(data)
    stream.flush()


def _read(stream: BinaryIO) -> bytes:
    """Return the next message.  Raises EOFError when the other side is gone."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (size,) = _LENGTH.unpack(head)
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data
