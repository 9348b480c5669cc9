"""Runs the command line of a container engine: docker, podman, or whatever takes the same words.

The invariant: no call ends without a verdict.  An engine that cannot be reached is ``EngineUnreachable``, an OSError
that may pass; what an engine refuses is ``EngineRefused``, in the engine's own words.  Both docker and podman end with
another code than 0 then, and tell why in their last lines.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import PurePath

from redun.executors.remote.submitter import SubmitterError

ANSWER_SECONDS = 60.0
"""An engine with a thousand containers answers within seconds; one that is stuck must not hold up a run."""
PULL_SECONDS = 3600.0
_UNREACHABLE = (
    "cannot connect to",  # docker without its daemon, podman without its machine
    "unable to connect to",  # podman, to a remote socket
    "is the docker daemon running",
    "connection refused",
    "connection reset",
    "i/o timeout",
)
_N_REASON_CHARACTERS = 500


class EngineRefused(SubmitterError):
    """A container engine ended with an error.  ``words`` is what it said."""

    def __init__(self, message: str, words: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.words = words


class EngineUnreachable(ConnectionError):
    """The command line is there, and the engine behind it does not answer."""


class ContainerCommand:
    """The command line of one engine.

    Args:
        words: the program and what always follows it: ``["podman"]``, ``["docker", "--context", "lab"]``.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self.is_podman = any(PurePath(word).name.startswith("podman") for word in words)
        # Podman 4 leaves a file ``oom`` in its working directory for each container that runs out of memory.
        self._folder = tempfile.gettempdir() if self.is_podman else None

    def run(self, *arguments: str, given: str | None = None, seconds: float = ANSWER_SECONDS) -> str:
        """Return what the engine prints; ``given`` is what it reads.

        Raises:
            EngineRefused: it ended with an error.
            EngineUnreachable: there is no engine, or it takes longer than ``seconds``.
            SubmitterError: there is no such program.
        """
        done = self.ask(arguments, given=given, seconds=seconds)
        if done.returncode == 0:
            return done.stdout
        words = last_words(done.stderr)
        raise EngineRefused(f"{self._shown(arguments)}: {words or f'exit code {done.returncode}'}", words)

    def ask(
        self,
        arguments: Iterable[str],
        *,
        given: str | None = None,
        seconds: float = ANSWER_SECONDS,
        is_joined: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run it whatever code it ends with; ``is_joined``: with stderr among the lines of stdout, as they came.

        Raises:
            EngineUnreachable: as for ``run``.
            SubmitterError: there is no such program.
        """
        command = [*self.words, *arguments]
        try:
            done = subprocess.run(
                command,
                input=given if given is not None else "",
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if is_joined else subprocess.PIPE,
                text=True,
                errors="replace",
                timeout=seconds,
                cwd=self._folder,
                check=False,
            )
        except (FileNotFoundError, PermissionError) as error:
            hint = "install a container engine, or name the one that is there: command = podman"
            raise SubmitterError(f"cannot run {self.words[0]!r}: {error.strerror}", hint=hint) from error
        except subprocess.TimeoutExpired:
            raise EngineUnreachable(f"{self._shown(command)}: no answer within {seconds:.0f} s") from None
        said = last_words(done.stdout if is_joined else done.stderr)
        if done.returncode and any(sign in said.lower() for sign in _UNREACHABLE):
            raise EngineUnreachable(f"{' '.join(self.words)}: {said}")
        return done

    def start_in_terminal(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start it with the terminal of this process as its own."""
        return subprocess.Popen([*self.words, *arguments], cwd=self._folder)

    def leave(self, *arguments: str) -> None:
        """Start it and do not wait: it goes on when this process ends."""
        quiet = subprocess.DEVNULL
        command = [*self.words, *arguments]
        with suppress(OSError):
            subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, cwd=self._folder, start_new_session=True)

    def _shown(self, arguments: Sequence[str]) -> str:
        return " ".join([*self.words, *arguments[:1]])


def last_words(text: str) -> str:
    """Return what an engine meant by its output: the lines that say something, without prefixes, on one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    meant = [
        line for line in lines if not line.startswith(("Run '", "See '", "Unable to find image", "time=", "Trying"))
    ]
    return " ".join(line.removeprefix("docker: ").removeprefix("Error: ") for line in meant)[-_N_REASON_CHARACTERS:]
