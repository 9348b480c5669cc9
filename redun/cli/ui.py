"""The terminal: the only module of the command line that writes to it.

Results go to standard output, bare, so that they can be piped; everything said along the way goes to standard error
with ``[redun]`` before each line.  A reader who goes away (``redun log | head``) is not an error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TextIO

LEVELS = {"DEBUG": 10, "INFO": 20, "WARN": 30, "ERROR": 40}
PREFIX = "[redun] "
# As git does: leave at once when it fits one screen, keep colours, leave the text on the screen.
_LESS_OPTIONS = "FRX"

_CLEAR_LINE = "\r\x1b[2K"
_STATUS_SECONDS = 0.1  # a line that changes more often cannot be read

_threshold = LEVELS["INFO"]
_status_seconds: float | None = None
"""When the status line was written, on the clock of ``monotonic``; None: there is none."""


def configure(log_level: str = "INFO", *, is_quiet: bool = False) -> None:
    """Set which lines ``log`` and its kin let through; quiet means warnings and errors only."""
    global _threshold
    _threshold = LEVELS[log_level]
    if is_quiet:
        _threshold = max(_threshold, LEVELS["WARN"])
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started this
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - open until the end
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows its code; it does not end the program.
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")


def echo(text: str = "", end: str = "\n") -> None:
    """Write a result to standard output."""
    sys.stdout.write(text + end)


def echo_bytes(content: bytes) -> None:
    """Write raw bytes to standard output, after whatever was echoed before."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def flush() -> None:
    """Hand what was echoed to whoever reads it; raises BrokenPipeError when nobody does, OSError on a full disk."""
    sys.stdout.flush()
    try:
        sys.stderr.flush()
    except OSError:  # as in _say; Python itself would try again, and exit with a code of its own
        mute()


def debug(text: str) -> None:
    """Say something that only ``--log-level DEBUG`` shows."""
    _say("DEBUG", PREFIX, text)


def log(text: str) -> None:
    """Say what is going on, on standard error; each line gets the prefix."""
    _say("INFO", PREFIX, text)


def warn(text: str) -> None:
    """Say what may be wrong, on standard error."""
    _say("WARN", PREFIX + "warning: ", text)


def error(text: str) -> None:
    """Say what went wrong, on standard error.  Nothing silences it."""
    _say("ERROR", "redun: error: ", text)


def hint(text: str) -> None:
    """Say what the user can do about an error just told."""
    _say("ERROR", "redun: hint: ", text)


def debug_error(failure: BaseException) -> None:
    """Start Python's debugger where an error was raised; it talks to the user until he leaves it."""
    import pdb  # noqa: T100  (the debugger is what was asked for)

    sys.stdout.flush()
    pdb.post_mortem(failure.__traceback__)


def is_heard(level: str) -> bool:
    """Tell whether lines of a level are let through: what is not need not be made."""
    return LEVELS[level] >= _threshold


def is_terminal() -> bool:
    """Tell whether standard output is a terminal."""
    return sys.stdout.isatty()


@contextmanager
def progress(*, is_shown: bool) -> Iterator[Callable[[int, int, str], None]]:
    """Give what long work tells how far it is: a bar on a terminal, gone when the work is done, else nothing.

    It takes the bytes done, the bytes in all (0 when that is not known) and what is being done.
    """
    if not (is_shown and is_terminal()):
        yield lambda _done, _total, _label: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task("", total=None)

        def tell(done: int, total: int, label: str) -> None:
            bar.update(task, completed=done, total=total or None, description=label)

        yield tell


def show_status(text: str) -> None:
    """Have a line on the terminal that the next one takes the place of; an empty text takes it away.

    It is nothing where standard error is no terminal, and where what goes on is not told.
    """
    global _status_seconds
    if not (is_heard("INFO") and sys.stderr.isatty()):
        return
    now = monotonic()
    if text and _status_seconds is not None and now < _status_seconds + _STATUS_SECONDS:
        return
    if text:
        _status_seconds = now
        sys.stderr.write(f"{_CLEAR_LINE}{PREFIX}{text}"[: len(_CLEAR_LINE) + terminal_width() - 1])
        sys.stderr.flush()
    elif _status_seconds is not None:
        _status_seconds = None
        sys.stderr.write(_CLEAR_LINE)
        sys.stderr.flush()


def terminal_width(default: int = 80) -> int:
    """Return the number of columns of the terminal; ``default`` when there is none."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or default
    except (OSError, ValueError):
        return default


def page(lines: Iterable[str], *, use_pager: bool = True) -> None:
    """Write lines to standard output, through ``$PAGER`` (or less) when that is a terminal.

    Lines are taken one by one, so a pager left early ends the work early.
    """
    if use_pager and is_terminal():
        command = os.environ.get("PAGER", "less")
        if command and _page_through(command, lines):
            return
    for line in lines:
        echo(line)


def mute() -> None:
    """Send what is still buffered nowhere, so that leaving does not fail on a closed pipe or a full disk again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        _redirect(stream, nowhere)
    os.close(nowhere)


def _say(level: str, prefix: str, text: str) -> None:
    if LEVELS[level] < _threshold:
        return
    global _status_seconds
    if "\n" in text:
        text = text.replace("\n", f"\n{prefix}")
    if _status_seconds is not None:
        _status_seconds = None
        prefix = _CLEAR_LINE + prefix
    # One write a line: threads and child processes share the stream, and lines must not mix.
    try:
        sys.stderr.write(f"{prefix}{text}\n")
    except BrokenPipeError:
        raise
    except OSError:
        # The disk of a log file is full, say.  There is nowhere to tell it, and it is no reason to stop a run.
        return


def _page_through(command: str, lines: Iterable[str]) -> bool:
    """Feed a pager; False when it cannot be started."""
    import shlex
    import subprocess

    environment = {**os.environ}
    environment.setdefault("LESS", _LESS_OPTIONS)
    try:
        pager = subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE, env=environment, text=True)
    except (OSError, ValueError):
        return False
    assert pager.stdin is not None
    try:
        with pager.stdin as stream:
            stream.writelines(line + "\n" for line in lines)
    except BrokenPipeError:
        pass
    pager.wait()
    return True


def _redirect(stream: TextIO, target: int) -> None:
    try:
        stream.flush()
    except (OSError, ValueError):
        try:
            os.dup2(target, stream.fileno())
        except (OSError, ValueError):  # a stream of a test or of an embedding program: it has no descriptor
            return
