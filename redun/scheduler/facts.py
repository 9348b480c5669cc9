"""What every job of a task asks about it, worked out once per execution."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.expression import TaskExpression
from redun.expression_codec import is_concrete
from redun.hashing import Oid
from redun.scheduler.errors import SchedulerError, UnknownTask
from redun.tags import encode_tags
from redun.task.options import CacheCheckValid, CacheScope, normalize_options

if TYPE_CHECKING:
    from redun.task.binding import Binder
    from redun.task.registry import TaskRegistry
    from redun.task.task import Task


class TaskFacts(NamedTuple):
    """A task with the options that a call of it has."""

    task: Task[..., Any]
    binder: Binder  # of its arguments
    oid: Oid
    is_cached: bool  # results of earlier executions may serve, and its results may serve later
    is_shared: bool  # equal calls of this execution are one job
    is_shallow: bool  # files that only calls below name need not be as recorded
    executor: str
    needs: Mapping[str, int] | None  # units of each limit
    tags: Sequence[tuple[str, str]]  # keys and canonical JSON, of each job


class UnsupportedTask(SchedulerError):
    """A task asks for something that this version does not do, and whose absence would make a wrong answer."""

    def __init__(self, task: Task[..., Any], what: str) -> None:
        super().__init__(
            f"task {task.fullname!r} is {what}, which this version does not run", hint="see docs/shortcomings.md"
        )
        self.task_name = task.fullname


class FactsTable:
    """The facts of the tasks of one execution."""

    def __init__(self, registry: TaskRegistry, put_task: Callable[[Task[..., Any]], Oid]) -> None:
        """``put_task`` stores a task and returns its hash."""
        self._registry = registry
        self._put_task = put_task
        self._known: dict[str, TaskFacts] = {}

    def of(self, expression: TaskExpression[Any]) -> TaskFacts | dict[str, Any]:
        """Return the facts of a call; where some options must be evaluated first, all its options instead.

        Raises:
            UnknownTask: no task of this name is defined.
        """
        given = expression.task_options
        known = self._known.get(expression.task_name)
        if known is not None and not given:
            return known
        task = self._task(expression.task_name)
        if not is_concrete(task.get_task_options()) or not is_concrete(given):
            return {**task.get_task_options(), **given}
        if given:
            return self.make(task, given)
        self._known[expression.task_name] = facts = self.make(task)
        return facts

    def with_options(self, expression: TaskExpression[Any], options: Mapping[str, Any]) -> TaskFacts:
        """Return the facts of a call, given all its options as values.

        Raises:
            ValueError, TypeError: an option came to a value that it cannot take.
        """
        return self.make(self._task(expression.task_name), normalize_options(options))

    def make(self, task: Task[..., Any], overrides: Mapping[str, Any] | None = None) -> TaskFacts:
        """Return the facts of a task whose call has options of its own."""
        if overrides and "config_args" in overrides:
            task = task.options(config_args=overrides["config_args"])
        options = {**task.get_task_options(), **(overrides or {})}
        _refuse_unsupported(task, options)
        scope = options.get("cache_scope", CacheScope.BACKEND)
        return TaskFacts(
            task,
            task.binder,
            self._put_task(task),
            scope is CacheScope.BACKEND,
            scope is not CacheScope.NONE,
            options.get("check_valid") is CacheCheckValid.SHALLOW,
            options.get("executor") or "default",
            options.get("limits"),
            encode_tags(options["tags"]) if options.get("tags") else (),
        )

    def _task(self, name: str) -> Task[..., Any]:
        task = self._registry.get(task_name=name)
        if task is None:
            raise UnknownTask(f"task {name!r} is not defined", hint="import the module that defines it before the run")
        return task


def _refuse_unsupported(task: Task[..., Any], options: Mapping[str, Any]) -> None:
    """Refuse what would otherwise be taken for a plain function: its text or its coroutine recorded as a result."""
    if task.script:
        raise UnsupportedTask(task, "a script (script=True)")
    if task.is_async():
        raise UnsupportedTask(task, "asynchronous (async def)")
    if options.get("prov") is False:
        raise UnsupportedTask(task, "not to be recorded (prov=False)")
