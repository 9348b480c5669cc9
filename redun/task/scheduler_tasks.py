"""Tasks that run inside the scheduler: they get their arguments unevaluated, and decide what is evaluated and when.

A call of one makes no job.  ``cond``, ``catch``, ``seq`` and the other forms are such tasks, and so may a user's be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate

from redun.expression import SchedulerExpression
from redun.task.built import building
from redun.task.registry import get_task_registry
from redun.task.task import P, R, Task

if TYPE_CHECKING:
    from redun.promise import Promise


class SchedulerTask(Task[P, R]):
    """A task whose function is ``f(scheduler, parent_job, expression, *args, **kwargs) -> Promise``."""

    is_transparent: bool = False
    """Whether its value follows from the calls it makes and nothing else, so that a call above it may be reused in one
    step.  One that says nothing is asked each time."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the unevaluated form."""
        expression: Any = SchedulerExpression(
            self.fullname, args, kwargs, self._overrides, self._export_overrides, self.nout
        )
        built = building.get()
        if built is not None:
            built.append(expression)
        return expression  # type: ignore[no-any-return]


def scheduler_task(
    name: str | None = None,
    namespace: str | None = None,
    version: str = "1",
    **options: Any,
) -> Callable[[Callable[Concatenate[Any, Any, Any, P], Promise[R]]], SchedulerTask[P, R]]:
    """Make a function a scheduler task: ``f(scheduler, parent_job, expression, *args, **kwargs)``.

    The function runs in the scheduler's thread and must return at once.  ``scheduler.evaluate(part, parent_job)``
    gives a promise of a part's value.

    Args:
        name: the task's name; default the function's.
        namespace: what stands before the name; default as for ``task``.
        version: stands for the source in the task's hash.
        options: as for ``task``.

    Raises:
        ValueError: a name, or the value of an option, is not one.
    """

    def decorate(func: Callable[Concatenate[Any, Any, Any, P], Promise[R]]) -> SchedulerTask[P, R]:
        function: Any = func
        made: SchedulerTask[P, R] = SchedulerTask(
            function, name=name, namespace=namespace, version=version, options=options
        )
        get_task_registry().add(made)
        return made

    return decorate


def transparent(task: SchedulerTask[P, R]) -> SchedulerTask[P, R]:
    """Say of a scheduler task that its value follows from the calls that it makes and from nothing else."""
    task.is_transparent = True
    return task
