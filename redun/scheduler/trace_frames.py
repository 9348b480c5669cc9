"""Frames of user code in a traceback, with what their variables held, and the errors behind an error.

Everything is text, bounded in number and length, made while the frames are alive.  The invariant: what a name says is
secret is not written down, neither as a variable nor within another value, since tracebacks are stored and shared.
"""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator, Mapping
from types import BuiltinFunctionType, FrameType, FunctionType, ModuleType, TracebackType
from typing import Any, NamedTuple

from redun.scheduler.preview import message_of, preview

MAX_FRAMES_SHOWN = 40
"""A function that calls itself without end leaves a thousand frames: the outermost and the innermost are shown."""
MAX_FRAMES_WITH_LOCALS = 8
MAX_LOCALS = 20
MAX_LOCAL_CHARS = 200
MAX_CAUSES = 5
MAX_IN_GROUP = 10
MAX_CAUSE_FRAMES = 3
MASK = "***"

_PACKAGE = __file__.rpartition("/scheduler/")[0] + "/"
_LIBRARY = os.__file__.rpartition("/")[0] + "/"
_INSTALLED = ("/site-packages/", "/dist-packages/")
_NOT_SHOWN = (ModuleType, FunctionType, BuiltinFunctionType, type)

_WORDS = r"pass(?:word|wd|phrase)|secret|token|credential|api_?key|private_?key|access_?key"
_SECRET = re.compile(rf"{_WORDS}|(?:^|_)(?:key|keys|pwd|auth)(?:_|$)", re.IGNORECASE)
_WITHIN = re.compile(
    rf"""(\w*(?:{_WORDS}|_key\b|\bkey\b)\w*['"]?\s*[=:]\s*)(b?'(?:[^'\\]|\\.)*(?:'|$)|b?"(?:[^"\\]|\\.)*(?:"|$))""",
    re.IGNORECASE,
)


class Frame(NamedTuple):
    """One line of a traceback."""

    filename: str
    lineno: int
    name: str  # of the function
    line: str  # its source; empty when it cannot be read
    locals: Mapping[str, str] = {}  # the variables of the function, as they are shown


def is_secret(name: str) -> bool:
    """Tell whether a name says that its value is nobody's business."""
    return _SECRET.search(name) is not None


def show_named(name: str, value: Any, max_chars: int = MAX_LOCAL_CHARS) -> str:
    """Return the text of a named value, without what a name in front of it says is secret."""
    return MASK if is_secret(name) else mask_secrets(preview(value, max_chars))


def mask_secrets(text: str) -> str:
    """Return the text of a value without the texts that stand behind a name that says they are secret."""
    return _WITHIN.sub(rf"\1{MASK}", text)


def frames_of(trace: TracebackType | None, *, has_locals: bool = False) -> list[Frame]:
    """Return the frames of user code: redun's own, which called it, are left out.

    ``has_locals``: whether the innermost ones tell their variables.
    """
    walked = list(traceback.walk_tb(trace))
    first = next((i for i, (frame, _) in enumerate(walked) if not _file(frame).startswith(_PACKAGE)), len(walked))
    walked = walked[first:]
    n_left_out = len(walked) - MAX_FRAMES_SHOWN
    half = MAX_FRAMES_SHOWN // 2
    if n_left_out > 0:
        walked = walked[:half] + walked[-half:]
    summaries = traceback.StackSummary.extract(iter(walked))
    frames = [Frame(entry.filename, entry.lineno or 0, entry.name, entry.line or "") for entry in summaries]
    if has_locals:
        for i in range(max(0, len(frames) - MAX_FRAMES_WITH_LOCALS), len(frames)):
            frames[i] = frames[i]._replace(locals=_locals_of(walked[i][0]))
    if n_left_out > 0:
        frames.insert(half, Frame("", 0, f"{n_left_out} more frames", ""))
    return frames


def python_lines(error: BaseException) -> list[str]:
    """Return the traceback as Python writes it."""
    return [line for text in traceback.format_exception(error) for line in text.rstrip("\n").split("\n")]


def frame_lines(frames: list[Frame]) -> Iterator[str]:
    """Write frames for people, each with its variables below it."""
    for frame in frames:
        if not frame.lineno:
            yield f"... {frame.name} ..."
            continue
        yield f'File "{frame.filename}", line {frame.lineno}, in {frame.name}'
        if frame.line:
            yield f"  {frame.line.strip()}"
        for name, text in frame.locals.items():
            yield f"    {name} = {text}"


def cause_lines(error: BaseException) -> list[str]:
    """Tell what led to an error: what it was raised from, what was being handled, what its group holds."""
    return list(_iter_causes(error, {id(error)}))


def _iter_causes(error: BaseException, seen: set[int]) -> Iterator[str]:
    group = _members_of(error)
    for number, member in enumerate(group[:MAX_IN_GROUP], start=1):
        if id(member) not in seen:
            yield from _describe(f"{number} of {len(group)} in the group: ", member, seen)
    if len(group) > MAX_IN_GROUP:
        yield f"... {len(group) - MAX_IN_GROUP} more in the group ..."
    behind = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if behind is None or id(behind) in seen:
        return
    if len(seen) > MAX_CAUSES + MAX_IN_GROUP:
        yield "... and more behind it ..."
        return
    yield from _describe("caused by " if error.__cause__ is not None else "raised while handling ", behind, seen)


def _describe(how: str, error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    message = message_of(error)
    first = mask_secrets(message.split("\n", 1)[0][: 2 * MAX_LOCAL_CHARS])
    yield f"{how}{type(error).__name__}{': ' if first else ''}{first}"
    for line in frame_lines(frames_of(error.__traceback__)[-MAX_CAUSE_FRAMES:]):
        yield f"  {line}"
    for line in _iter_causes(error, seen):
        yield f"  {line}"


def _members_of(error: BaseException) -> list[BaseException]:
    """Return the errors in an exception group, which is a class of Python 3.11 and of packages for older ones."""
    members = getattr(error, "exceptions", None)
    if isinstance(members, (list, tuple)) and all(isinstance(member, BaseException) for member in members):
        return list(members)
    return []


def _locals_of(frame: FrameType) -> dict[str, str]:
    file = _file(frame)
    if file.startswith(("<frozen", _PACKAGE, _LIBRARY)) or any(part in file for part in _INSTALLED):
        return {}
    shown: dict[str, str] = {}
    for name, value in frame.f_locals.items():
        if name.startswith("__") or isinstance(value, _NOT_SHOWN):
            continue
        if len(shown) == MAX_LOCALS:
            break
        shown[name] = show_named(name, value)
    return shown


def _file(frame: FrameType) -> str:
    return frame.f_code.co_filename
