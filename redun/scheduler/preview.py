"""Short texts of live values for the run's log: bounded in length and in the work they cost."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

MAX_CHARS = 400
_MAX_ITEMS = 40
_MAX_DEPTH = 4
_QUICK = frozenset({type(None), bool, float})
_LONG = 10**18
"""Python refuses to write integers of more than some thousand digits."""


def preview(value: Any, max_chars: int = MAX_CHARS) -> str:
    """Return the repr of a value, cut to about ``max_chars`` characters; never raises."""
    if type(value) in _QUICK or (type(value) is int and -_LONG < value < _LONG):
        text = repr(value)
    elif type(value) is str:
        text = repr(value) if len(value) <= max_chars else repr(value[:max_chars]) + "..."
    else:
        text = _shown(value, 0)
    return text if len(text) <= max_chars else text[: max_chars - 3] + "..."


def message_of(error: BaseException) -> str:
    """Return an error's own words; never raises, whatever its class makes of being asked."""
    try:
        return str(error)
    except (Exception, SystemExit) as failure:
        return f"<{type(error).__name__} whose message raises {type(failure).__name__}>"


def format_arguments(names: Iterable[str | int], values: Iterable[Any]) -> str:
    """Write the arguments of a call as it would be typed; variadic ones, named by their index, without a name."""
    return ", ".join(
        preview(value) if type(name) is int else f"{name}={preview(value)}" for name, value in zip(names, values)
    )


def _shown(value: Any, depth: int) -> str:
    kind = type(value)
    if kind in (list, tuple, set, frozenset, dict):
        if depth >= _MAX_DEPTH:
            return "..."
        if kind is dict:
            items = [f"{_shown(k, depth + 1)}: {_shown(v, depth + 1)}" for k, v in islice(value.items(), _MAX_ITEMS)]
        else:
            items = [_shown(item, depth + 1) for item in islice(value, _MAX_ITEMS)]
        return _bracketed(kind, items, len(value))
    if kind in (str, bytes, bytearray) and len(value) > MAX_CHARS:
        return repr(value[:MAX_CHARS]) + "..."
    try:
        return repr(value)
    except (Exception, SystemExit) as error:
        return f"<{kind.__name__} whose repr raises {type(error).__name__}>"


def _bracketed(kind: type, items: list[str], length: int) -> str:
    if length > len(items):
        items.append("...")
    body = ", ".join(items)
    if kind is list:
        return f"[{body}]"
    if kind is tuple:
        return f"({body},)" if length == 1 else f"({body})"
    if not length and kind is not dict:
        return f"{kind.__name__}()"
    return f"frozenset({{{body}}})" if kind is frozenset else f"{{{body}}}"
