"""Where jobs run."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redun.executors.base import Executor as Executor
    from redun.executors.registry import get_executor_from_config as get_executor_from_config
    from redun.executors.registry import get_executors_from_config as get_executors_from_config
    from redun.executors.registry import register_executor as register_executor

_HOMES = {
    "Executor": "redun.executors.base",
    "get_executor_from_config": "redun.executors.registry",
    "get_executors_from_config": "redun.executors.registry",
    "register_executor": "redun.executors.registry",
}

__all__ = [*_HOMES]  # noqa: PLE0604  (the names are strings, from one table)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'redun.executors' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
