"""The walk from a function over the project's code that it uses.

Theory of operation.  A *unit* is a function, a class or a constant.  Its digest covers its own canonical source and
its *bindings*: for each name that it takes from outside, what the name stands for.  A binding names its target and
does not hold its digest, so functions that call each other make no cycle; the target is a unit of its own.  Without
bindings, ``from helpers import a as f, b as g`` could swap ``a`` and ``b`` and change no unit at all.

``Walk`` holds the targets found and not yet looked at.  ``note`` takes any object that a name led to, says what it is
called, and adds it to the targets when it belongs to the project.  units.py turns each target into a unit once, and
notes what it uses in turn.  Nothing is recursive.

What units are called: a function or class at the top of a module by module and qualified name.  A function made
inside another, or a lambda, by the name that led to it, since many of them share one qualified name and differ in what
their cells hold.  A constant by the module and name that led to it.

The invariant: units depend on the code and the constants alone; not on the order of imports, the hash seed or the
folder, and on the Python version only where there is no source.
"""

from __future__ import annotations

import builtins
import sys
from collections import deque
from importlib import import_module
from importlib.util import find_spec
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, NamedTuple

from redun.hashing import hash_blob
from redun.task.bytecode import digest_code, iter_codes
from redun.task.constants import is_code, is_task, own_attributes
from redun.task.names import Import, Reference
from redun.task.origin import (
    MISSING,
    Place,
    absolute_name,
    class_namespace,
    find_home,
    global_place,
    is_bound_here,
    is_nested,
    is_project_class,
    is_project_function,
    is_redun_name,
    member_of,
    text_of_namespace,
    written_imports,
)
from redun.task.project import is_project_module, is_project_name, module_name
from redun.task.sources import Definition, ModuleText, get_text

# Set by the import system, different in every checkout, and no part of what a module says.
_IMPORT_SYSTEM_NAMES = frozenset(
    {
        "__name__",
        "__file__",
        "__doc__",
        "__package__",
        "__loader__",
        "__spec__",
        "__path__",
        "__cached__",
        "__builtins__",
    }
)


class Scope(NamedTuple):
    """What the names of a piece of source stand for."""

    namespace: dict[str, Any]
    cells: dict[str, Any]
    place: Place  # of the piece itself; what its cells hold is called after it


class Target(NamedTuple):
    """An object of the project that is to become a unit."""

    thing: Any
    place: Place
    name: str

    def is_shared(self) -> bool:
        """Tell whether every walk that comes to this object calls it and all below it the same."""
        return self.name == self.place.label == self.place.top


class WholeModule(NamedTuple):
    """A module of the project that is used as a whole, or cannot be imported here: its text stands for all it does."""

    name: str
    text: ModuleText


class Walk:
    """One walk; used once."""

    def __init__(self, own: FunctionType | None = None) -> None:
        self._own = own  # the function that the walk is for: no unit of itself
        self.pending: deque[Target] = deque()
        self.noted: list[Target] = []
        """What was noted since somebody cleared this, whether seen before or not."""
        self._seen: dict[tuple[int, str], Target] = {}  # holds its objects: the id of a dead one may come again
        self._nested: dict[tuple[str, int], str] = {}

    def add(self, target: Target) -> None:
        """Follow an object, once."""
        self.noted.append(target)
        key = (id(target.thing), target.name)
        if key not in self._seen:
            self._seen[key] = target
            self.pending.append(target)

    def replay(self, noted: tuple[Target, ...]) -> None:
        """Follow what another walk has noted below a shared object."""
        for target in noted:
            if isinstance(target.thing, FunctionType) and is_nested(target.thing):
                self._nested.setdefault((target.place.top, id(target.thing)), target.name)
            self.add(target)

    # -- what a piece of source takes from outside

    def digest(self, text: ModuleText, nodes: list[Any], scope: Scope) -> bytes:
        """Return the digest of nodes with their bindings, and note what they use."""
        facts = text.facts(*nodes)
        bindings = [f"\n{ref}={stands}" for ref in facts.references if (stands := self._resolve(ref, scope))]
        return hash_blob(facts.canonical + "".join(bindings).encode())

    def digest_bytecode(self, func: FunctionType, scope: Scope) -> bytes:
        """Return the digest of a function that has no source, and note what its bytecode names."""
        names = sorted({name for code in iter_codes(func.__code__) for name in code.co_names})
        bindings = []
        for name in [*names, *sorted(scope.cells)]:
            # Which names are attributes of which, bytecode tells only to who interprets it; so all are tried.
            module = scope.namespace.get(name)
            is_module = _is_project_module(module)
            tries = [Reference(name, (attr,), None) for attr in names if hasattr(module, attr)] if is_module else []
            tries = tries or [Reference(name, (), None)]
            bindings += [f"\n{ref}={self._resolve(ref, scope)}" for ref in tries]
        return hash_blob(digest_code(func.__code__) + "".join(bindings).encode())

    def own_variant(self, text: ModuleText, node: Definition, scope: Scope, *, with_defaults: bool) -> Definition:
        """Return a definition without redun's own decorators, and without its defaults when asked."""
        decorators = getattr(node, "decorator_list", [])
        names = {**scope.namespace, **scope.cells} if decorators else {}
        dropped = tuple(i for i, decorator in enumerate(decorators) if is_redun_name(decorator, names))
        return text.variant(node, dropped, with_defaults=with_defaults)

    def _resolve(self, ref: Reference, scope: Scope) -> str:
        """Return what a reference stands for, or an empty string for builtins and what cannot be known."""
        if ref.imported is not None:
            return self._resolve_import(ref, scope)
        if ref.root in scope.cells:
            return self._reach(scope.cells[ref.root], ref.attrs, scope.place.inner(ref.root))
        if ref.root in scope.namespace and ref.root not in _IMPORT_SYSTEM_NAMES:
            return self._reach(scope.namespace[ref.root], ref.attrs, global_place(scope.namespace, ref.root))
        if hasattr(builtins, ref.root):
            return ""
        written = written_imports(global_place(scope.namespace, ref.root))
        return f"import {_joined(written)}" if written else ""

    def _resolve_import(self, ref: Reference, scope: Scope) -> str:
        """Resolve a name that a function imports itself; modules of the project are imported for it."""
        imported = ref.imported
        assert imported is not None
        module_path = absolute_name(imported, scope.namespace)
        attrs = (imported.attr, *ref.attrs) if imported.attr else ref.attrs
        if not is_project_name(module_path):
            return f"import {module_path} {'.'.join(attrs)}"
        try:
            module = import_module(module_path)
        except Exception:  # it may need what only a worker has
            return self.note_whole_module(module_path)
        return self._reach(module, attrs, Place(vars(module), "", module_path, module_path))

    def note_whole_module(self, name: str) -> str:
        text = _find_text(name)
        if text is not None:
            self.add(Target(WholeModule(name, text), Place({}, "", name, name), name))
        return f"module {name}"

    def _reach(self, thing: Any, attrs: tuple[str, ...], place: Place) -> str:
        for attr in attrs:
            if not isinstance(thing, ModuleType) or not is_project_module(thing):
                break
            member = member_of(thing, attr)
            if member is MISSING:
                break
            place = global_place(vars(thing), attr)
            thing = member
        return self.note(thing, place)

    # -- what an object is called, and whether it is followed

    def note(self, thing: Any, place: Place) -> str:
        """Return what an object is called in a binding; it is followed when it belongs to the project."""
        if thing is self._own:
            return "self"
        written = written_imports(place)
        is_ours = any(is_project_name(absolute_name(entry, place.namespace)) for entry in written)
        if written and not is_ours and not is_bound_here(place):
            return self._name_foreign(thing, place)
        if is_task(thing) and len(parts := thing.reference_parts()) == 1:
            return f"task {parts[0]}"
        if isinstance(thing, FunctionType):
            return self._note_function(thing, place)
        if isinstance(thing, type):
            return self.note_class(thing, place)
        if _is_project_module(thing):
            # Used as a whole: handed on, or asked for names that are worked out.
            return self.note_whole_module(thing.__name__)
        if isinstance(thing, (ModuleType, BuiltinFunctionType)):
            return self._name_foreign(thing, place)
        if is_code(thing):
            self.note_type(thing, place)
            return self.note(own_attributes(thing)["__wrapped__"], place)
        home = find_home(place, thing)
        self.add(Target(thing, home, home.label))
        return f"value {home.label}"

    def _note_function(self, func: FunctionType, place: Place) -> str:
        names = []
        if is_project_function(func):
            name = self._name_function(func, place)
            self.add(Target(func, place if is_nested(func) else Place(func.__globals__, "", name, name), name))
            names.append(f"code {name}")
        extra = vars(func)
        wrapped = extra.get("__wrapped__")
        if wrapped is not None and wrapped is not func:
            names.append(self.note(wrapped, place.inner("__wrapped__")))
        if hasattr(func, "dispatch") and hasattr(extra.get("registry"), "items"):
            # functools.singledispatch: implementations that only a decorator names
            kinds = sorted((cls.__module__, cls.__qualname__, impl) for cls, impl in extra["registry"].items())
            names += [f"{cls}: {self.note(impl, place.inner(cls))}" for _, cls, impl in kinds]
        return " of ".join(names) or self._name_foreign(func, place)

    def _name_function(self, func: FunctionType, place: Place) -> str:
        if not is_nested(func):
            return f"{module_name(func.__globals__)}.{func.__qualname__}"
        # One function of a factory is known by one name below one global, or mutual recursion would never end.
        key = (place.top, id(func))
        if key not in self._nested:
            code_name = func.__code__.co_name
            self._nested[key] = place.label if code_name == "<lambda>" else f"{place.label}:{code_name}"
        return self._nested[key]

    def note_class(self, cls: type, place: Place) -> str:
        namespace = class_namespace(cls)
        if namespace is None or not is_project_class(cls):
            return self._name_foreign(cls, place)
        if "<locals>" in cls.__qualname__:
            name = f"{place.label}:{cls.__name__}"
        else:
            name = f"{module_name(namespace)}.{cls.__qualname__}"
            place = Place(namespace, "", name, name)
        self.add(Target(cls, place, name))
        return f"code {name}"

    def note_type(self, thing: Any, place: Place) -> None:
        if is_project_class(type(thing)):
            self.note_class(type(thing), place.inner("__class__"))

    def _name_foreign(self, thing: Any, place: Place) -> str:
        """Name what is not followed, by the import statement where there is one: modules move between Pythons."""
        module = thing.__name__ if isinstance(thing, ModuleType) else str(getattr(thing, "__module__", ""))
        written = written_imports(place)
        if is_bound_here(place):
            self.add(Target(thing, place, place.label))
            return f"value {place.label} {_joined(written)}"
        if len(written) == 1:
            return f"import {written[0]}"
        if written:
            return f"import {_joined(written)}: {module.partition('.')[0]}"
        qualname = getattr(thing, "__qualname__", "")
        return f"import {module}.{qualname}" if qualname else f"module {module}"


def _find_text(module: str) -> ModuleText | None:
    loaded = sys.modules.get(module)
    if loaded is not None:
        return text_of_namespace(vars(loaded))
    try:
        spec = find_spec(module)
    except Exception:  # its parent package cannot be imported either
        return None
    return None if spec is None or spec.origin is None else get_text(spec.origin, {})


def _joined(entries: list[Import]) -> str:
    return "|".join(map(str, entries))


def _is_project_module(thing: Any) -> bool:
    return isinstance(thing, ModuleType) and is_project_module(thing)
