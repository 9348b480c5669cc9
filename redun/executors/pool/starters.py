"""How worker processes come to be: ``forkserver``, ``fork`` and ``spawn``.

``multiprocessing`` has all three; they are made here anew because its children import the main module of their parent
(a script without a guard would run itself again in each), and because a pool needs exit codes, process groups, and
connections that no other child holds.

| method | start | what a worker has in memory |
| --- | --- | --- |
| forkserver | about 5 ms after the first, which takes 0.2 s | redun, nothing of the workflow |
| spawn | about 0.2 s | nothing |
| fork | about 5 ms | all that the scheduler has; other threads may hold locks at that moment |
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import warnings
from abc import ABC, abstractmethod
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from redun.executors.pool.children import close_end, keep_from_children, reap
from redun.executors.pool.frames import ENDED, REQUEST, WorkerSetup

_ROOT = str(Path(__file__).parents[3])
_MAIN = "redun.worker.process_main"  # by name: it stands above the executors
_SERVER = "redun.worker.fork_server"


class Starter(ABC):
    """Starts workers and notices how they end."""

    @abstractmethod
    def start(self, number: int, end: socket.socket) -> None:
        """Start a worker that serves ``end``; the caller closes its own copy of that.  Raises OSError."""

    @abstractmethod
    def poll(self) -> list[tuple[int, int]]:
        """Return those that have ended since the last time: number, and exit code, negative for a signal."""

    @property
    def news(self) -> socket.socket | None:
        """What can be read from when ``poll`` has something to tell; None: ask now and then."""
        return None

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Let go of what started them.  Workers go on."""


class SpawnStarter(Starter):
    """A new interpreter for each."""

    def __init__(self) -> None:
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, number: int, end: socket.socket) -> None:
        self._processes[number] = _run_python(_MAIN, "main", end)

    def poll(self) -> list[tuple[int, int]]:
        ended = []
        for number, process in list(self._processes.items()):
            code = reap(process.pid)
            if code is not None:
                process.returncode = code
                del self._processes[number]
                ended.append((number, code))
        return ended


class ForkStarter(Starter):
    """Copies of this process."""

    def __init__(self) -> None:
        self._process_ids: dict[int, int] = {}

    def start(self, number: int, end: socket.socket) -> None:
        main: Any = import_module(_MAIN)
        main.flush_streams()  # or what waits there is written twice
        with warnings.catch_warnings():
            # Python 3.12 warns of forking with threads: whoever asked for ``fork`` was told by the guide.
            warnings.simplefilter("ignore", DeprecationWarning)
            process_id = os.fork()
        if process_id == 0:
            main.serve_in_fork(end.detach())
        self._process_ids[number] = process_id

    def poll(self) -> list[tuple[int, int]]:
        found = [(number, reap(process_id)) for number, process_id in self._process_ids.items()]
        ended = [(number, code) for number, code in found if code is not None]
        for number, _ in ended:
            del self._process_ids[number]
        return ended


class ForkServerStarter(Starter):
    """Copies of a process that does nothing else, and has imported redun."""

    def __init__(self, setup: WorkerSetup) -> None:
        self._setup = setup
        self._server: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""

    def start(self, number: int, end: socket.socket) -> None:
        if self._server is None:
            self._server = self._start_server()
        try:
            socket.send_fds(self._server, [REQUEST.pack(number)], [end.fileno()])
        except OSError:
            self.close()  # it was killed: the next one finds a new server
            raise

    def poll(self) -> list[tuple[int, int]]:
        if self._server is None:
            return []
        try:
            while data := self._server.recv(1 << 16, socket.MSG_DONTWAIT):
                self._unread += data
            self.close()
        except BlockingIOError:
            pass
        except OSError:
            self.close()
        whole = len(self._unread) // ENDED.size * ENDED.size
        ended = list(ENDED.iter_unpack(self._unread[:whole]))
        self._unread = self._unread[whole:]
        return ended

    @property
    def news(self) -> socket.socket | None:
        return self._server

    def close(self) -> None:
        if self._server is not None:
            close_end(self._server)
            self._server = None
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1)  # it ends as soon as its connection does
            self._process = None

    def _start_server(self) -> socket.socket:
        ours, its = socket.socketpair()
        with its:
            self._process = _run_python(_SERVER, "serve_forks", its, self._setup.encode())
        keep_from_children(ours)
        return ours


def make_starter(method: str, setup: WorkerSetup) -> Starter:
    """Return what starts workers by ``forkserver``, ``fork`` or ``spawn``."""
    if method == "forkserver":
        return ForkServerStarter(setup)
    return ForkStarter() if method == "fork" else SpawnStarter()


def _run_python(module: str, name: str, end: socket.socket, text: bytes | None = None) -> subprocess.Popen[bytes]:
    """Start an interpreter like this one that calls a function with the number of its end of a connection."""
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    code = f"import sys; sys.path.insert(0, {_ROOT!r}); from {module} import {name}; {name}({end.fileno()})"
    # Python 3.10 cannot ask for a group: there a Ctrl-C reaches the worker until it has made its own.
    group: dict[str, Any] = {"process_group": 0} if sys.version_info >= (3, 11) else {}
    process = subprocess.Popen(
        [sys.executable, *flags, "-c", code],
        stdin=subprocess.DEVNULL if text is None else subprocess.PIPE,
        pass_fds=[end.fileno()],
        **group,
    )
    if process.stdin is not None and text is not None:
        with suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(text)
    return process
