"""Calls of scheduler tasks: they make no job, and answer through a promise.

A scheduler task decides for itself what is evaluated.  Unless it is transparent, the call above it is asked anew in
each run, since nothing tells what else its value depends on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from redun.expression import SchedulerExpression
from redun.promise import Promise
from redun.scheduler.errors import SchedulerError, UnknownTask
from redun.scheduler.evaluate import Evaluator, Waiter
from redun.task.scheduler_tasks import SchedulerTask
from redun.value.stored import loaded

if TYPE_CHECKING:
    from redun.scheduler.job import Job
    from redun.scheduler.scheduler import Scheduler
    from redun.task.registry import TaskRegistry


class NoPromise(SchedulerError):
    """A scheduler task returned something else than a promise."""

    def __init__(self, task_name: str, found: object) -> None:
        super().__init__(f"scheduler task {task_name!r} must return a Promise, and returned a {type(found).__name__}")
        self.task_name = task_name


class FormCaller:
    """Makes the calls of scheduler tasks of one execution."""

    def __init__(self, registry: TaskRegistry, scheduler: Scheduler, forbid_reuse: Callable[[Job], None]) -> None:
        """``forbid_reuse`` notes that a job must be asked again in the next run."""
        self._registry = registry
        self._scheduler = scheduler
        self._forbid_reuse = forbid_reuse

    def call(
        self, expression: SchedulerExpression[Any], parent: Job | None, waiter: Waiter, evaluator: Evaluator
    ) -> None:
        """Make a call, and see to it that slot 0 of the waiter is answered.  What the promise gives is evaluated."""
        try:
            task = self._task(expression.task_name)
            if parent is not None and not task.is_transparent:
                self._forbid_reuse(parent)
            func: Callable[..., Any] = task.func
            promise = func(self._scheduler, parent, expression, *expression.args, **expression.kwargs)
            if not isinstance(promise, Promise):
                raise NoPromise(expression.task_name, promise)
        except Exception as error:
            waiter.fail(0, error)
            return
        promise.then(
            lambda value: evaluator.start(value, parent, waiter, 0),
            lambda error: waiter.fail(0, error),
        )

    def _task(self, name: str) -> SchedulerTask[Any, Any]:
        task = self._registry.get(task_name=name)
        if not isinstance(task, SchedulerTask):
            raise UnknownTask(
                f"scheduler task {name!r} is not defined", hint="import the module that defines it before the run"
            )
        return task


class PromiseWaiter:
    """A waiter whose value becomes that of a promise."""

    __slots__ = ("promise",)

    def __init__(self) -> None:
        self.promise: Promise[Any] = Promise()

    def deliver(self, _slot: int, value: Any) -> None:
        """Fulfil the promise."""
        self.promise.do_resolve(loaded(value))

    def fail(self, _slot: int, error: BaseException) -> None:
        """Reject the promise."""
        self.promise.do_reject(error)
