"""What a constant is made of: a value to be hashed, and the code found inside it.

A container of functions (a dispatch table) is a value in which each function is replaced by its name; the functions
are followed as code.  What has no structural form (a logger, a lock, a client) has no skeleton: there the statements
that made it are hashed in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, NamedTuple

from redun.hashing import Oid
from redun.value.value import Value

ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes, bytearray, range, slice})
_LEAF_MODULES = frozenset(
    {"datetime", "decimal", "fractions", "uuid", "pathlib", "zoneinfo", "numpy", "pandas", "pyarrow"}
)
_CODE = (FunctionType, BuiltinFunctionType, type)
_MAX_NESTING = 200


class Skeleton(NamedTuple):
    """A value with its code replaced by names, or the news that it has no structural form."""

    value: Any
    is_plain: bool


def own_attributes(thing: Any) -> dict[str, Any]:
    """Return an object's own attributes, running no code of its class: a proxy may do anything when asked."""
    try:
        found = object.__getattribute__(thing, "__dict__")
    except AttributeError:
        return {}
    return found if isinstance(found, dict) else {}


def is_code(thing: Any) -> bool:
    """Tell whether a value is a function, a class, or wraps a function as ``functools.wraps`` and ``lru_cache`` do."""
    return isinstance(thing, _CODE) or ("__wrapped__" in own_attributes(thing) and callable(thing))


class Examiner:
    """Takes one constant apart.  ``note`` is told of each piece of code in it and returns its name."""

    def __init__(self, note: Callable[[Any], str], is_project_class: Callable[[type], bool]) -> None:
        self._note = note
        self._is_project_class = is_project_class
        self._is_plain = True
        self._open: set[int] = set()

    def examine(self, value: Any) -> Skeleton:
        """Return the value's skeleton; whatever code it holds is noted even when it has none."""
        skeleton = self._walk(value)
        return Skeleton(skeleton, self._is_plain)

    def _walk(self, value: Any) -> Any:
        kind = type(value)
        if kind in ATOMS:
            return value
        if id(value) in self._open or len(self._open) > _MAX_NESTING:
            return self._refuse()
        self._open.add(id(value))
        try:
            return self._walk_one(value, kind)
        finally:
            self._open.discard(id(value))

    def _walk_one(self, value: Any, kind: type) -> Any:
        if is_code(value):
            return f"<{self._note(value)}>"
        if is_task(value):
            return ["task", *map(self._walk, value.reference_parts())]
        if isinstance(value, (partial, MethodType)):
            return self._walk_applied(value)
        is_ours = self._is_project_class(kind)
        if is_ours:
            self._note(kind)
        parts = self._parts_of(value, kind, is_ours)
        if parts is None:
            return self._refuse()
        walked = self._walk_all(parts)
        if walked is parts:
            return value
        # The order of a set depends on the hash seed; the names of code in it do not.
        return [kind.__qualname__, *(sorted(walked, key=repr) if isinstance(value, (set, frozenset)) else walked)]

    def _parts_of(self, value: Any, kind: type, is_ours: bool) -> list[Any] | None:
        """Return what may hold code in a value; nothing for a leaf, None for what has no structural form."""
        if isinstance(value, dict):
            return [*value, *value.values()]
        if isinstance(value, (list, tuple, set, frozenset)):
            return list(value)
        if is_ours and isinstance(value, Value) and type(value).serialize is Value.serialize:
            return [value.__getstate__()]
        if isinstance(value, (Enum, Value)) or str(kind.__module__).partition(".")[0] in _LEAF_MODULES:
            return []
        fields = getattr(kind, "__dataclass_fields__", None)
        if fields is None:
            return None
        return [part for name in fields for part in (name, getattr(value, name, None))]

    def _walk_applied(self, value: Any) -> Any:
        if isinstance(value, partial):
            return ["partial", *map(self._walk, (value.func, list(value.args), dict(value.keywords)))]
        return ["method", self._walk(value.__func__), self._walk(value.__self__)]

    def _walk_all(self, members: list[Any]) -> list[Any]:
        if ATOMS.issuperset(map(type, members)):
            return members
        walked = [self._walk(member) for member in members]
        return members if all(new is old for new, old in zip(walked, members)) else walked

    def _refuse(self) -> None:
        self._is_plain = False


def is_task(thing: Any) -> bool:
    """Tell whether a value is a task or a partial one, which are judged on their own."""
    return hasattr(type(thing), "reference_parts")


def hash_constant(value: Any) -> Oid | None:
    """Return the value hash of a plain constant; None when it takes a pickle, or cannot be encoded at all."""
    from redun.value.encoding import encode_value, find_pickled_types

    try:
        encoded = encode_value(value)
    except Exception:  # hooks of users' classes may raise anything
        return None
    return None if find_pickled_types(encoded) else encoded.oid


def holds_absolute_path(value: Any) -> bool:
    """Tell whether a text or path in a constant is an absolute path: such a value differs from checkout to checkout."""
    pending = [value]
    while pending:
        member = pending.pop()
        if isinstance(member, dict):
            pending += [*member, *member.values()]
        elif isinstance(member, (list, tuple, set, frozenset)):
            pending += member
        elif isinstance(member, (str, PurePath)) and PurePath(member).is_absolute():
            return True
    return False
