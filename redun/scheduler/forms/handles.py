"""Joining branches of a handle: ``merge_handles``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redun.handle import Handle
from redun.promise import Promise
from redun.task import scheduler_task
from redun.task.scheduler_tasks import transparent

if TYPE_CHECKING:
    from redun.expression import SchedulerExpression
    from redun.scheduler.job import Job
    from redun.scheduler.scheduler import Scheduler


@transparent
@scheduler_task(namespace="redun", version="1")
def merge_handles(
    scheduler: Scheduler, parent_job: Job | None, expression: SchedulerExpression[Any], handles: Any
) -> Promise[Any]:
    """Return one handle for several branches of it: it stands only while all of them do.

    Raises:
        TypeError: the argument does not come to a list or tuple of handles.
        HandleError: their names differ.
    """
    expression.upstreams = [handles]

    def merge(branches: Any) -> Handle:
        if not isinstance(branches, (list, tuple)) or not branches:
            raise TypeError(f"merge_handles takes a list of handles, found {branches!r}")
        for branch in branches:
            if not isinstance(branch, Handle):
                raise TypeError(f"merge_handles takes a list of handles, found {branch!r} in it")
        first: Handle = branches[0]
        return first.merge(branches[1:])

    return scheduler.evaluate(handles, parent_job).then(merge)
