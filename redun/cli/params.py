"""From the words after TASK to the arguments of a task, by its signature: ``--kebab-case value``.

The annotation says how a word is read: none and str as text; int and float by their constructors; bool as true or
false; an Enum by the name of a member; list[T] as one or more words; Optional[T] as T; date and datetime in ISO 8601;
Callable as module.func; a Value such as File by its ``parse_arg``.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from importlib import import_module
from inspect import Parameter
from typing import Any, Union

from redun.errors import ConfigError
from redun.task import Task
from redun.value import InvalidValueError, get_type_registry

_BOOLEANS = {"true": True, "false": False}


class BadArguments(ConfigError):
    """The words after a task's name do not fit its signature."""

    def __init__(self, message: str, usage: str) -> None:
        super().__init__(message, hint=usage)
        self.usage = usage


def usage_of(task: Task[..., Any]) -> str:
    """Return the usage line of a task, from its signature."""
    words = [f"redun run SCRIPT {task.name}"]
    for parameter in _parameters(task):
        option = f"{_flag(parameter.name)} {_metavar(_annotation(task, parameter))}"
        words.append(option if parameter.default is Parameter.empty else f"[{option}]")
    return "usage: " + " ".join(words)


def help_of(task: Task[..., Any]) -> str:
    """Return what ``redun run SCRIPT TASK help`` prints: usage, the docstring, and each argument with its default."""
    from inspect import getdoc

    lines = [usage_of(task), "", task.fullname]
    if doc := getdoc(task.func):
        lines += ["", *(f"  {line}".rstrip() for line in doc.splitlines())]
    rows = []
    for parameter in _parameters(task):
        kind = _metavar(_annotation(task, parameter))
        default = "required" if parameter.default is Parameter.empty else f"default {parameter.default!r}"
        rows.append(f"  {_flag(parameter.name)} {kind}  ({default[:120]})")
    return "\n".join([*lines, "", "Arguments:", *(rows or ["  none"])])


def parse_arguments(task: Task[..., Any], words: Sequence[str]) -> dict[str, Any]:
    """Read the arguments of a task.

    Raises:
        BadArguments: a word fits no parameter, a value does not fit its annotation, or a required one is missing.
    """
    parameters = {_flag(parameter.name): parameter for parameter in _parameters(task)}
    usage = usage_of(task)
    arguments: dict[str, Any] = {}
    for flag, values in _group(words, usage):
        parameter = parameters.get(flag)
        if parameter is None:
            raise BadArguments(f"{task.fullname} has no argument {flag}", usage)
        if parameter.name in arguments:
            raise BadArguments(f"{flag} is given twice", usage)
        try:
            arguments[parameter.name] = _read_values(_annotation(task, parameter), values)
        except (ValueError, TypeError, KeyError, AttributeError, ImportError, InvalidValueError) as error:
            raise BadArguments(f"{' '.join([flag, *values])}: {error}", usage) from None
    missing = [
        flag
        for flag, parameter in parameters.items()
        if parameter.default is Parameter.empty and parameter.name not in arguments
    ]
    if missing:
        raise BadArguments(f"{task.fullname} needs {', '.join(missing)}", usage)
    return arguments


def _parameters(task: Task[..., Any]) -> list[Parameter]:
    variadic = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return [parameter for parameter in task.signature.parameters.values() if parameter.kind not in variadic]


def _annotation(task: Task[..., Any], parameter: Parameter) -> Any:
    if isinstance(parameter.annotation, str):
        try:
            return typing.get_type_hints(task.func).get(parameter.name, Any)
        except Exception:
            return Any  # an annotation for type checkers only; the word is taken as text
    return Any if parameter.annotation is Parameter.empty else parameter.annotation


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


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


def _unwrap_optional(annotation: Any) -> Any:
    if typing.get_origin(annotation) in (Union, types.UnionType):
        members = [member for member in typing.get_args(annotation) if member is not type(None)]
        return members[0] if len(members) == 1 else Any
    return annotation


def _read_values(annotation: Any, values: list[str]) -> Any:
    annotation = _unwrap_optional(annotation)
    if typing.get_origin(annotation) in (list, Sequence) or annotation is list:
        (item,) = typing.get_args(annotation) or (str,)
        if not values:
            raise ValueError("expected one or more values, found none")
        return [_read(_unwrap_optional(item), value) for value in values]
    if len(values) != 1:
        raise ValueError(f"expected one value, found {len(values)}")
    return _read(annotation, values[0])


def _read(annotation: Any, word: str) -> Any:
    if annotation in (Any, str) or isinstance(annotation, typing.TypeVar):
        return word
    if annotation is bool:
        if word.lower() not in _BOOLEANS:
            raise ValueError(f"expected true or false, found {word!r}")
        return _BOOLEANS[word.lower()]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        name = word.removeprefix(f"{annotation.__name__}.")
        if name not in annotation.__members__:
            raise ValueError(f"expected one of {', '.join(annotation.__members__)}, found {word!r}")
        return annotation[name]
    if typing.get_origin(annotation) is Callable or annotation is Callable:
        module_name, _, function = word.rpartition(".")
        return getattr(import_module(module_name), function)
    if isinstance(annotation, type):
        return get_type_registry().parse_arg(annotation, word)
    raise TypeError(f"arguments of type {annotation} cannot be given on the command line")


def _metavar(annotation: Any) -> str:
    annotation = _unwrap_optional(annotation)
    if typing.get_origin(annotation) is list or annotation is list:
        (item,) = typing.get_args(annotation) or (str,)
        return f"{_metavar(item)}..."
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "{" + ",".join(annotation.__members__) + "}"
    name = "TEXT" if annotation in (Any, str) else getattr(annotation, "__name__", str(annotation))
    return name.upper()
