"""Work for pools of processes that needs no scheduler: a command as its parcel, what came of it as its outcome."""

from __future__ import annotations

import json
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from redun.executors.base import PortableWork
from redun.store.blobs import Blobs
from redun.testing.executor_tasks import wait_for

RUNNER = "redun.testing.portable_work.run_command"
_LONG_SECONDS = 60


class CommandWork(PortableWork):
    """Asks a worker to do one of the things that ``run_command`` knows, and notes what came of it."""

    task_name = "redun.testing.command"
    is_reusable = False

    def __init__(self, verb: str, *words: str) -> None:
        self.verb = verb
        self.words = words
        self.outcome: Any = None
        self.error: BaseException | None = None
        self.log: list[str] = []
        self.n_reports = 0
        self.begun = threading.Event()

    @property
    def eval_hash(self) -> str:
        """A hash of nothing."""
        return "0" * 64

    def get_options(self) -> dict[str, Any]:
        """Return none."""
        return {}

    def run(self) -> None:
        """Never: this work is for other processes."""
        raise AssertionError("expected work to be packed, found it run")

    def begin(self) -> None:
        self.begun.set()

    def pack(self, contents: Blobs | None) -> bytes:
        """Return the command; one whose verb is ``unpackable`` has no parcel."""
        del contents
        if self.verb == "unpackable":
            raise ValueError("this has no parcel")
        return json.dumps([self.verb, *self.words]).encode()

    def take(self, outcome: bytes, contents: Blobs | None) -> None:
        del contents
        self.n_reports += 1
        self.outcome = json.loads(outcome)

    def fail(self, error: BaseException, log: Sequence[str] = ()) -> None:
        self.log = list(log)
        self.n_reports += 1
        self.error = error

    def add_tags(self, tags: Iterable[tuple[str, Any]]) -> None:
        """Forget them."""


def run_command(parcel: bytes, contents: Blobs | None) -> bytes:
    """Do what a parcel says, in a worker; return a JSON value."""
    del contents
    verb, *words = json.loads(parcel)
    return json.dumps(_COMMANDS[verb](*words)).encode()


def _echo(word: str) -> str:
    return word


def _process_id() -> int:
    return os.getpid()


def _hold(held: str, go: str) -> int:
    """Say that this runs, and wait for a file."""
    Path(f"{held}.new").write_text(str(os.getpid()), encoding="utf-8")
    Path(f"{held}.new").rename(held)
    wait_for(Path(go), _LONG_SECONDS)
    return os.getpid()


def _kill(name: str) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it leaves no dump where the tests run
    os.kill(os.getpid(), signal.Signals[name])
    time.sleep(_LONG_SECONDS)


def _kill_beside(name: str) -> None:
    """Die while a process that this one forked holds open all that this one had."""
    if os.fork() == 0:
        time.sleep(_LONG_SECONDS)
        os._exit(0)
    _kill(name)


def _close_all() -> None:
    """Close every connection, as programs do that become daemons."""
    os.closerange(3, 256)


def _clean_up(held: str, cleaned: str) -> None:
    """Leave a mark when this is ended."""
    try:
        Path(held).touch()
        time.sleep(_LONG_SECONDS)
    finally:
        Path(cleaned).touch()


def _end_child() -> int:
    """Fork a process and end it; return its exit code."""
    child = os.fork()
    if child == 0:
        time.sleep(_LONG_SECONDS)
        os._exit(0)
    os.kill(child, signal.SIGTERM)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _break() -> None:
    raise ValueError("nothing can be made of this")


_COMMANDS: dict[str, Callable[..., Any]] = {
    "echo": _echo,
    "process": _process_id,
    "hold": _hold,
    "kill": _kill,
    "kill_beside": _kill_beside,
    "close_all": _close_all,
    "clean_up": _clean_up,
    "end_child": _end_child,
    "break": _break,
}
