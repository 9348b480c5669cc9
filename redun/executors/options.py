"""Options of executors: what there is, what it must be, and what it is when nobody says.

An executor has one table.  Its section of the config is read once, when it is made; what a task or a call says is read
for each job, over that.  The invariant: an option that is unknown or of another type is refused with its name, what was
expected and what was found, before anything is submitted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from math import isfinite
from typing import Any, NamedTuple

from redun.errors import ConfigError, ExecutorError

MAX_SHOWN_CHARS = 200
_TRUTHS = {"1": True, "yes": True, "true": True, "on": True, "0": False, "no": False, "false": False, "off": False}


class BadOption(ExecutorError, ConfigError):
    """An option of an executor is unknown, missing, or not what it must be."""

    def __init__(self, executor: str, option: str, why: str, *, hint: str = "") -> None:
        super().__init__(f"executor {executor!r}: {why}", hint=hint)
        self.executor = executor
        self.option = option


class Kind(NamedTuple):
    """What an option can be."""

    words: str  # for people: "a whole number"
    read_text: Callable[[str], Any]  # from a config file; raises ValueError
    is_fit: Callable[[Any], bool]  # whether a Python value, from a decorator or a call, is one


class Option(NamedTuple):
    """One option."""

    name: str
    kind: Kind
    about: str  # one line, for people
    default: Any = None
    is_required: bool = False
    of_task: bool = True  # whether a task or a call may say it too


def _truth(text: str) -> bool:
    if text.lower() not in _TRUTHS:
        raise ValueError(text)
    return _TRUTHS[text.lower()]


def _json(text: str) -> Any:
    return json.loads(text)


def _json_of(shape: type) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        found = json.loads(text)
        if not isinstance(found, shape):
            raise ValueError(text)  # noqa: TRY004 - one error for a text that does not fit
        return found

    return read


def _words(text: str) -> list[str]:
    if text.lstrip().startswith("["):
        found = json.loads(text)
        if not all(isinstance(part, str) for part in found):
            raise ValueError(text)
        return list(found)
    return [word for line in text.splitlines() for word in line.split()]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _number(text: str) -> float:
    found = float(text)
    if not isfinite(found):
        raise ValueError(text)
    return found


def _are_words(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value))


def choice(*allowed: str) -> Kind:
    """Return the kind of an option that is one of some words."""

    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(text)
        return text

    return Kind(f"one of {', '.join(allowed)}", read, lambda value: value in allowed)


TEXT = Kind("a text", str, lambda value: isinstance(value, str))
FLAG = Kind("true or false", _truth, lambda value: isinstance(value, bool))
WHOLE = Kind("a whole number", int, lambda value: isinstance(value, int) and not isinstance(value, bool))
NUMBER = Kind("a number", _number, _is_number)
WORDS = Kind("a list of texts", _words, _are_words)
"""Python values too may be one text, with the words apart."""
TABLE = Kind("a JSON object", _json_of(dict), lambda value: isinstance(value, Mapping))
ROWS = Kind("a JSON list", _json_of(list), lambda value: isinstance(value, (list, tuple)))
ANY = Kind("a JSON value", _json, lambda _value: True)


class OptionTable:
    """The options of one type of executor."""

    def __init__(self, type_name: str, options: Sequence[Option], *, open_prefix: str = "") -> None:
        """Make a table; ``type`` and ``class`` are known to every one.

        Args:
            type_name: of the executors.
            options: those of the type.
            open_prefix: what the options of another program begin with, which a section may hold to be handed on to
                that program as texts: ``spark.``.  Empty: there are none.
        """
        self.type_name = type_name
        self.open_prefix = open_prefix
        self.options = {option.name: option for option in options}

    def read_section(self, executor: str, section: Mapping[str, Any]) -> dict[str, Any]:
        """Return the value of every option, from a section of the config over the defaults.

        Args:
            executor: the name of the executor, for messages.
            section: texts as they stand in a file, or Python values.

        Raises:
            BadOption: one is unknown, does not fit, or is required and missing.
        """
        values = {name: option.default for name, option in self.options.items()}
        for name in section:
            if name not in {"type", "class", "config_dir"} and section[name] is not None:
                values[name] = self._read(executor, name, section[name])
        for option in self.options.values():
            if option.is_required and values[option.name] is None:
                hint = f"[executors.{executor}] {option.name} = ...: {option.about}"
                raise BadOption(executor, option.name, f"needs option {option.name!r}, found none", hint=hint)
        return values

    def read_task(self, executor: str, values: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the value of every option for one job: what a task and a call say, over the executor's own values.

        Options that are not in the table belong to others (the scheduler, another executor) and are passed over.

        Raises:
            BadOption: one does not fit, or only the config may say it.
        """
        merged = dict(values)
        for name, value in options.items():
            option = self.options.get(name)
            if option is None or value is None:
                continue
            if not option.of_task:
                hint = f"write it in [executors.{executor}]"
                raise BadOption(executor, name, f"option {name!r} cannot be said by a task", hint=hint)
            merged[name] = self._check(executor, option, value)
        return merged

    def _read(self, executor: str, name: str, value: Any) -> Any:
        option = self.options.get(name)
        if option is None and self.open_prefix and name.startswith(self.open_prefix):
            return _text_of(value)
        if option is None:
            near = get_close_matches(name, self.options, n=1)
            hint = f"did you mean {near[0]}?" if near else f"its options: {', '.join(sorted(self.options))}"
            raise BadOption(executor, name, f"{self.type_name} has no option {name!r}", hint=hint)
        if not isinstance(value, str):
            return self._check(executor, option, value)
        try:
            return option.kind.read_text(value)
        except ValueError:
            raise _misfit(executor, option, value) from None

    def _check(self, executor: str, option: Option, value: Any) -> Any:
        if not option.kind.is_fit(value):
            raise _misfit(executor, option, value)
        return _words(value) if option.kind is WORDS and isinstance(value, str) else value


def _text_of(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}..."


def _misfit(executor: str, option: Option, value: Any) -> BadOption:
    why = f"expected option {option.name!r} to be {option.kind.words}, found {_shown(value)}"
    return BadOption(executor, option.name, why, hint=option.about)
