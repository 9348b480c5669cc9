"""Short texts of live values for the run's log: bounded in length and in the work they cost."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from typing import Any

from redun.expression import Expression, SimpleExpression, TaskExpression, ValueExpression

MAX_CHARS = 400
_MAX_ITEMS = 40
_MAX_DEPTH = 4
_CONTAINERS = frozenset({list, tuple, set, frozenset, dict})
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
        text = _Shower(max_chars).show(value, 0)
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


class _Shower:
    """Writes one value, until there is more text than will be shown: what is behind that is not looked at."""

    def __init__(self, max_chars: int) -> None:
        self._n_left = max_chars

    def show(self, value: Any, depth: int) -> str:
        kind = type(value)
        if kind in _CONTAINERS or isinstance(value, Expression):
            return self._show_parts(value, depth)
        text = self._show_leaf(value)
        self._n_left -= len(text)
        return text

    def _show_parts(self, value: Any, depth: int) -> str:
        if depth >= _MAX_DEPTH or self._n_left <= 0:
            return "..."
        kind = type(value)
        if isinstance(value, Expression):
            return self._show_expression(value, depth + 1)
        if kind is dict:
            pairs = ((self.show(k, depth + 1), self.show(v, depth + 1)) for k, v in value.items())
            return _bracketed(kind, self._take(f"{k}: {v}" for k, v in pairs), len(value))
        return _bracketed(kind, self._take(self.show(item, depth + 1) for item in value), len(value))

    def _show_expression(self, value: Any, depth: int) -> str:
        """Write a call or an operation as a call: a part may stand in many places, and its repr has no bound."""
        if isinstance(value, ValueExpression):
            return self.show(value.value, depth)
        if not isinstance(value, (TaskExpression, SimpleExpression)):
            return f"{type(value).__name__}(...)"
        args, kwargs = value.args, value.kwargs  # of another class this would be an expression
        named = chain((("", arg) for arg in args), ((f"{name}=", arg) for name, arg in kwargs.items()))
        parts = self._take(f"{name}{self.show(arg, depth)}" for name, arg in named)
        if len(parts) < len(args) + len(kwargs):
            parts.append("...")
        name = value.task_name if isinstance(value, TaskExpression) else value.func_name
        return f"{name}({', '.join(parts)})"

    def _take(self, items: Iterable[str]) -> list[str]:
        taken: list[str] = []
        for item in islice(items, _MAX_ITEMS):
            taken.append(item)
            if self._n_left <= 0:
                break
        return taken

    def _show_leaf(self, value: Any) -> str:
        kind = type(value)
        if kind in (str, bytes, bytearray) and len(value) > MAX_CHARS:
            return repr(value[:MAX_CHARS]) + "..."
        try:
            text = repr(value)
            return " ".join(text.split()) if "\n" in text else text  # a frame's repr is a table, the log's line is one
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
