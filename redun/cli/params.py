"""From the words after TASK to the arguments of a task, by its signature: ``--kebab-case value``.

The annotation says how words are read (``redun/value/arguments.py``, ``redun/value/json_arguments.py``).  The
invariant: a parameter that is listed in the help can be given, and one that cannot be given is not listed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from enum import Enum
from inspect import Parameter
from types import FunctionType
from typing import Any, NamedTuple, get_origin

from redun.errors import ConfigError
from redun.task import Task
from redun.value import InvalidValueError, Value
from redun.value.annotations import (
    choices_of,
    collection_of,
    entry_of,
    fields_of,
    fixed_items_of,
    hints_of,
    is_text,
    is_union,
    item_of,
    members_of,
    unwrap,
)
from redun.value.json_arguments import parse_words

_VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
_MAX_DEFAULT_CHARS = 120


class BadArguments(ConfigError):
    """The words after a task's name do not fit its signature."""

    def __init__(self, message: str, usage: str) -> None:
        super().__init__(message, hint=usage)
        self.usage = usage


class TaskParameter(NamedTuple):
    """One parameter of a task, as the command line knows it.  A named tuple, as each run loads this."""

    name: str
    annotation: Any
    default: Any  # Parameter.empty: it must be given

    @property
    def flag(self) -> str:
        """The option: ``--long-name``."""
        return "--" + self.name.replace("_", "-")

    @property
    def is_required(self) -> bool:
        """Whether it must be given."""
        return self.default is Parameter.empty

    @property
    def metavar(self) -> str:
        """What stands for the value in the usage."""
        return metavar_of(self.annotation)

    @property
    def shown_default(self) -> str:
        """The default as text, as it would be typed where that is another form than Python's; cut where it is long."""
        shown = _show_default(self.default)
        return shown if len(shown) <= _MAX_DEFAULT_CHARS else f"{shown[: _MAX_DEFAULT_CHARS - 3]}..."


def _show_default(default: Any) -> str:
    if isinstance(default, Enum):
        return default.name
    if isinstance(default, FunctionType):
        return f"{default.__module__}.{default.__qualname__}"  # its repr has an address
    if isinstance(default, Value) and isinstance(path := getattr(default, "path", None), str):
        return repr(path)  # a file's repr has its hash, and help reads no files
    return repr(default)


def parameters_of(task: Task[..., Any]) -> list[TaskParameter]:
    """Return the parameters of a task that can be given on the command line, in the order of the signature."""
    hints = hints_of(task.visible_func)
    return [
        TaskParameter(parameter.name, _annotation(hints, parameter), parameter.default)
        for parameter in task.signature.parameters.values()
        if parameter.kind not in _VARIADIC and not _is_job_info(parameter.default)
    ]


def usage_of(task: Task[..., Any]) -> str:
    """Return the usage line of a task, from its signature."""
    words = [f"redun run SCRIPT {task.name}"]
    for parameter in parameters_of(task):
        option = f"{parameter.flag} {parameter.metavar}"
        words.append(option if parameter.is_required else f"[{option}]")
    return "usage: " + " ".join(words)


def parse_arguments(task: Task[..., Any], words: Sequence[str], *, reserved: Collection[str] = ()) -> dict[str, Any]:
    """Read the arguments of a task that are given; ``make_call`` tells whether any is missing.

    Args:
        task: whose signature counts.
        words: what stands after its name.
        reserved: options of the command itself, which stand elsewhere.

    Raises:
        BadArguments: a word fits no parameter, or a value does not fit its annotation.
    """
    parameters = {parameter.flag: parameter for parameter in parameters_of(task)}
    usage = usage_of(task)
    arguments: dict[str, Any] = {}
    for flag, values in _group(words, usage):
        parameter = parameters.get(flag)
        if parameter is None:
            raise BadArguments(f"{task.fullname} has no argument {flag}{_guess(flag, parameters, reserved)}", usage)
        if parameter.name in arguments:
            raise BadArguments(f"{flag} is given twice", usage)
        try:
            arguments[parameter.name] = parse_words(parameter.annotation, values)
        except InvalidValueError as error:
            raise BadArguments(f"{' '.join([flag, *values])}: {error}", usage) from None
    return arguments


def bind_input(task: Task[..., Any], args: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """Return by parameter what a call from elsewhere is given.  Raises BadArguments when the signature refuses it."""
    try:
        return dict(task.signature.bind_partial(*args, **named).arguments)
    except TypeError as error:
        raise BadArguments(f"{task.fullname} does not take these arguments: {error}", usage_of(task)) from None


def bind_recorded(task: Task[..., Any], items: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """Return by parameter what a recorded call was given: ``items`` of ``*args``, and all else by name.

    Raises:
        BadArguments: the signature has changed, and has no place for one of them.
    """
    bound: dict[str, Any] = {}
    novel = dict(named)
    for parameter in task.signature.parameters.values():
        if parameter.kind is Parameter.VAR_POSITIONAL:
            bound[parameter.name], items = tuple(items), ()
        elif parameter.kind is Parameter.VAR_KEYWORD:
            bound[parameter.name], novel = novel, {}
        elif parameter.name in novel:
            bound[parameter.name] = novel.pop(parameter.name)
    if items or novel:
        found = ", ".join([*novel, *(["*args"] if items else [])])
        raise BadArguments(f"{task.fullname} takes no {found} any more", usage_of(task))
    return bound


def make_call(task: Task[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Return the call of a task with arguments by parameter.

    Raises:
        BadArguments: one that has no default is missing.
    """
    missing = [p.flag for p in parameters_of(task) if p.is_required and p.name not in arguments]
    if missing:
        raise BadArguments(f"{task.fullname} needs {', '.join(missing)}", usage_of(task))
    bound = task.signature.bind_partial()
    bound.arguments.update(arguments)
    has_items = any(p.kind is Parameter.VAR_POSITIONAL for p in task.signature.parameters.values())
    for parameter in task.signature.parameters.values():
        # What can be given by position alone needs all before it.
        is_before = parameter.kind is Parameter.POSITIONAL_OR_KEYWORD and has_items
        if (parameter.kind is Parameter.POSITIONAL_ONLY or is_before) and parameter.default is not Parameter.empty:
            bound.arguments.setdefault(parameter.name, parameter.default)
    return task(*bound.args, **bound.kwargs)


def metavar_of(annotation: Any) -> str:
    """Return what stands for a value of a type in a usage line."""
    wanted = unwrap(annotation)
    if is_text(wanted):
        return "TEXT"
    if is_union(wanted):
        return "|".join(dict.fromkeys(map(metavar_of, members_of(wanted))))
    if (choices := choices_of(wanted)) is not None:
        return "{" + ",".join(str(choice) for choice in choices) + "}"
    kind = collection_of(wanted)
    if kind is dict:
        return f"KEY={metavar_of(entry_of(wanted)[1])}..."
    if (fixed := fixed_items_of(wanted)) is not None:
        return " ".join(map(metavar_of, fixed))
    if kind is not None:
        return f"{metavar_of(item_of(wanted))}..."
    return _metavar_of_class(get_origin(wanted) or wanted)


def _metavar_of_class(cls: Any) -> str:
    if cls is bool:
        return "{true,false}"
    if isinstance(cls, type) and issubclass(cls, Enum):
        return "{" + ",".join(cls.__members__) + "}"
    if fields_of(cls) is not None:
        return "JSON"
    name = getattr(cls, "__name__", str(cls))
    return "MODULE.FUNCTION" if name in {"Callable", "FunctionType"} else name.upper()


def _annotation(hints: Mapping[str, Any], parameter: Parameter) -> Any:
    if isinstance(parameter.annotation, str) or parameter.name in hints:
        return hints.get(parameter.name, Any)  # one for type checkers only is taken as text
    return Any if parameter.annotation is Parameter.empty else parameter.annotation


def _is_job_info(default: Any) -> bool:
    """Tell whether the scheduler itself fills a parameter in."""
    return type(default).__name__ == "JobInfo" and type(default).__module__.startswith("redun.")


def _group(words: Sequence[str], usage: str) -> Iterable[tuple[str, list[str]]]:
    groups: list[tuple[str, list[str]]] = []
    for word in words:
        if word.startswith("--") and len(word) > 2:
            flag, equals, value = word.partition("=")
            groups.append((flag.replace("_", "-"), [value] if equals else []))
        elif not groups:
            raise BadArguments(f"expected --name before {word!r}", usage)
        else:
            groups[-1][1].append(word)
    return groups


def _guess(flag: str, parameters: Collection[str], reserved: Collection[str]) -> str:
    if flag in reserved:
        return "; options of the command itself stand before SCRIPT"
    near = get_close_matches(flag, parameters, n=1)
    return f"; did you mean {near[0]}?" if near else ""
