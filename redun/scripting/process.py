"""One script as a process group: started, waited for, ended with all it started, and told by its standard error.

Theory of operation.  The thread of a job starts the script in a session of its own and waits for it.  So Ctrl-C in a
terminal does not reach the script by itself, and its whole group can be ended at once: ``cancel``, from any thread,
sends SIGTERM to the group, and SIGKILL to whatever of it is left after ``GRACE_SECONDS``.  The same is done to what a
failed script leaves running.  What a script that ended well leaves running in the background is its own affair.

Both streams go to files: memory does not follow what a script prints.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from redun.errors import ExecutorError, TaskError
from redun.scripting.text import interpreter_of

if TYPE_CHECKING:
    from subprocess import Popen

GRACE_SECONDS = 1.0
"""How long a script that is to end has for it, before it is killed."""
POLL_SECONDS = 0.01

MAX_LOG_BYTES = 1 << 16
MAX_LOG_LINES = 20
MAX_LINE_CHARS = 1000


class Cancellable(Protocol):
    """A job: while its script runs, it can be ended from any thread through this hook."""

    cancel: Callable[[], None] | None


class ScriptError(TaskError):
    """A script failed.

    Args:
        stderr: the end of what it wrote to standard error.
        returncode: its exit code; that of a signal, negated, when one ended it; None when it is not known.
    """

    def __init__(self, stderr: bytes | str = b"", returncode: int | None = None) -> None:
        self.message = stderr.decode(errors="replace") if isinstance(stderr, bytes) else stderr
        self.returncode = returncode
        super().__init__(self._summary())

    @property
    def log_lines(self) -> list[str]:
        """What a traceback shows before the error: how the script ended, and its last lines of standard error."""
        lines = self.message.splitlines()
        if not lines:
            return []
        shown = [_cut(line) for line in lines[-MAX_LOG_LINES:]]
        head = f"{self._say_end()}; the end of its standard error:"
        return [head, *(f"  {line}" for line in shown)]

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.returncode)

    def _summary(self) -> str:
        lines = [line for line in self.message.splitlines() if line.strip()]
        return f"Last line: {_cut(lines[-1]) if lines else self._say_end()}"

    def _say_end(self) -> str:
        if self.returncode is None:
            return "the script failed"
        if self.returncode < 0:
            with suppress(ValueError):
                return f"the script was ended by {signal.Signals(-self.returncode).name}"
        return f"the script ended with exit code {self.returncode}"


class ScriptCancelled(ScriptError):
    """A script was ended because its job was: by Ctrl-C, or by a time limit."""

    def _summary(self) -> str:
        return self._say_end()

    def _say_end(self) -> str:
        return "the script was stopped"


class ScriptNotStarted(ExecutorError):
    """The interpreter of a script cannot be run."""

    def __init__(self, interpreter: str, cause: str) -> None:
        super().__init__(f"cannot start the script: its interpreter is {interpreter}: {cause}")
        self.interpreter = interpreter
        self.cause = cause

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.interpreter, self.cause)


class ScriptProcess:
    """A script that runs once."""

    def __init__(self, grace_seconds: float = GRACE_SECONDS) -> None:
        self._grace_seconds = grace_seconds
        self._lock = threading.Lock()
        self._process: Popen[bytes] | None = None
        self._killer: threading.Timer | None = None
        self._is_over = False
        self.is_cancelled = False

    def run(self, text: str, folder: Path, *, cwd: str | None = None) -> Path:
        """Run a script to its end; return the file that holds its standard output.

        Args:
            text: the script.
            folder: scratch, for the script and what it prints.
            cwd: the folder it works in; None for that of this process.

        Raises:
            ScriptError: it failed.
            ScriptCancelled: ``cancel`` was called.
            ScriptNotStarted: its interpreter cannot be run.
        """
        stdout, stderr = folder / "stdout", folder / "stderr"
        with stdout.open("wb") as out, stderr.open("wb") as err:
            process = self._start(text, folder / "script", cwd, out, err)
            code = process.wait()
        if code or self.is_cancelled:
            self._end_group(process.pid)
        with self._lock:
            self._is_over = True
            if self._killer is not None:
                self._killer.cancel()
        if self.is_cancelled:
            raise ScriptCancelled(read_end(stderr), code)
        if code:
            raise ScriptError(read_end(stderr), code)
        return stdout

    def cancel(self) -> None:
        """End the script and all it started.  Returns at once; from any thread; nothing happens a second time."""
        with self._lock:
            if self._is_over or self.is_cancelled:
                return
            self.is_cancelled = True
            process = self._process
            if process is None:
                return
            _signal_group(process.pid, signal.SIGTERM)
            self._killer = threading.Timer(self._grace_seconds, _signal_group, (process.pid, signal.SIGKILL))
            self._killer.daemon = True
            self._killer.start()

    def _start(self, text: str, path: Path, cwd: str | None, out: IO[bytes], err: IO[bytes]) -> Popen[bytes]:
        import subprocess

        path.write_text(text if text.endswith("\n") else text + "\n")
        path.chmod(0o700)
        # The interpreter is given the file, in place of running the file: while another thread forks, its child holds
        # the file open for writing for a moment, and the kernel would refuse to run it (ETXTBSY).
        interpreter = interpreter_of(text)
        with self._lock:
            if self.is_cancelled:
                raise ScriptCancelled
            try:
                self._process = subprocess.Popen(
                    [*interpreter, str(path)],
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
            except OSError as error:
                raise ScriptNotStarted(" ".join(interpreter), error.strerror or str(error)) from error
            return self._process

    def _end_group(self, group: int) -> None:
        """End what is left of a group whose leader has ended."""
        if not _signal_group(group, signal.SIGTERM):
            return
        deadline = time.monotonic() + self._grace_seconds
        while time.monotonic() < deadline:
            if not _signal_group(group, 0):
                return
            time.sleep(POLL_SECONDS)
        _signal_group(group, signal.SIGKILL)


def read_end(log: Path, limit_bytes: int = MAX_LOG_BYTES) -> bytes:
    """Return the last bytes of a log, from the beginning of a line where there is one."""
    with log.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - limit_bytes))
        data = stream.read()
    return data if size <= limit_bytes else data[data.find(b"\n") + 1 :]


def _signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group; tell whether there was anybody in it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False  # PermissionError: macOS says so of a group of zombies
    return True


def _cut(line: str) -> str:
    return line if len(line) <= MAX_LINE_CHARS else line[: MAX_LINE_CHARS - 3] + "..."
