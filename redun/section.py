"""One section of the settings: texts by key, read as numbers, sizes and choices when somebody asks for that.

The invariant: what cannot be read as what is asked for is refused, with file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redun.config import Config

SectionPath = tuple[str, ...]
"""The parts of a section's dotted name."""

_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB)?")
_SIZE_UNITS = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_TRUTHS = {"1": True, "yes": True, "true": True, "on": True, "0": False, "no": False, "false": False, "off": False}


class Section(Mapping[str, Any]):
    """One section: its settings as text, and the sections nested in it.

    ``get``, ``getint``, ``getfloat`` and ``getboolean`` take a default as second argument or as ``fallback``.
    """

    def __init__(self, config: Config, path: SectionPath) -> None:
        self._config = config
        self._path = path

    @property
    def name(self) -> str:
        """The dotted name."""
        return ".".join(self._path)

    def __getitem__(self, key: str) -> Any:
        child = (*self._path, key)
        value = self._config.find_text(self._path, key)
        if value is not None:
            return value
        if self._config.has_section(child):
            return Section(self._config, child)
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return self._config.iter_keys(self._path)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"Section({self.name!r}, {list(self)})"

    def getint(self, key: str, default: int | None = None, *, fallback: int | None = None) -> int | None:
        """Return a whole number.  Raises BadIni when the text is none."""
        found: int | None = self._convert(key, int, "a whole number", default if fallback is None else fallback)
        return found

    def getfloat(self, key: str, default: float | None = None, *, fallback: float | None = None) -> float | None:
        """Return a number.  Raises BadIni when the text is none."""
        found: float | None = self._convert(key, float, "a number", default if fallback is None else fallback)
        return found

    def getboolean(self, key: str, default: bool | None = None, *, fallback: bool | None = None) -> bool | None:
        """Return yes/no, true/false, on/off or 1/0 as a boolean.  Raises BadIni for other texts."""

        def convert(text: str) -> bool:
            return _TRUTHS[text.lower()]

        found: bool | None = self._convert(key, convert, "yes or no", default if fallback is None else fallback)
        return found

    def getsize(self, key: str, default: int) -> int:
        """Return a number of bytes, written plain or with KiB, MiB or GiB.  Raises BadIni for other texts."""

        def convert(text: str) -> int:
            match = _SIZE.fullmatch(text)
            if match is None:
                raise ValueError
            return int(match[1]) * _SIZE_UNITS[match[2]]

        size: int = self._convert(key, convert, "a size (as 16 MiB)", default)
        return size

    def getchoice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        """Return one of the texts allowed.  Raises BadIni for others."""

        def convert(text: str) -> str:
            if text not in choices:
                raise ValueError
            return text

        choice: str = self._convert(key, convert, " or ".join(choices), default)
        return choice

    def _convert(self, key: str, convert: Any, expected: str, default: Any) -> Any:
        text = self._config.find_text(self._path, key)
        if text is None:
            return default
        try:
            return convert(text.strip())
        except (ValueError, KeyError):
            raise self._config.bad(self._path, key, f"expected {expected}, found {text!r}") from None
