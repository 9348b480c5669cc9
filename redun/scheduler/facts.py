"""What every job of a task asks about it, worked out once per execution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.expression import TaskExpression
from redun.hashing import Oid
from redun.scheduler.errors import UnknownTask
from redun.task.options import CacheScope

if TYPE_CHECKING:
    from redun.task.registry import TaskRegistry
    from redun.task.task import Task


class TaskFacts(NamedTuple):
    """A task with the options that a call of it has."""

    task: Task[..., Any]
    oid: Oid
    is_cached: bool  # results of earlier executions may serve, and its results may serve later
    is_shared: bool  # equal calls of this execution are one job
    executor: str
    needs: Mapping[str, int] | None  # units of each limit


class FactsTable:
    """The facts of the tasks of one execution."""

    def __init__(self, registry: TaskRegistry, put_task: Callable[[Task[..., Any]], Oid]) -> None:
        """``put_task`` stores a task and returns its hash."""
        self._registry = registry
        self._put_task = put_task
        self._known: dict[str, TaskFacts] = {}

    def of(self, expression: TaskExpression[Any]) -> TaskFacts:
        """Return the facts of a call.

        Raises:
            UnknownTask: no task of this name is defined.
        """
        known = self._known.get(expression.task_name)
        if known is None:
            task = self._registry.get(task_name=expression.task_name)
            if task is None:
                raise UnknownTask(
                    f"task {expression.task_name!r} is not defined",
                    hint="import the module that defines it before the run",
                )
            known = self._known[expression.task_name] = self.make(task)
        return self.make(known.task, expression.task_options) if expression.task_options else known

    def make(self, task: Task[..., Any], overrides: Mapping[str, Any] | None = None) -> TaskFacts:
        """Return the facts of a task whose call has options of its own."""
        options = {**task.get_task_options(), **(overrides or {})}
        scope = options.get("cache_scope", CacheScope.BACKEND)
        return TaskFacts(
            task,
            self._put_task(task),
            scope is CacheScope.BACKEND,
            scope is not CacheScope.NONE,
            options.get("executor") or "default",
            options.get("limits"),
        )
