"""Command-line texts to values, by the annotation of the parameter they are for.

The classes are the hooks of built-in types that are more than a call of the type's constructor; users derive from them
or look them up in the registry, as they do with proxies of their own.
"""

from __future__ import annotations

import collections.abc
from datetime import date, datetime
from enum import Enum
from types import FunctionType
from typing import Any, get_origin

from redun.value.annotations import choices_of, collection_of, fields_of, is_text, is_union, members_of, unwrap
from redun.value.errors import InvalidValueError
from redun.value.names import NotFound, load_module
from redun.value.value import ProxyValue, Value, find_proxy


class BadArgument(InvalidValueError):
    """A text does not stand for a value of the type that is wanted."""

    def __init__(self, expected: str, found: str, *, quoted: bool = True) -> None:
        super().__init__(f"expected {expected}, found {found!r}" if quoted else f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found


class Bool(ProxyValue):
    """Booleans: ``true`` or ``false`` in any case."""

    type = bool
    type_name = "bool"

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> Any:  # noqa: ARG003  (a hook's full signature)
        try:
            return {"true": True, "false": False}[arg.lower()]
        except KeyError:
            raise BadArgument("true or false", arg) from None


class EnumType(ProxyValue):
    """Members of enums: ``RED`` or ``Color.RED``."""

    type = Enum
    type_name = "enum.Enum"

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> Any:
        members = raw_type.__members__
        name = arg.removeprefix(f"{raw_type.__name__}.")
        if name not in members:
            raise BadArgument(f"one of {', '.join(members)}", arg)
        return members[name]


class DatetimeType(ProxyValue):
    """Dates with times: ISO 8601, or whatever dateutil reads when it is installed."""

    type = datetime
    type_name = "datetime.datetime"

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> Any:
        text = f"{arg[:-1]}+00:00" if arg[-1:] in {"Z", "z"} else arg
        try:
            return raw_type.fromisoformat(text)
        except ValueError:
            return _parse_loosely(arg)


class DateType(ProxyValue):
    """Days: ISO 8601, as 2024-02-29."""

    type = date
    type_name = "datetime.date"

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> Any:
        try:
            return raw_type.fromisoformat(arg)
        except ValueError:
            raise BadArgument("a day as YYYY-MM-DD", arg) from None


def _parse_loosely(arg: str) -> Any:
    try:
        from dateutil import parser  # type: ignore[import-untyped]
    except ImportError:
        raise BadArgument("a date and time in ISO 8601", arg) from None
    try:
        return parser.parse(arg)
    except (ValueError, OverflowError):
        raise BadArgument("a date and time", arg) from None


class Set(ProxyValue):
    """Sets: their members separated by commas, as text."""

    type = set
    type_name = "set"

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> Any:
        return raw_type(part.strip() for part in arg.split(",") if part.strip())


class Function(ProxyValue):
    """Functions of modules: ``module.function``."""

    type = FunctionType
    type_name = "function"

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> Any:  # noqa: ARG003  (a hook's full signature)
        module, _, name = arg.rpartition(".")
        if not module:
            raise BadArgument("a function as module.function", arg)
        try:
            found = getattr(load_module(module), name)
        except (NotFound, AttributeError) as error:
            raise BadArgument("a function as module.function", arg) from error
        if not callable(found):
            raise BadArgument("a function as module.function", arg)
        return found


def parse_argument(annotation: Any, arg: str) -> Any:
    """Return the value that a command-line text stands for.

    Collections and records are read from JSON; of a union, the first member that fits, text last.

    Args:
        annotation: of the parameter; ``json_arguments.parse_words`` reads collections of several words.
        arg: the text as typed.

    Raises:
        BadArgument: it does not stand for such a value.
    """
    wanted = unwrap(annotation)
    if is_text(wanted):
        return arg
    if is_union(wanted):
        return _parse_union(wanted, arg)
    if (choices := choices_of(wanted)) is not None:
        return _parse_choice(choices, arg)
    origin = get_origin(wanted) or wanted
    hooks = _hooks_of(origin)
    is_made_of_parts = collection_of(wanted) is not None or fields_of(wanted) is not None
    if is_made_of_parts and (hooks is None or wanted is not origin):
        from redun.value.json_arguments import parse_json

        return parse_json(wanted, arg)
    name = getattr(origin, "__name__", repr(origin))
    try:
        return _make(origin, arg) if hooks is None else hooks.parse_arg(origin, arg)
    except InvalidValueError:
        raise
    except Exception as error:
        raise BadArgument(f"a value of type {name}", arg) from error


def _parse_union(annotation: Any, arg: str) -> Any:
    members = members_of(annotation)
    for member in members:
        try:
            return parse_argument(member, arg)
        except InvalidValueError:
            continue
    raise BadArgument(f"one of {', '.join(getattr(m, '__name__', str(m)) for m in members)}", arg)


def _parse_choice(choices: tuple[Any, ...], arg: str) -> Any:
    for choice in choices:
        if arg == (choice.name if isinstance(choice, Enum) else str(choice)):
            return choice
    raise BadArgument(f"one of {', '.join(map(str, choices))}", arg)


def _make(origin: Any, arg: str) -> Any:
    return arg.encode() if origin is bytes else origin(arg)


def _hooks_of(origin: Any) -> Any:
    if isinstance(origin, type) and issubclass(origin, Value):
        return origin
    return Function if origin is collections.abc.Callable else find_proxy(origin)
