"""Arguments that a job changed in place, though others hold them.

A job has containers of its own (``owned.py``), but objects of other classes are shared with whoever else was given
them: copying those may be costly, or impossible.  So they are encoded once more after the run.  An object that is not
what the job was asked with was changed meanwhile, by it or by another job: the result may fit neither state, so the
job is recorded as *unsure*, and a warning names the argument.

Bounded: an argument of more than ``MAX_BYTES`` is not looked at again, nor is one that holds files or handles, whose
changes are told apart by other means.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from types import BuiltinFunctionType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.hashing import Oid
from redun.scheduler.owned import ATOMS
from redun.value.encoding import encode_value
from redun.value.names import dotted_name
from redun.value.nested import iter_nested_value
from redun.value.value import Value

if TYPE_CHECKING:
    from redun.value.encoding import Encoded

MAX_BYTES = 1 << 20
"""Encoding a megabyte takes some milliseconds: as long as it takes to write the job down."""

_FIXED_MODULES = frozenset({"datetime", "decimal", "fractions", "ipaddress", "pathlib", "re", "uuid", "zoneinfo"})
# A bytearray is copied like a container.
_FIXED = (type, Enum, FunctionType, BuiltinFunctionType, complex, range, slice, bytearray, *ATOMS)

_verdicts: dict[type, bool] = {}


class Watched(NamedTuple):
    """An argument that may change while the job runs."""

    name: str | int
    value: Any
    oid: Oid  # what the job was asked with


def watch_arguments(arguments: Iterable[tuple[str | int, Any]], encoded: Sequence[Encoded]) -> list[Watched] | None:
    """Return those arguments that are worth a second look; None when there are none, as for most jobs."""
    watched = [
        Watched(name, value, part.oid)
        for (name, value), part in zip(arguments, encoded)
        if type(value) not in ATOMS and not part.externals and _is_small(part) and _may_change(value)
    ]
    return watched or None


def find_changed(watched: Iterable[Watched]) -> list[str]:
    """Return which arguments are not what they were, each with its type, for people."""
    return [f"argument {name} ({_types_of(value)})" for name, value, oid in watched if not _is_still(value, oid)]


def _is_small(encoded: Encoded) -> bool:
    return len(encoded.data) + sum(len(data) for _, data, _ in encoded.parts) <= MAX_BYTES


def _may_change(value: Any) -> bool:
    if type(value) is list and ATOMS.issuperset(map(type, value)):
        return False
    return any(_can_change(type(leaf)) for leaf in iter_nested_value(value))


def _can_change(kind: type) -> bool:
    known = _verdicts.get(kind)
    if known is None:
        # What redun defines is either fixed, or keeps account of its own changes, as files and handles do.
        is_own = any(
            base.__module__.startswith("redun.") for base in kind.__mro__ if base.__module__ != Value.__module__
        )
        is_fixed = is_own or kind.__module__ in _FIXED_MODULES or issubclass(kind, _FIXED)
        known = _verdicts[kind] = not is_fixed
    return known


def _is_still(value: Any, oid: Oid) -> bool:
    try:
        return encode_value(value).oid == oid
    except Exception:
        return False  # it could be stored before


def _types_of(value: Any) -> str:
    """Name the classes of what may have changed."""
    kinds = dict.fromkeys(type(leaf) for leaf in iter_nested_value(value))
    return ", ".join(dotted_name(kind) for kind in kinds if _can_change(kind))
