"""Where live functions, classes and constants come from: their module, whether it is the project's, their cells.

Asks only what can be asked without running users' code: no ``__getattr__`` of instances, no properties.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from redun.task.names import Import
from redun.task.project import is_project_file, is_project_module, module_file, module_name
from redun.task.sources import ModuleText, get_text

MISSING: Any = object()
_CO_NESTED = 0x10
_MAX_HOPS = 20  # re-exports of re-exports; a cycle of them is broken here


class Place(NamedTuple):
    """How a walk came to an object."""

    namespace: dict[str, Any]  # globals of the module in which the name stands
    name: str  # "" when no statement of that module binds it: a cell, a member of a container
    label: str  # what the object is called when it has no name of its own
    top: str  # the label of the module-level name that led here

    def inner(self, part: str) -> Place:
        """Return the place of something inside this object."""
        return Place(self.namespace, "", f"{self.label}.{part}", self.top)


def global_place(namespace: dict[str, Any], name: str) -> Place:
    """Return the place of a module-level name."""
    label = f"{module_name(namespace)}.{name}"
    return Place(namespace, name, label, label)


def is_project_function(func: FunctionType) -> bool:
    """Tell whether a function was written in the user's project."""
    path = func.__code__.co_filename
    if not path.startswith("<"):
        return is_project_file(path)
    return is_project_namespace(func.__globals__)


def is_project_namespace(namespace: dict[str, Any]) -> bool:
    """Tell whether globals are those of a module of the project."""
    path = module_file(namespace)
    if path is not None:
        return is_project_file(path)
    root = str(namespace.get("__name__", "")).partition(".")[0]
    return root not in sys.stdlib_module_names


def is_project_class(cls: type) -> bool:
    """Tell whether a class was written in the user's project."""
    namespace = class_namespace(cls)
    return namespace is not None and is_project_namespace(namespace)


def class_namespace(cls: type) -> dict[str, Any] | None:
    """Return the globals of the module that a class was made in; None when it is a builtin or its module is gone."""
    for func in functions_of(cls):
        # A method may come from elsewhere: assigned, or made by a decorator of the class.
        if func.__module__ == cls.__module__ == func.__globals__.get("__name__"):
            return func.__globals__
    module = sys.modules.get(cls.__module__)
    return None if module is None else vars(module)


def functions_of(cls: type) -> Iterator[FunctionType]:
    """Yield the functions in a class's own body: methods of every kind, and what their decorators wrap."""
    for member in vars(cls).values():
        parts = (member.fget, member.fset, member.fdel) if isinstance(member, property) else (member,)
        for part in parts:
            inner = getattr(part, "__func__", part) if isinstance(part, (staticmethod, classmethod)) else part
            if isinstance(inner, FunctionType):
                yield inner


def is_nested(func: FunctionType) -> bool:
    """Tell whether a function was made inside another one, or is a lambda: its qualified name does not name it."""
    return bool(func.__code__.co_flags & _CO_NESTED) or func.__code__.co_name == "<lambda>"


def cells_of(func: FunctionType) -> dict[str, Any]:
    """Return what a function's free variables hold now, by name; those not yet bound left out."""
    cells = {}
    for name, cell in zip(func.__code__.co_freevars, func.__closure__ or ()):
        try:
            cells[name] = cell.cell_contents
        except ValueError:
            continue
    return cells


def member_of(module: ModuleType, name: str) -> Any:
    """Return a module's member, importing it when it is a submodule; MISSING when there is none."""
    try:
        return getattr(module, name)
    except Exception:  # a module's own __getattr__ may raise anything
        if not hasattr(module, "__path__"):
            return MISSING
    try:
        return import_module(f"{module.__name__}.{name}")
    except Exception:  # the user's code runs
        return MISSING


def text_of_namespace(namespace: dict[str, Any]) -> ModuleText | None:
    """Return the text of a module, given its globals; None when it has none."""
    path = module_file(namespace)
    return None if path is None else get_text(path, namespace)


def written_imports(place: Place) -> list[Import]:
    """Return what the import statements of a module say that a name stands for: more than one when it depends."""
    text = text_of_namespace(place.namespace) if place.name else None
    return [] if text is None else text.imports.get(place.name, [])


def is_bound_here(place: Place) -> bool:
    """Tell whether statements of the module, other than imports, bind a name, be it in one branch only."""
    text = text_of_namespace(place.namespace) if place.name else None
    return text is not None and place.name in text.bound


def find_home(place: Place, thing: Any) -> Place:
    """Follow imports within the project to the module whose statements made a constant, and to its name there."""
    for _ in range(_MAX_HOPS):
        found = next((home for home in _imported_from(place) if home.namespace.get(home.name, MISSING) is thing), None)
        if found is None:
            return place
        place = found
    return place


def _imported_from(place: Place) -> Iterator[Place]:
    text = text_of_namespace(place.namespace) if place.name else None
    if text is None or place.name in text.bound:
        return
    for entry in [*text.imports.get(place.name, ()), *text.imports.get("*", ())]:
        module = sys.modules.get(absolute_name(entry, place.namespace))
        if entry.attr and module is not None and is_project_module(module):
            yield global_place(vars(module), place.name if entry.attr == "*" else entry.attr)


def is_redun_name(expression: ast.expr, names: dict[str, Any]) -> bool:
    """Tell whether a decorator, called or not, is redun's own, given what names stand for where it was written."""
    callee = expression.func if isinstance(expression, ast.Call) else expression
    attrs: list[str] = []
    while isinstance(callee, ast.Attribute):
        attrs.append(callee.attr)
        callee = callee.value
    thing = names.get(callee.id) if isinstance(callee, ast.Name) else None
    for attr in reversed(attrs):
        if not isinstance(thing, ModuleType):
            return False
        thing = member_of(thing, attr)
    home = thing.__name__ if isinstance(thing, ModuleType) else str(getattr(thing, "__module__", ""))
    return home == "redun" or home.startswith("redun.")


def absolute_name(entry: Import, namespace: dict[str, Any]) -> str:
    """Return the full name of the module that an import statement names."""
    if not entry.level:
        return entry.module
    package = str(namespace.get("__package__") or str(namespace.get("__name__", "")).rpartition(".")[0])
    parts = package.split(".")
    kept = parts[: len(parts) - entry.level + 1]
    return ".".join([*kept, entry.module] if entry.module else kept)
