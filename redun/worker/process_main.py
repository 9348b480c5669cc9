"""A worker process of a pool on this machine: takes parcels from a connection, runs them one by one, answers.

What is said is in ``redun.executors.pool.frames``.  The main thread runs the work, so that a task may do what only a
main thread can.  Another one listens: it takes back what has not begun, and ends the process with all that it started
when the connection breaks, since then the scheduler is gone, however it went.

Signals: Ctrl-C is the scheduler's affair and does nothing here.  SIGTERM ends the running task by ``SystemExit``, so
that what it has open is closed, and then the process, by the same signal.
"""

from __future__ import annotations

import atexit
import faulthandler
import os
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from redun.executors.pool.frames import Frame, FrameKind, FrameReader, WorkerSetup, encode_frame, encode_numbers

if TYPE_CHECKING:
    from redun.file.statcache import StatCache
    from redun.store.blobs import Blobs

LEAVE_SECONDS = 5.0
"""How long a worker that was told to end may take for it when the scheduler has gone meanwhile."""
_LARGE_BYTES = 1 << 16

Runner = Callable[[bytes, "Blobs | None"], bytes]


def main(descriptor: int) -> NoReturn:
    """Be a worker in an interpreter of its own; ``descriptor`` is its end of the connection."""
    serve(descriptor)
    _leave()


def serve_in_fork(descriptor: int) -> NoReturn:
    """Be a worker in a copy of another process, of whose threads and duties nothing is left."""
    code = 1
    try:
        atexit._clear()
        signal.set_wakeup_fd(-1)
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        serve(descriptor)
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        _leave(code)


def serve(descriptor: int) -> None:
    """Work until the pool says that it is enough."""
    with suppress(OSError):
        os.setpgid(0, 0)
    connection = socket.socket(fileno=descriptor)
    os.set_inheritable(descriptor, False)
    # A crash is told as what stands in the connection behind the last frame; the pool shows it with the failed job.
    faulthandler.enable(descriptor, all_threads=False)
    _Worker(connection).work()


def flush_streams() -> None:
    """Hand on what was printed: of a process that is killed nothing would be left."""
    with suppress(AttributeError, OSError, ValueError):
        sys.stdout.flush()


def _leave(code: int = 0) -> NoReturn:
    """End the process without waiting for threads that a task has left behind."""
    with suppress(Exception):
        atexit._run_exitfuncs()
    flush_streams()
    os._exit(code)


class _Inbox:
    """What was given and has not begun."""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()
        self._has_ended = False
        self._changed = threading.Condition(threading.Lock())

    def put(self, frame: Frame) -> None:
        with self._changed:
            self._frames.append(frame)
            self._changed.notify()

    def end(self) -> None:
        """Say that nothing more will come."""
        with self._changed:
            self._has_ended = True
            self._changed.notify()

    @property
    def has_ended(self) -> bool:
        return self._has_ended

    def take_now(self) -> Frame | None:
        """Return the next one if it is there."""
        with self._changed:
            return self._frames.popleft() if self._frames else None

    def take(self) -> Frame | None:
        """Wait for the next one; None when there will be none."""
        with self._changed:
            while not self._frames and not self._has_ended:
                self._changed.wait()
            return self._frames.popleft() if self._frames else None

    def give_back(self, at_most: int) -> list[int]:
        """Take back what was given last; return the numbers, the last one first."""
        with self._changed:
            return [self._frames.pop().number for _ in range(min(at_most, len(self._frames)))]


class _Worker:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._inbox = _Inbox()
        self._sending = threading.Lock()
        self._is_doomed = False
        self._unsent = b""  # an answer that goes with what is said next

    def work(self) -> None:
        """Be told what to do, do it, end."""
        signal.signal(signal.SIGINT, _ignore)
        signal.signal(signal.SIGTERM, self._on_terminate)
        os.register_at_fork(before=_hold_sigterm, after_in_parent=_release_sigterm, after_in_child=_forget_handler)
        threading.Thread(target=self._listen, name="redun-listen", daemon=True).start()
        try:
            setup = self._inbox.take()
            if setup is not None:
                tools = _prepare(WorkerSetup.decode(setup.body))
                self._say(encode_frame(FrameKind.READY, os.getpid()))
                while (frame := self._next()) is not None:
                    self._say(encode_frame(FrameKind.BEGUN, frame.number))
                    self._run(frame, tools)
        except BrokenPipeError:
            self._end_orphaned()
        except BaseException:
            if not self._is_doomed:
                raise
        if self._is_doomed:
            self._die()

    def _next(self) -> Frame | None:
        frame = self._inbox.take_now()
        if frame is None:
            self._say(b"")  # before a wait
            frame = self._inbox.take()
        return frame

    def _run(self, frame: Frame, tools: _Tools) -> None:
        try:
            kind, body = FrameKind.OUTCOME, tools.runner(frame.body, tools.contents)
        except BaseException as error:
            kind, body = FrameKind.BROKEN, f"{type(error).__name__}: {error}".encode(errors="replace")
        if self._is_doomed:
            self._die()
        flush_streams()
        hashed = tools.known_files.take_fresh()
        if hashed:
            self._say(encode_frame(FrameKind.HASHED, body=hashed))
        if tools.contents is not None:
            tools.contents.unsynced.clear()  # the scheduler sees to it: its seal is what must come after them
        self._unsent = encode_frame(kind, frame.number, body)

    def _say(self, message: bytes) -> None:
        """Send a message behind what has not been sent; one call of the system for each job is enough."""
        unsent, self._unsent = self._unsent, b""
        with self._sending:
            if len(unsent) > _LARGE_BYTES:
                self._connection.sendall(unsent)
                unsent = b""
            if unsent or message:
                self._connection.sendall(unsent + message)

    # -- the other thread

    def _listen(self) -> None:
        reader = FrameReader(self._connection)
        with suppress(OSError):
            while (frames := reader.read()) is not None:
                for frame in frames:
                    self._take(frame)
        self._end_orphaned()

    def _take(self, frame: Frame) -> None:
        if frame.kind == FrameKind.END:
            self._inbox.end()
        elif frame.kind == FrameKind.RECALL:
            numbers = encode_numbers(self._inbox.give_back(frame.number))
            with self._sending:
                self._connection.sendall(encode_frame(FrameKind.RETURNED, body=numbers))
        else:
            self._inbox.put(frame)

    def _end_orphaned(self) -> NoReturn:
        """End this process and all that it started: nobody waits for what comes of it."""
        if self._inbox.has_ended:
            time.sleep(LEAVE_SECONDS)  # the main thread is on its way out
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    # -- signals

    def _on_terminate(self, _number: int, _frame: FrameType | None) -> None:
        if not self._is_doomed:
            self._is_doomed = True
            raise SystemExit("the worker was told to end")

    def _die(self) -> NoReturn:
        """End by the signal that came, so that whoever looks sees what it was."""
        flush_streams()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
        os._exit(1)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing.  A handler, as programs that a task starts would inherit that a signal is ignored."""


def _hold_sigterm() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _release_sigterm() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _forget_handler() -> None:
    """Let SIGTERM end a process that a task has forked, as ever.

    It is held while Python forks: the child would lose one that comes before its interpreter is in order.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _release_sigterm()


class _Tools(NamedTuple):
    """What a worker works with."""

    runner: Runner
    contents: Blobs | None  # large ones
    known_files: StatCache


def _prepare(setup: WorkerSetup) -> _Tools:
    adopt(setup)
    from redun.file.statcache import StatCache, use_stat_cache

    # Anew, also in a fork: there another thread may have held the lock of the old one.
    known_files = StatCache(None if setup.stat_cache is None else Path(setup.stat_cache))
    use_stat_cache(known_files)
    contents = None if setup.contents is None else _open_contents(setup.contents)
    return _Tools(find_runner(setup), contents, known_files)


def find_runner(setup: WorkerSetup) -> Runner:
    """Import what runs parcels."""
    module, _, name = setup.runner.rpartition(".")
    runner: Runner = getattr(import_module(module), name)
    return runner


def adopt(setup: WorkerSetup) -> None:
    """Look for modules where the scheduler does."""
    sys.path[:] = setup.import_paths
    sys.argv[:] = setup.arguments


def _open_contents(path: str) -> Blobs:
    from redun.store.blobs import Blobs
    from redun.store.local_storage import LocalStorage

    return Blobs(LocalStorage(Path(path)))
