"""Classes and functions by name: ``module:qualname``, found again by import.

The invariant: ``find_named(name_of(x)) is x`` whenever ``name_of`` returns.  So nothing is written that this program
could not read back, and an alias left behind by a move does not pass for the class that was stored.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from redun.value.errors import InvalidValueError


class NotFound(InvalidValueError):
    """A class, function, member or codec that a value names is not here, or not what it was."""


def name_of(thing: Any) -> str:
    """Return ``module:qualname`` of a class or function.

    Raises:
        NotFound: importing the module would not find it; the message says why.
    """
    module, qualname = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(qualname, str):
        raise NotFound("it has no module and name")
    if "<" in qualname:
        raise NotFound(f"{qualname} is not at the top of a module, so it cannot be found again by name")
    try:
        found = _reach(sys.modules[module], qualname)
    except (KeyError, AttributeError):
        raise NotFound(f"module {module} has no {qualname}, so it cannot be found again by name") from None
    if found is not thing:
        raise NotFound(f"{module}.{qualname} is now something else, so it cannot be found again by name")
    return f"{module}:{qualname}"


def dotted(name: str) -> str:
    """Return a ``module:qualname`` as people write it; names of builtins without their module."""
    module, _, qualname = name.partition(":")
    return qualname if module == "builtins" else f"{module}.{qualname}"


def dotted_name(cls: type) -> str:
    """Return ``module.qualname`` of a class, whether it can be found again or not."""
    return dotted(f"{cls.__module__}:{cls.__qualname__}")


def find_named(name: Any) -> Any:
    """Return what ``module:qualname`` names, importing its module when needed.

    Raises:
        NotFound: the module cannot be imported, or has no such member, or that calls itself something else.
    """
    module_name, colon, qualname = name.partition(":")
    if not colon or not module_name or not qualname:
        raise NotFound(f"expected module:qualname, found {name!r}")
    module = sys.modules.get(module_name)
    if module is None:
        module = load_module(module_name)
    try:
        found = _reach(module, qualname)
    except AttributeError:
        raise NotFound(f"module {module_name} has no {qualname}") from None
    if getattr(found, "__module__", None) != module_name or getattr(found, "__qualname__", None) != qualname:
        raise NotFound(f"{dotted(name)} is now another name of {getattr(found, '__qualname__', found)!r}")
    return found


def find_class(name: Any) -> type:
    """Return the class that ``module:qualname`` names.  Raises NotFound as ``find_named`` or when it is no class."""
    found = find_named(name)
    if not isinstance(found, type):
        raise NotFound(f"{dotted(name)} is not a class any more")
    return found


def load_module(name: str) -> Any:
    """Import a module for what is defined in it.

    Raises:
        NotFound: it cannot be imported, for whatever reason: its code is the user's.
    """
    try:
        return import_module(name)
    except (Exception, SystemExit) as error:
        raise NotFound(f"module {name} cannot be imported: {type(error).__name__}: {error}") from error


def _reach(module: Any, qualname: str) -> Any:
    found = module
    for part in qualname.split("."):
        found = getattr(found, part)
    return found
