"""The small parts of every line: times, durations, statuses, texts that came from elsewhere.

The invariant: what is rendered is one line where one line is meant, and holds no control character: a path or a task
name pulled from a remote must not steer the terminal.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import PurePath

RULE = "-" * 80
MAX_ARGUMENTS = 200
"""Where the arguments of a call are cut in a line of a list."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def format_time(time_us: int, tz: tzinfo | None = None) -> str:
    """Return a time (microseconds since 1970 UTC) as ``2021-06-18 10:34:28``; in local time when ``tz`` is None."""
    return (_EPOCH + timedelta(microseconds=time_us)).astimezone(tz).strftime("%Y-%m-%d %H:%M:%S")


def format_duration(duration_us: int | None) -> str:
    """Return a duration as ``0:00:01.47``; hours may have any number of digits.  None is still running."""
    if duration_us is None:
        return "still running"
    hundredths = max(duration_us, 0) // 10_000
    seconds, rest = divmod(hundredths, 100)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}.{rest:02}"


def format_status(status: str) -> str:
    """Return a status in its box, all boxes of the usual ones being equally wide."""
    return f"[{status:^6}]"


def format_argv(argv: Sequence[str]) -> str:
    """Return a command line as one would type it after ``redun``."""
    words = argv[1:] if argv and PurePath(argv[0]).name == "redun" else argv
    return one_line(shlex.join(words))


def one_line(text: str) -> str:
    """Return a text with line ends and control characters written as escapes."""
    return printable(text.replace("\n", "\\n").replace("\t", "\\t"))


def printable(text: str) -> str:
    """Return a text whose control characters, but for line ends and tabs, are written as escapes."""
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def cut(text: str, width: int) -> str:
    """Return at most ``width`` characters of a text, the last three being dots when something was cut off."""
    return text if len(text) <= width else f"{text[: max(width - 3, 0)]}..."


def indent(lines: Iterable[str], by: int = 2) -> Iterator[str]:
    """Yield lines with spaces before them; an empty line stays empty."""
    margin = " " * by
    return (margin + line if line else line for line in lines)
