"""The text of scripts: how a command becomes a file that can be run, here or by a shell elsewhere.  Pure.

A script is text whose first line may name its interpreter, as the kernel reads it: ``#!``, a program, and at most one
argument.  One that names none is run by bash, which then stops at the first command that fails and says on standard
error what it runs.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from textwrap import dedent
from typing import Any

from redun.errors import TaskError

DEFAULT_SHELL = "#!/usr/bin/env bash\nset -exo pipefail"
MAX_TITLE_CHARS = 60


class BadCommand(TaskError):
    """What should be a command is neither text nor a list of arguments."""

    hint = "a command is text, or a list of a program's name and its arguments"


def prepare_command(command: str, default_shell: str = DEFAULT_SHELL) -> str:
    """Return a command as a script: without the indentation it has in its source, and with an interpreter.

    Args:
        command: shell text, or a script of any language that begins with ``#!``.
        default_shell: the lines to begin with where the command names no interpreter.
    """
    text = dedent(command).strip()
    return text if text.startswith("#!") else f"{default_shell}\n{text}"


def command_text(command: object) -> str:
    """Return a command, text or a list of arguments, as text without indentation.

    Raises:
        BadCommand: it is neither.
    """
    if isinstance(command, str):
        return dedent(command).strip()
    if not isinstance(command, (list, tuple)):
        raise BadCommand(f"expected a command, found {type(command).__name__}: {str(command)[:MAX_TITLE_CHARS]}")
    return shlex.join(_argument(part) for part in command)


def _argument(part: object) -> str:
    if isinstance(part, (str, os.PathLike)):
        return str(part)
    if isinstance(part, (int, float)) and not isinstance(part, bool):
        return str(part)
    raise BadCommand(f"expected an argument of a command to be text or a number, found {part!r}")


def interpreter_of(text: str) -> list[str]:
    """Return the program that runs a script, and its argument if it has one: what its first line says, else ``sh``."""
    first = text.partition("\n")[0]
    if not first.startswith("#!"):
        return ["/bin/sh"]
    return first[2:].strip().split(None, 1) or ["/bin/sh"]


def title_of(command: Any) -> str:
    """Return the first line of a command that does something, cut short: what messages call it by."""
    text = shlex.join(map(str, command)) if isinstance(command, (list, tuple)) else str(command)
    lines = (line.strip() for line in text.splitlines())
    line = next((line for line in lines if line and not line.startswith(("#", "set -"))), "")
    return line if len(line) <= MAX_TITLE_CHARS else line[: MAX_TITLE_CHARS - 3] + "..."


def get_command_eof(command: str, eof_prefix: str = "EOF") -> str:
    """Return a word that no line of a command consists of: what can end it as a here-document."""
    lines = set(command.splitlines())
    word, number = eof_prefix, 0
    while word in lines:
        number += 1
        word = f"{eof_prefix}{number}"
    return word


def get_wrapped_command(command: str, eof_prefix: str = "EOF") -> str:
    """Return shell text that runs a script as a program of its own: in its own language, with its own exit code."""
    end = get_command_eof(command, eof_prefix)
    # The exit code is taken by || so that the text also works where `set -e` is in force.
    return "\n".join(
        [
            "(",
            'COMMAND_FILE="$(mktemp)"',
            f'cat > "$COMMAND_FILE" <<"{end}"',
            command,
            end,
            'chmod +x "$COMMAND_FILE"',
            "RETCODE=0",
            '"$COMMAND_FILE" || RETCODE=$?',
            'rm -f "$COMMAND_FILE"',
            'exit "$RETCODE"',
            ")",
            "",
        ]
    )


def join_commands(commands: Sequence[str]) -> str:
    """Return shell text that runs commands in order up to the first that fails, with nothing on standard output."""
    lines = [command for command in commands if command]
    return "".join(f"{{ {line}; }} >&2\n" for line in lines)
