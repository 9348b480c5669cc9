"""From an error to what the user reads and to the exit code of the process.

The invariant: every error that reaches the command line ends here, in one line that begins with ``redun: error:`` and,
where there is one, a hint; a traceback is printed under ``--log-level DEBUG`` only.
"""

from __future__ import annotations

import errno
import traceback
from enum import IntEnum

import click

from redun.cli import ui
from redun.errors import ConfigError, RedunError


class ExitCode(IntEnum):
    """What the process tells its caller; ``redun --help`` lists them from here."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "all is well",
    ExitCode.FAILED: "the workflow failed, or a problem was found",
    ExitCode.USAGE: "the command line or a setting is wrong",
    ExitCode.INTERRUPTED: "stopped by Ctrl-C",
}


_FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT})
_FULL_DISK_HINT = "free some space and try again; what is on record is not done again"


def exit_code_of(error: BaseException) -> ExitCode:
    """Map an error to an exit code, by its family."""
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return ExitCode.INTERRUPTED
    if isinstance(error, (click.UsageError, ConfigError)):
        return ExitCode.USAGE
    return ExitCode.FAILED


def report(error: BaseException) -> ExitCode:
    """Print an error as the user should read it; return the exit code that goes with it."""
    if not isinstance(error, click.ClickException):
        ui.debug("".join(traceback.format_exception(error)).rstrip("\n"))
    text, hint = describe(error)
    ui.error(text)
    if hint:
        ui.hint(hint)
    return exit_code_of(error)


def describe(error: BaseException) -> tuple[str, str]:
    """Return an error's message and hint; the hint may be empty."""
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return "interrupted", ""
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "redun"
        return error.format_message(), f"try `{command} --help`"
    if isinstance(error, click.ClickException):
        return error.format_message(), ""
    if isinstance(error, RedunError):
        return str(error), error.hint
    if isinstance(error, OSError):
        return str(error), _FULL_DISK_HINT if error.errno in _FULL_DISK else ""
    return f"{type(error).__name__}: {error}", "this was not expected; --log-level DEBUG prints where it happened"
