"""``apply_tags``: notes on a value, and on the job and the execution that it is evaluated in.

Tags of a job or an execution say something of this run, and what is pushed of a run must hold the tags of its values:
so the form is asked in each run, and no call above it is reused in one step.  The alternative, to record tags with each
call, would make them part of every call above.  What stands beside the form is still reused in one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from redun.promise import Promise
from redun.tags import Tag
from redun.task import scheduler_task

if TYPE_CHECKING:
    from redun.expression import SchedulerExpression
    from redun.scheduler.job import Job
    from redun.scheduler.scheduler import Scheduler

T = TypeVar("T")


@scheduler_task(namespace="redun", version="1")
def apply_tags(
    scheduler: Scheduler,
    parent_job: Job | None,
    expression: SchedulerExpression[Any],
    value: T,
    tags: Sequence[Tag] = (),
    job_tags: Sequence[Tag] = (),
    execution_tags: Sequence[Tag] = (),
) -> Promise[T]:
    """Return a value, and tag it once it is there; ``tags`` are pairs of a key and a JSON value.

    ``job_tags`` are for the job that this is evaluated in, ``execution_tags`` for the execution.  Value and tags may be
    lazy.

    Raises:
        BadTag: a tag is no pair, or its key or value cannot be a tag's.
        ValueNotEncodable: the value cannot be stored.
    """
    expression.upstreams = [value]

    def record(parts: list[Any]) -> T:
        made: T = parts[0]
        scheduler.record_tags(made, parent_job, tags=parts[1], job_tags=parts[2], execution_tags=parts[3])
        return made

    return scheduler.evaluate([value, tags, job_tags, execution_tags], parent_job).then(record)
