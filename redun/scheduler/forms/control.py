"""Choosing and failing: ``cond``, ``throw``, ``get_context``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redun.promise import Promise
from redun.task import scheduler_task, task
from redun.task.scheduler_tasks import transparent

if TYPE_CHECKING:
    from redun.expression import SchedulerExpression
    from redun.scheduler.job import Job
    from redun.scheduler.scheduler import Scheduler


@transparent
@scheduler_task(namespace="redun", version="1")
def cond(
    scheduler: Scheduler, parent_job: Job | None, expression: SchedulerExpression[Any], *clauses: Any
) -> Promise[Any]:
    """Return the value of the part behind the first condition that is true, else of the last part.

    ``cond(condition, then, [condition2, then2, ...], otherwise)``: only the conditions up to the one that is true, and
    the part that is taken, are evaluated.

    Raises:
        TypeError: the number of arguments is even or below 3.
    """
    if len(clauses) < 3 or len(clauses) % 2 == 0:
        raise TypeError(
            f"cond takes a condition and a part, more such pairs, and a last part; found {len(clauses)} arguments"
        )
    expression.upstreams = []

    def choose(at: int) -> Promise[Any]:
        if at == len(clauses) - 1:
            return take(at)
        expression.upstreams = [*(expression.upstreams or []), clauses[at]]
        return scheduler.evaluate(clauses[at], parent_job).then(lambda it: take(at + 1) if it else choose(at + 2))

    def take(at: int) -> Promise[Any]:
        expression.upstreams = [clauses[at], *(expression.upstreams or [])]
        return scheduler.evaluate(clauses[at], parent_job)

    return choose(0)


@task(namespace="redun", version="1", name="throw")
def throw(error: BaseException) -> Any:
    """Raise an error, as the value of a lazy part."""
    raise error


@transparent
@scheduler_task(namespace="redun", version="1")
def get_context(
    scheduler: Scheduler,
    parent_job: Job | None,
    expression: SchedulerExpression[Any],
    path: Any,
    default: Any = None,
) -> Promise[Any]:
    """Return what stands at a dotted path of the context, ``default`` where nothing does."""
    expression.upstreams = []
    scheduler.forbid_reuse(parent_job)  # the same call in another context has another value

    def look_up(values: Any) -> Any:
        path, default = values
        context = scheduler.context_of(parent_job)
        return default if context is None else context.get(path, default)

    return scheduler.evaluate((path, default), parent_job).then(look_up)
