"""What a task's hash covers: the function's own source, and every unit of the project that it uses.

The walk is in walk.py, what becomes of each thing found is in units.py; both are specified in
docs/internals/task-hash.md.  This is where they are called from.

The invariant: the same code has the same closure under any hash seed, in any folder, whatever else was imported before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any, NamedTuple

from redun.hashing import hash_blob
from redun.task.changes import UnitChange, describe_changes, diff_records
from redun.task.constants import own_attributes
from redun.task.origin import Place, cells_of, global_place, is_project_class, is_project_function
from redun.task.project import module_name
from redun.task.sources import first_line, text_of_function
from redun.task.units import Unit, forget_made_units, run_walk
from redun.task.walk import Scope, Walk
from redun.value.encoding import set_code_digest

__all__ = [
    "Closure",
    "Unit",
    "UnitChange",
    "collect_closure",
    "describe_changes",
    "diff_records",
    "digest_callable",
    "digest_classes",
    "forget_units",
    "get_code_hash_mode",
    "set_code_hash_mode",
]

CODE_HASH_MODES = ("closure", "function")

_mode = "closure"
_digests: dict[int, tuple[Any, bytes | None]] = {}
_active = threading.local()


class Closure(NamedTuple):
    """A function and what it uses."""

    digest: bytes  # of its own source and what the names in it stand for
    units: tuple[Unit, ...]  # sorted by name
    text: str
    module: str
    line: int  # of the text's first line, from 1


def set_code_hash_mode(mode: str) -> None:
    """Say whether hashes cover a function with what it uses (``closure``), or its own source alone (``function``).

    Process-wide: every hash in a repository's keys must be made in one way.  Hashes already computed stay; the caller
    sets this before the first, or makes the registry forget them.

    Raises:
        ValueError: another mode.
    """
    global _mode
    if mode not in CODE_HASH_MODES:
        raise ValueError(f"expected code_hash to be one of {', '.join(CODE_HASH_MODES)}, found {mode!r}")
    _mode = mode
    forget_units()


def get_code_hash_mode() -> str:
    """Return the mode that hashes are made in."""
    return _mode


def collect_closure(func: Callable[..., Any]) -> Closure:
    """Return what a task's function does, by its source and that of the project's code it uses.

    The function's own redun decorators and the values of its defaults are left out: options never change a result, and
    defaults are filled into the arguments before those are hashed.
    """
    own = _unwrap(func)
    if own is None:
        return _collect_object(func)
    walk = Walk(own)
    place = global_place(own.__globals__, own.__qualname__)._replace(name="")
    if func is not own and _mode == "closure":
        walk.note(func, place.inner("__wrapper__"))
    scope = Scope(own.__globals__, cells_of(own), place)
    text = text_of_function(own)
    module = module_name(own.__globals__)
    if text is None:
        digest = walk.digest_bytecode(own, scope)
        return Closure(digest, run_walk(walk), "", module, own.__code__.co_firstlineno)
    found = text.find_functions(own.__code__)
    nodes = [walk.own_variant(text, node, scope, with_defaults=False) for node in found]
    shown = text.text_of(*found)
    if _mode == "function":
        return Closure(hash_blob(text.facts(*nodes).canonical), (), shown, module, first_line(found[0]))
    digest = walk.digest(text, nodes, scope)
    return Closure(digest, run_walk(walk), shown, module, first_line(found[0]))


def digest_callable(thing: Any) -> bytes | None:
    """Return the digest of the source of a project's function or class with all it uses; None for any other.

    The value layer calls this for a function or class that is passed as a value.
    """
    known = _digests.get(id(thing))
    if known is not None and known[0] is thing:
        return known[1]
    active: set[int] = _active.__dict__.setdefault("things", set())
    if id(thing) in active:
        return hash_blob(b"itself")  # held, deep inside, by a constant that it uses
    active.add(id(thing))
    try:
        digest = _digest_callable(thing)
    finally:
        active.discard(id(thing))
    _digests[id(thing)] = (thing, digest)
    return digest


def digest_classes(classes: Iterable[type]) -> bytes | None:
    """Return what tells states of the project's code of some classes apart; None when none of them is the project's."""
    if _mode == "function":
        return None
    digests = {digest for cls in classes if (digest := digest_callable(cls)) is not None}
    return hash_blob(b"".join(sorted(digests))) if digests else None


def forget_units() -> None:
    """Forget digests of functions passed as values: what they use may have been bound anew."""
    _digests.clear()
    forget_made_units()


def _digest_callable(thing: Any) -> bytes | None:
    is_ours = (isinstance(thing, type) and is_project_class(thing)) or (
        isinstance(thing, FunctionType) and is_project_function(thing)
    )
    if not is_ours:
        return None
    if _mode == "function" and isinstance(thing, FunctionType):
        return collect_closure(thing).digest
    return _collect_object(thing).digest


def _collect_object(thing: Any) -> Closure:
    """Return the closure of something callable that is no plain function: a partial, an instance, a builtin."""
    walk = Walk()
    module = str(getattr(thing, "__module__", None) or type(thing).__module__)
    name = f"{module}.{getattr(thing, '__qualname__', type(thing).__qualname__)}"
    stands = walk.note(thing, Place({}, "", name, name))
    units = run_walk(walk)
    parts = [stands, *(f"{unit.record.name} {unit.record.digest.hex()}" for unit in units)]
    return Closure(hash_blob("\n".join(parts).encode()), units, "", module, 0)


def _unwrap(func: Any) -> FunctionType | None:
    """Return the function at the end of a chain of ``__wrapped__``; None when there is none."""
    seen = set()
    while id(func) not in seen:
        seen.add(id(func))
        func = own_attributes(func).get("__wrapped__", func)
    return func if isinstance(func, FunctionType) else None


set_code_digest(digest_callable)
