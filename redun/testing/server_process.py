"""A server of another program, in a process of its own, that is gone when the tests are: however they end."""

from __future__ import annotations

import subprocess
import time
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path

from redun.testing.started import Started

START_SECONDS = 30
_POLL_SECONDS = 0.02

_GUARD = """
"$@" </dev/null &
read -r line
kill -9 $! 2>/dev/null
wait
"""
"""Ends the server when this process closes the pipe, or is gone without having done so."""


class ServerProcess(Started):
    """The server, from ``start`` (or ``with``) to ``stop``.

    Args:
        folder: where it keeps its data and its log; empty.
        program: its path.
    """

    def __init__(self, folder: Path, program: str) -> None:
        self.folder = folder
        self.url = ""
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def _prepare(self) -> list[str]:
        """Choose ports, set ``url``, write what the program reads; return the program's arguments."""

    @abstractmethod
    def _answers(self) -> bool:
        """Tell whether it can be used."""

    def _surroundings(self) -> Mapping[str, str]:
        """Return the program's environment."""
        return {"HOME": str(self.folder)}

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            RuntimeError: it does not answer within ``START_SECONDS``; its log is in the message.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        arguments = self._prepare()
        with (self.folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "sh", self._program, *arguments],
                env=self._surroundings(),
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        limit = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > limit:
                self.stop()
                log_text = (self.folder / "server.log").read_text()[-2000:]
                raise RuntimeError(f"{Path(self._program).name} does not start: {log_text}")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """End it at once; its data is for nobody."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait()
            self._process = None
