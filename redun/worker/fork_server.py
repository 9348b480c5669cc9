"""Forks workers: a process with one thread that has imported redun, so that each worker starts in milliseconds.

It lives as long as its connection to the pool, and takes no part in what the workers and the pool say to each other.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
from contextlib import suppress
from typing import NoReturn

from redun.executors.pool.children import reap
from redun.executors.pool.frames import ENDED, REQUEST, WorkerSetup
from redun.worker.process_main import adopt, find_runner, serve_in_fork


def serve_forks(descriptor: int) -> NoReturn:
    """Fork workers until the pool is gone.

    ``descriptor`` is this end of the connection; the setup of the workers comes through the standard input.
    """
    with suppress(OSError):
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with os.fdopen(0, "rb", closefd=False) as stream:
        setup = WorkerSetup.decode(stream.read())
    adopt(setup)
    with suppress(Exception):  # each worker will try again, and tell
        find_runner(setup)
    gc.freeze()  # what is here now is never garbage: looking at it would copy its pages into each worker
    with socket.socket(fileno=descriptor) as connection, suppress(ConnectionError):
        _Server(connection).serve()
    os._exit(0)


class _Server:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._numbers: dict[int, int] = {}  # of workers, by process id
        self._bell, self._bell_end = socket.socketpair()  # rings when a worker ends
        self._bell.setblocking(False)
        self._bell_end.setblocking(False)

    def serve(self) -> None:
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._bell_end.fileno(), warn_on_full_buffer=False)
        poll = select.poll()  # descriptors have the numbers of the pool's process, which may be too high for `select`
        for end in (self._connection, self._bell):
            poll.register(end, select.POLLIN)
        while True:
            readable = {descriptor for descriptor, _ in poll.poll()}
            if self._bell.fileno() in readable:
                self._bell.recv(1 << 10)
                self._tell_ended()
            if self._connection.fileno() in readable and not self._fork_one():
                return

    def _tell_ended(self) -> None:
        for process_id, number in list(self._numbers.items()):
            code = reap(process_id)
            if code is not None:
                del self._numbers[process_id]
                self._connection.sendall(ENDED.pack(number, code))

    def _fork_one(self) -> bool:
        """Take one request; False when there will be no more."""
        request, ends, _, _ = socket.recv_fds(self._connection, REQUEST.size, 1)
        if not request:
            return False
        (number,) = REQUEST.unpack(request)
        process_id = os.fork()
        if process_id == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for end in (self._connection, self._bell, self._bell_end):
                end.close()
            serve_in_fork(ends[0])
        os.close(ends[0])
        self._numbers[process_id] = number
        return True
