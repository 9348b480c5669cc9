"""The text of an ini file: where each setting stands, and how to change one and leave all else as it was.

The invariant: a change touches only the lines of the setting or section that it names; comments, blank lines and the
order of everything else stay byte for byte.  The standard parser tells no line numbers and drops comments, hence this
one.  It reads the same language: ``[section]``, ``key = value`` or ``key: value``, whole-line comments with ``#`` or
``;``, and values that go on in deeper indented lines.  Keys are case-sensitive.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from redun.errors import ConfigError

_HEADER = re.compile(r"\[([^\]]+)\]\s*(?:[#;].*)?")
_SETTING = re.compile(r"(?P<key>[^\s=:\[#;][^=:]*?)(?P<delimiter>\s*[=:]\s*)(?P<value>.*)", re.DOTALL)


class BadIni(ConfigError):
    """An ini file cannot be read, or a setting in it is not what it must be."""

    def __init__(self, where: str, line: int | None, why: str, *, hint: str = "") -> None:
        place = where if line is None else f"{where}:{line}"
        super().__init__(f"{place}: {why}", hint=hint)
        self.where = where
        self.line = line
        self.why = why


@dataclass(slots=True)
class Setting:
    """One ``key = value`` and the lines it takes."""

    value: str
    line: int  # the first one, from 1
    end: int  # the one after its last


@dataclass(slots=True)
class SectionText:
    """One ``[section]`` and its settings, in order."""

    line: int  # of the header, from 1
    settings: dict[str, Setting] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """The line after the last setting, or after the header."""
        return max((setting.end for setting in self.settings.values()), default=self.line + 1)


def parse_ini(text: str, where: str) -> dict[str, SectionText]:
    """Read an ini text; ``where`` is what to call it in messages.

    Raises:
        BadIni: a line is neither header, setting, comment nor continuation, or a section or key stands twice.
    """
    sections: dict[str, SectionText] = {}
    section: SectionText | None = None
    setting: Setting | None = None
    indent = 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        depth = len(raw) - len(raw.lstrip())
        if setting is not None and depth > indent:
            # Comments and blank lines inside a long value belong to the lines it takes, not to the value.
            setting.value, setting.end = f"{setting.value}\n{line}", number + 1
        elif header := _HEADER.fullmatch(line):
            section, setting, indent = _add_section(sections, header[1].strip(), number, where), None, depth
        else:
            if section is None:
                raise BadIni(where, number, f"expected a [section] before the first setting, found {line[:60]!r}")
            setting, indent = _add_setting(section, line, number, where), depth
    return sections


def set_value(text: str, section: str, key: str, value: str, where: str) -> str:
    """Return the text with one setting changed or added, and nothing else touched.

    Raises:
        BadIni: the text is malformed, or the value is more than one line or begins or ends with a space.
    """
    if value != value.strip() or "\n" in value or "\r" in value:
        raise BadIni(where, None, f"expected a value of one line for [{section}] {key}, found {value!r}")
    sections = parse_ini(text, where)
    lines = text.splitlines(keepends=True)
    newline = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += newline
    found = sections.get(section)
    if found is None:
        gap = [newline] if lines and lines[-1].strip() else []
        return "".join([*lines, *gap, f"[{section}]{newline}", f"{key} = {value}{newline}"])
    setting = found.settings.get(key)
    first, end = (found.end, found.end) if setting is None else (setting.line, setting.end)
    prefix = f"{key} = " if setting is None else _prefix(lines[first - 1])
    lines[first - 1 : end - 1] = [f"{prefix}{value}{newline}"]
    return "".join(lines)


def remove_section(text: str, section: str, where: str) -> str:
    """Return the text without a section and its settings; comments above its header and below its last line stay.

    Raises:
        BadIni: the text is malformed.
    """
    found = parse_ini(text, where).get(section)
    if found is None:
        return text
    lines = text.splitlines(keepends=True)
    first, end = found.line - 1, found.end - 1
    if end < len(lines) and not lines[end].strip():
        end += 1  # the blank line that set it apart goes with it
    elif end >= len(lines) and first > 0 and not lines[first - 1].strip():
        first -= 1
    return "".join(lines[:first] + lines[end:])


def _add_section(sections: dict[str, SectionText], name: str, number: int, where: str) -> SectionText:
    if name in sections:
        raise BadIni(where, number, f"section [{name}] stands twice, first in line {sections[name].line}")
    sections[name] = SectionText(number)
    return sections[name]


def _add_setting(section: SectionText, line: str, number: int, where: str) -> Setting:
    match = _SETTING.fullmatch(line)
    if match is None:
        raise BadIni(where, number, f"expected `[section]` or `key = value`, found {line[:60]!r}")
    key = match["key"]
    if key in section.settings:
        raise BadIni(where, number, f"{key!r} stands twice in its section, first in line {section.settings[key].line}")
    section.settings[key] = Setting(match["value"], number, number + 1)
    return section.settings[key]


def _prefix(line: str) -> str:
    """Return what stands before the value in the line of a setting."""
    body = line.rstrip("\r\n")
    match = _SETTING.fullmatch(body.lstrip())
    assert match is not None, "the line was parsed as a setting"
    prefix = body[: len(body) - len(match["value"])]
    return prefix if match["value"] else prefix.rstrip() + " "
