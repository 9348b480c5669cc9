"""Executors by the type that a config names.  Classes are named by dotted strings and imported when first used."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from redun.errors import ExecutorError
from redun.executors.base import Executor

_types: dict[str, str] = {"local": "redun.executors.local.make_executor"}


def register_executor(type_name: str, factory: str) -> None:
    """Name a factory for executors of a type: ``package.module.function``, called with (name, options)."""
    _types[type_name] = factory


def make_executor(name: str, options: Mapping[str, Any]) -> Executor:
    """Make an executor from its section of the config.

    Raises:
        ExecutorError: the type is unknown, its factory cannot be found, or the options do not fit it.
    """
    type_name = str(options.get("type", "local"))
    factory = options.get("class") or _types.get(type_name)
    if factory is None:
        known = ", ".join(sorted(_types))
        raise ExecutorError(f"executor {name!r} has unknown type {type_name!r}; known types: {known}")
    made = _find(name, str(factory))(name, options)
    if not isinstance(made, Executor):
        raise ExecutorError(f"{factory} made {type(made).__name__} for executor {name!r}, no Executor")
    return made


def _find(name: str, factory: str) -> Any:
    module_name, _, attribute = factory.rpartition(".")
    try:
        return getattr(import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ExecutorError(
            f"executor {name!r}: expected {factory} to be package.module.name, found: {error}"
        ) from error
