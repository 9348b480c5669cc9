"""Which member of a value it is that cannot be stored, and how Python would reach it.

Runs only after encoding has failed, and may therefore be slow: it encodes members one by one, from the outside in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from redun.value.classes import field_names, is_namedtuple
from redun.value.encoder import NUMBERS, TEXTS, Refused
from redun.value.value import Value

_MAX_STEPS = 100
_MAX_KEY_CHARS = 40


def find_offender(value: Any, refused: Refused, why_refused: Callable[[Any], str | None]) -> tuple[str, Any, str]:
    """Return the path of the innermost member that cannot be encoded, the member, and why.

    Args:
        value: what could not be encoded.
        refused: what was said about it.
        why_refused: tells why something cannot be encoded by itself, None when it can.
    """
    path, why = "", refused.why
    seen = {id(value)}
    for _ in range(_MAX_STEPS):
        found = _first_refused(value, seen, why_refused)
        if found is None:
            break
        step, value, why = found
        seen.add(id(value))
        path += step
    return path, value, why


def _first_refused(value: Any, seen: set[int], why_refused: Callable[[Any], str | None]) -> tuple[str, Any, str] | None:
    for step, member in _iter_members(value):
        if type(member) in NUMBERS or type(member) in TEXTS or id(member) in seen:
            continue
        why = why_refused(member)
        if why is not None:
            return step, member, why
    return None


def _iter_members(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what is within a value, each with the step from the value to it."""
    if isinstance(value, dict):
        for index, (key, member) in enumerate(value.items()):
            yield f".keys()[{index}]", key
            yield f"[{_show_key(key)}]", member
    elif is_namedtuple(type(value)):
        yield from ((f".{name}", member) for name, member in zip(value._fields, value))
    elif isinstance(value, (list, tuple)):
        yield from ((f"[{index}]", member) for index, member in enumerate(value))
    elif isinstance(value, (set, frozenset)):
        yield from ((".pop()", member) for member in value)
    else:
        yield from ((f".{name}", member) for name, member in _attributes(value).items())


def _attributes(value: Any) -> dict[str, Any]:
    if isinstance(value, type):
        return {}
    try:
        if isinstance(value, Value):
            state = value.__getstate__()
            return state if isinstance(state, dict) else {}
        found = dict(getattr(value, "__dict__", ()))
        if hasattr(type(value), "__dataclass_fields__"):
            found.update((name, getattr(value, name)) for name in field_names(type(value)) if hasattr(value, name))
    except Exception:
        return {}  # the user's own code refuses to show more, which may be the very reason why we are here
    return found


def _show_key(key: Any) -> str:
    try:
        text = repr(key)
    except Exception:
        return f"<{type(key).__name__}>"
    return text if len(text) <= _MAX_KEY_CHARS else f"{text[: _MAX_KEY_CHARS - 3]}..."
