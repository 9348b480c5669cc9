"""What a docstring says of each parameter: in Google's, NumPy's or Sphinx's style.

The invariant: every line of the docstring is either in ``body`` or part of what is said of a parameter; what looks like
none of the styles is all body.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from inspect import cleandoc

_GOOGLE = re.compile(r"(Args|Arguments|Parameters|Params|Keyword Args|Keyword Arguments):\s*")
_GOOGLE_ITEM = re.compile(r"\*{0,2}(?P<name>\w+)\s*(\([^)]*\))?\s*:\s*(?P<text>.*)")
_NUMPY = re.compile(r"(Other )?Parameters\s*")
_NUMPY_ITEM = re.compile(r"\*{0,2}(?P<name>\w+)\s*(:.*)?")
_SPHINX_ITEM = re.compile(r":(param|parameter|arg|argument)\s+([^:]*\s)?\*{0,2}(?P<name>\w+):\s*(?P<text>.*)")
_SPHINX_TYPE = re.compile(r":type\s+\w+:.*")


@dataclass(slots=True)
class Docstring:
    """A docstring taken apart."""

    body: list[str] = field(default_factory=list)  # lines, those about parameters left out
    parameters: dict[str, str] = field(default_factory=dict)  # name to text on one line

    @property
    def summary(self) -> str:
        """The first line."""
        return self.body[0] if self.body else ""


def parse_docstring(text: str | None) -> Docstring:
    """Take a docstring apart; nothing gives an empty one."""
    found = Docstring()
    lines = cleandoc(text or "").splitlines()
    position = 0
    while position < len(lines):
        line = lines[position]
        following = lines[position + 1] if position + 1 < len(lines) else ""
        if _GOOGLE.fullmatch(line) and _indent(following):
            end = _end_of_block(lines, position + 1, 1)
            _read_items(lines[position + 1 : end], _GOOGLE_ITEM, found)
        elif _NUMPY.fullmatch(line) and re.fullmatch(r"-{3,}\s*", following):
            end = _end_of_numpy(lines, position + 2)
            _read_items(lines[position + 2 : end], _NUMPY_ITEM, found)
        elif _SPHINX_ITEM.fullmatch(line):
            end = _end_of_block(lines, position + 1, 1)
            _read_items(lines[position:end], _SPHINX_ITEM, found)
        elif _SPHINX_TYPE.fullmatch(line):
            end = position + 1
        else:
            found.body.append(line.rstrip())
            end = position + 1
        position = end
    while found.body and not found.body[-1]:
        found.body.pop()
    return found


def _read_items(lines: Iterable[str], item: re.Pattern[str], found: Docstring) -> None:
    """Take the text of each item: what stands on its line, and below it deeper indented."""
    name, depth = "", -1
    for line in filter(str.strip, lines):
        match = item.fullmatch(line.strip())
        if match is not None and (depth < 0 or _indent(line) <= depth):
            name, depth = match["name"], _indent(line)
            found.parameters[name] = match.groupdict().get("text") or ""
        elif name:
            found.parameters[name] = f"{found.parameters[name]} {line.strip()}".strip()


def _end_of_block(lines: list[str], start: int, depth: int) -> int:
    """Return where the lines end that are indented so deep; empty lines after the last of them belong to nobody."""
    end = start
    for position in range(start, len(lines)):
        if lines[position].strip():
            if _indent(lines[position]) < depth:
                break
            end = position + 1
    return end


def _end_of_numpy(lines: list[str], start: int) -> int:
    """Return where a section ends: at the next underlined title, or at the end."""
    for position in range(start, len(lines) - 1):
        if re.fullmatch(r"-{3,}\s*", lines[position + 1]):
            return position
    return len(lines)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
