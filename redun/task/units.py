"""From a target of a walk to a unit: its kind, its digest, its text.

What each kind of unit covers is specified in docs/internals/task-hash.md.  The invariant: a unit changes whenever what
it does could; where that cannot be told from the source, it falls back on something coarser, never on nothing.
"""

from __future__ import annotations

from reprlib import Repr
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from redun.hashing import hash_blob
from redun.objects.task_records import UnitRecord
from redun.task.constants import ATOMS, Examiner, Skeleton, hash_constant, holds_absolute_path, is_code
from redun.task.origin import (
    Place,
    absolute_name,
    cells_of,
    class_namespace,
    find_home,
    functions_of,
    global_place,
    is_nested,
    is_project_class,
    is_project_function,
    text_of_namespace,
)
from redun.task.project import is_project_name, module_name
from redun.task.sources import ModuleText, first_line, text_of_function
from redun.task.walk import Scope, Target, Walk, WholeModule


class Unit(NamedTuple):
    """One piece of the project that a task uses, with its text for people."""

    record: UnitRecord
    text: str
    module: str
    line: int  # of the text's first line in its file, from 1; 0 when it has none

    @property
    def hash(self) -> str:
        """The unit's oid as hex digits."""
        return self.record.encode()[0].hex()


def run_walk(walk: Walk) -> tuple[Unit, ...]:
    """Follow everything that a walk has noted, and return the units sorted by name."""
    units: dict[tuple[str, bytes], Unit] = {}
    while walk.pending:
        unit = _make_once(walk, walk.pending.popleft())
        units[unit.record.name, unit.record.digest] = unit
    return tuple(unit for _, unit in sorted(units.items(), key=lambda item: item[0]))


class _Made(NamedTuple):
    target: Target  # held, so that no other object gets its id
    unit: Unit
    noted: tuple[Target, ...]


_made: dict[tuple[int, int, str], _Made] = {}


def forget_made_units() -> None:
    """Look at everything anew: names may have been bound to other things, and constants changed."""
    _made.clear()


def _make_once(walk: Walk, target: Target) -> Unit:
    """Return the unit of a target; what many tasks share is worked out for the first of them."""
    if not target.is_shared():
        return _make(walk, target)
    key = (id(target.thing), id(target.place.namespace), target.name)
    known = _made.get(key)
    if known is None:
        walk.noted = []
        unit = _make(walk, target)
        known = _made[key] = _Made(target, unit, tuple(walk.noted))
    else:
        walk.replay(known.noted)
    return known.unit


def _make(walk: Walk, target: Target) -> Unit:
    thing = target.thing
    if isinstance(thing, WholeModule):
        return _make_module(walk, thing)
    if isinstance(thing, FunctionType) and is_project_function(thing):
        return _make_function(walk, thing, target)
    if isinstance(thing, type) and is_project_class(thing):
        return _make_class(walk, thing, target)
    return _make_value(walk, target)


def _make_function(walk: Walk, func: FunctionType, target: Target) -> Unit:
    module = module_name(func.__globals__)
    place = target.place._replace(label=target.name)
    scope = Scope(func.__globals__, cells_of(func), place)
    if is_nested(func):
        # Its defaults were evaluated where it was made, by names that are gone.
        defaults = [*enumerate(func.__defaults__ or ()), *sorted((func.__kwdefaults__ or {}).items())]
        for name, value in defaults:
            walk.note(value, place.inner(f"default-{name}"))
    text = text_of_function(func)
    if text is None:
        record = UnitRecord("bytecode", target.name, walk.digest_bytecode(func, scope))
        return Unit(record, "", module, func.__code__.co_firstlineno)
    found = text.find_functions(func.__code__)
    nodes: list[Any] = [walk.own_variant(text, node, scope, with_defaults=True) for node in found]
    if func.__qualname__ == func.__code__.co_name:
        nodes += text.find_changes(func.__name__)
    record = UnitRecord("function", target.name, walk.digest(text, nodes, scope))
    return Unit(record, text.text_of(*found), module, first_line(found[0]))


def _make_class(walk: Walk, cls: type, target: Target) -> Unit:
    namespace = class_namespace(cls)
    assert namespace is not None  # only classes of the project become targets
    place = target.place._replace(label=target.name)
    for base in (*cls.__bases__, type(cls)):
        walk.note_class(base, place.inner(base.__name__))
    text = text_of_namespace(namespace)
    nodes = [] if text is None else text.find_classes(cls.__qualname__)
    if text is None or not nodes:
        # Made by a call, such as a named tuple's: the statement tells how.
        names = sorted(name for name in (text.bound if text else ()) if namespace.get(name) is cls)
        home = global_place(namespace, names[0]) if names else place
        return _make_assignment(walk, home, target.name) or _make_typed_in_class(walk, cls, place)
    own = [func for func in functions_of(cls) if func.__code__.co_filename == text.path]
    if not all(text_of_function(func) for func in own):
        return _make_typed_in_class(walk, cls, place)
    cells: dict[str, Any] = {}
    for func in own:
        cells.update(cells_of(func))
    cells.pop("__class__", None)
    changes = text.find_changes(cls.__qualname__)
    record = UnitRecord("class", target.name, walk.digest(text, [*nodes, *changes], Scope(namespace, cells, place)))
    return Unit(record, text.text_of(*nodes), module_name(namespace), first_line(nodes[0]))


def _make_typed_in_class(walk: Walk, cls: type, place: Place) -> Unit:
    """Take a class that has no source, or whose source has been edited since, by its members."""
    parts = [cls.__qualname__]
    members = dict(vars(cls))
    members.pop("__firstlineno__", None)  # since Python 3.13 a class knows its line, which is no part of it
    parts += [f"{name}={member!r}" for name, member in sorted(members.items()) if type(member) in ATOMS]
    for func in sorted(functions_of(cls), key=lambda func: (func.__qualname__, func.__code__.co_firstlineno)):
        scope = Scope(func.__globals__, cells_of(func), place)
        parts.append(f"{func.__qualname__}={walk.digest_bytecode(func, scope).hex()}")
    record = UnitRecord("bytecode", place.label, hash_blob("\n".join(parts).encode("utf-8", "surrogatepass")))
    return Unit(record, "", cls.__module__, 0)


def _make_module(walk: Walk, whole: WholeModule) -> Unit:
    package = {"__package__": whole.name.rpartition(".")[0]}
    for entry in whole.text.every_import():
        path = absolute_name(entry, package)
        if is_project_name(path):
            walk.note_whole_module(path)
    record = UnitRecord("module", whole.name, hash_blob(whole.text.facts(whole.text.tree).canonical))
    return Unit(record, whole.text.text, whole.name, 1)


def _make_value(walk: Walk, target: Target) -> Unit:
    thing, home = target.thing, target.place
    if not (is_code(thing) or isinstance(thing, ModuleType)):
        skeleton = _plain_skeleton(walk, target)
        oid = None if skeleton is None else hash_constant(skeleton.value)
        if skeleton is not None and oid is not None:
            text = f"{target.name.rpartition('.')[2]} = {_SHORTENER.repr(skeleton.value)}\n"
            return Unit(UnitRecord("constant", target.name, oid), text, module_name(home.namespace), 0)
        walk.note_type(thing, target.place)
    made = _make_assignment(walk, home, target.name)
    if made is not None:
        return made
    kind = f"{type(thing).__module__}.{type(thing).__qualname__}"
    return Unit(UnitRecord("constant", target.name, hash_blob(kind.encode())), kind, module_name(home.namespace), 0)


def _plain_skeleton(walk: Walk, target: Target) -> Skeleton | None:
    """Return what a constant is made of, if it has a structural form; note the code in it in any case."""
    count = 0

    def note(code: Any) -> str:
        nonlocal count
        count += 1
        return walk.note(code, target.place.inner(str(count)))

    try:
        skeleton = Examiner(note, is_project_class).examine(target.thing)
    except Exception:  # containers of the user's own may raise anything
        skeleton = Skeleton(None, is_plain=False)
    if not skeleton.is_plain or _is_place_of_checkout(target.thing, target.place):
        return None
    return skeleton


def _make_assignment(walk: Walk, home: Place, name: str) -> Unit | None:
    """Take the statements that bind or change a name; None when no module of the project has any."""
    text = text_of_namespace(home.namespace) if home.name else None
    nodes: list[Any] = [] if text is None else text.statements.get(home.name, [])
    if text is None or not nodes:
        return None
    record = UnitRecord("assignment", name, walk.digest(text, nodes, Scope(home.namespace, {}, home)))
    return Unit(record, text.text_of(*nodes), module_name(home.namespace), first_line(nodes[0]))


def _is_place_of_checkout(value: Any, home: Place) -> bool:
    """Tell whether a constant is a path worked out from ``__file__``, which is another in each checkout."""
    if not holds_absolute_path(value):
        return False
    pending = [home]
    seen: set[tuple[int, str]] = set()
    while pending:
        place = pending.pop()
        text = _unseen_text(place, seen)
        if text is None:
            continue
        for ref in text.facts(*text.statements.get(place.name, [])).references:
            if ref.root == "__file__":
                return True
            inner = global_place(place.namespace, ref.root)
            pending.append(find_home(inner, place.namespace.get(ref.root)))
    return False


def _unseen_text(place: Place, seen: set[tuple[int, str]]) -> ModuleText | None:
    key = (id(place.namespace), place.name)
    if not place.name or key in seen:
        return None
    seen.add(key)
    return text_of_namespace(place.namespace)


_SHORTENER = Repr()
_SHORTENER.maxlevel = 8
_SHORTENER.maxstring = _SHORTENER.maxother = _SHORTENER.maxlong = 500
_SHORTENER.maxlist = _SHORTENER.maxtuple = _SHORTENER.maxdict = _SHORTENER.maxset = _SHORTENER.maxfrozenset = 50
