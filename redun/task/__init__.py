"""The task decorator, its registry, and the source closure that a task hash covers.

``redun.task`` is this package and, to users, the decorator: ``from redun import task``.  Importing a submodule binds
the package over whatever ``redun.task`` was, so the package itself is callable and forwards to the decorator.  That
holds in any order of imports; a function put back by hand would be lost again with the next first import.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redun.namespace import split_task_fullname as split_task_fullname
    from redun.task.argument_hashes import hash_args_eval as hash_args_eval
    from redun.task.binding import BoundArguments as BoundArguments
    from redun.task.binding import TaskArgumentError as TaskArgumentError
    from redun.task.binding import bind_arguments as bind_arguments
    from redun.task.changes import UnitChange as UnitChange
    from redun.task.changes import describe_changes as describe_changes
    from redun.task.changes import diff_records as diff_records
    from redun.task.closure import set_code_hash_mode as set_code_hash_mode
    from redun.task.decorator import task as task
    from redun.task.job_info import JobInfo as JobInfo
    from redun.task.options import CacheCheckValid as CacheCheckValid
    from redun.task.options import CacheResult as CacheResult
    from redun.task.options import CacheScope as CacheScope
    from redun.task.partial import PartialTask as PartialTask
    from redun.task.registry import TaskRegistry as TaskRegistry
    from redun.task.registry import get_task_registry as get_task_registry
    from redun.task.scheduler_tasks import SchedulerTask as SchedulerTask
    from redun.task.scheduler_tasks import scheduler_task as scheduler_task
    from redun.task.task import Task as Task
    from redun.task.task import UnknownTask as UnknownTask
    from redun.task.units import Unit as Unit
    from redun.task.wraps import wraps_task as wraps_task

_HOMES = {
    "BoundArguments": "redun.task.binding",
    "CacheCheckValid": "redun.task.options",
    "CacheResult": "redun.task.options",
    "CacheScope": "redun.task.options",
    "JobInfo": "redun.task.job_info",
    "PartialTask": "redun.task.partial",
    "SchedulerTask": "redun.task.scheduler_tasks",
    "Task": "redun.task.task",
    "TaskArgumentError": "redun.task.binding",
    "TaskRegistry": "redun.task.registry",
    "Unit": "redun.task.units",
    "UnitChange": "redun.task.changes",
    "UnknownTask": "redun.task.task",
    "bind_arguments": "redun.task.binding",
    "describe_changes": "redun.task.changes",
    "diff_records": "redun.task.changes",
    "get_task_registry": "redun.task.registry",
    "hash_args_eval": "redun.task.argument_hashes",
    "scheduler_task": "redun.task.scheduler_tasks",
    "set_code_hash_mode": "redun.task.closure",
    "split_task_fullname": "redun.namespace",
    "wraps_task": "redun.task.wraps",
}


class _CallableModule(ModuleType):
    """A module that is also the decorator."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.task(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = getattr(import_module(home), name)
        self.__dict__[name] = value
        return value

    @property
    def task(self) -> Any:
        """The decorator, whether the submodule of that name has been imported or not."""
        return import_module("redun.task.decorator").task

    @task.setter
    def task(self, submodule: ModuleType) -> None:
        """Leave the decorator in place: the import system binds each submodule to its package."""


sys.modules[__name__].__class__ = _CallableModule
