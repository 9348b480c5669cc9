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
import select
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

import msgpack

from redun.errors import ExecutorError
from redun.executors.spark.part import MAX_BYTES, Done
from redun.worker.process_main import flush_streams
from redun.worker.running import run_parcel

_LENGTH = struct.Struct(">Q")
_END = b""  # in place of a reply: the request is done with
_SWEEPS = 5
_POLL_MS = 200
_READ_BYTES = 1 << 20
CLOSE_SECONDS = 2.0
DEATH_SECONDS = 1.0
"""How long a process whose pipe is closed may take to end: the kernel closes pipes a moment before."""


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
        self._replies = replies_in
        self._code: int | None = None  # how it ended

    def ask(self, request: Request, take: Callable[[Done], None]) -> None:
        """Have calls run; ``take`` gets what came of each, until all are done or the time is up.

        Raises:
            ChildDied: in the call after the last one taken.
        """
        if self._has_ended():
            raise ChildDied(self._epitaph())
        with suppress(BrokenPipeError):
            _write(self._requests, msgpack.packb(request))
        for reply in self._iter_replies():
            if reply == _END:
                return
            take(Done(*msgpack.unpackb(reply, max_bin_len=MAX_BYTES)))
        raise ChildDied(self._epitaph())

    def close(self) -> None:
        """End it, and all that it started."""
        os.close(self._lifeline)
        with suppress(OSError):
            self._requests.close()
        os.close(self._replies)
        self._bury(CLOSE_SECONDS)

    def _iter_replies(self) -> Iterator[bytes]:
        """Yield messages until the child has ended, though what it forked may hold its pipe open."""
        poll = select.poll()
        poll.register(self._replies, select.POLLIN)
        buffer = bytearray()
        while True:
            if poll.poll(_POLL_MS):
                data = os.read(self._replies, _READ_BYTES)
                if not data:
                    return
                buffer += data
                while (message := _cut(buffer)) is not None:
                    yield message
            elif self._has_ended():
                return

    def _has_ended(self) -> bool:
        if self._code is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code is not None

    def _bury(self, seconds: float) -> bool:
        """Wait for its end, then end it, and what it left in its group; tell whether it had to be ended."""
        deadline = time.monotonic() + seconds
        while not self._has_ended() and time.monotonic() < deadline:
            time.sleep(_POLL_MS / 10_000)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)
        if self._code is not None:
            return False
        self._code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return True

    def _epitaph(self) -> str:
        if self._bury(DEATH_SECONDS):
            return "the process that ran it closed its connection to the worker"
        code = self._code
        assert code is not None
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
    from redun.store.blobs import Blobs
    from redun.store.location import open_storage

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
    flush_streams()
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


def _cut(buffer: bytearray) -> bytes | None:
    """Take the first message out of a buffer; None while it is not all there."""
    if len(buffer) < _LENGTH.size:
        return None
    end = _LENGTH.size + _LENGTH.unpack_from(buffer)[0]
    if len(buffer) < end:
        return None
    message = bytes(memoryview(buffer)[_LENGTH.size : end])
    del buffer[:end]
    return message


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
