"""Dealing with errors: ``catch`` and ``catch_all``.

A job whose error was caught is recorded as failed, and is tried again in the next run, like any that failed: so the
call above it is never reused in one step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from redun.promise import Promise, wait_promises
from redun.task import scheduler_task
from redun.task.scheduler_tasks import transparent
from redun.value.nested import iter_nested_value, map_nested_value

if TYPE_CHECKING:
    from redun.expression import SchedulerExpression
    from redun.scheduler.job import Job
    from redun.scheduler.scheduler import Scheduler

Errors = type[BaseException] | tuple[type[BaseException], ...]
Recover = Callable[[Any], Any]


@transparent
@scheduler_task(namespace="redun", version="1")
def catch(
    scheduler: Scheduler,
    parent_job: Job | None,
    expression: SchedulerExpression[Any],
    part: Any,
    *handlers: Any,
) -> Promise[Any]:
    """Return the value of a part, or what the first handler makes of its error.

    ``catch(part, ErrorClass, recover, [ErrorClass2, recover2, ...])``: ``recover`` is a task or function of the error;
    a tuple of classes stands for any of them.  An error that no handler takes is raised again.

    Raises:
        TypeError: a class without a ``recover``, or none at all.
    """
    if not handlers or len(handlers) % 2:
        raise TypeError(f"catch takes pairs of an error class and a recover task, found {len(handlers)} arguments")
    expression.upstreams = [part]

    def recover_from(error: BaseException) -> Promise[Any]:
        for classes, recover in zip(handlers[::2], handlers[1::2]):
            if isinstance(error, classes):
                scheduler.note_caught(error)
                scheduler.forbid_reuse(parent_job)
                recovered = recover(error)
                expression.upstreams = [recovered]
                return scheduler.evaluate(recovered, parent_job)
        raise error

    return scheduler.evaluate(part, parent_job).catch(recover_from)


@transparent
@scheduler_task(namespace="redun", version="1")
def catch_all(
    scheduler: Scheduler,
    parent_job: Job | None,
    expression: SchedulerExpression[Any],
    parts: Any,
    error_class: Errors | None = None,
    recover: Recover | None = None,
) -> Promise[Any]:
    """Wait for everything in a nested value, then deal with all errors at once.

    Without errors, the value is returned.  With some, ``recover`` gets the nested value with each error in its place;
    an error of another class than ``error_class`` (default: any Exception) is raised, and so is the first one when
    there is no ``recover``.
    """
    leaves = list(iter_nested_value(parts))
    promises = [scheduler.evaluate(leaf, parent_job) for leaf in leaves]
    classes: Errors = Exception if error_class is None else error_class
    expression.upstreams = [parts]

    def settle(ended: list[Promise[Any]]) -> Any:
        errors = [promise.error for promise in ended if promise.is_rejected]
        outcomes = iter(promise.error if promise.is_rejected else promise.value for promise in ended)
        value = map_nested_value(lambda _leaf: next(outcomes), parts)
        if not errors:
            return value
        for error in errors:
            if recover is None or not isinstance(error, classes):
                raise error
        assert recover is not None
        for error in errors:
            scheduler.note_caught(error)
        scheduler.forbid_reuse(parent_job)
        recovered = recover(value)
        expression.upstreams = [recovered]
        return scheduler.evaluate(recovered, parent_job)

    return wait_promises(promises).then(settle)
