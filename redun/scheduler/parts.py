"""What the reducer of one execution is made of, and what the whole run was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.scheduler.cache import Cache
from redun.scheduler.context import Context

if TYPE_CHECKING:
    from redun.executors.base import Executor
    from redun.scheduler.failure import Failures
    from redun.scheduler.handles import Handles
    from redun.scheduler.job import Job
    from redun.scheduler.option_names import OptionNames
    from redun.scheduler.plan import Plan
    from redun.scheduler.portal import Portal
    from redun.scheduler.produced import FileKeeper
    from redun.scheduler.reasons import Reasons
    from redun.scheduler.record import Recorder
    from redun.scheduler.retries import Retries
    from redun.scheduler.runlog import RunLog
    from redun.scheduler.scheduler import Scheduler
    from redun.scheduler.status import StatusCounts
    from redun.scheduler.tags import TagRecorder
    from redun.scheduler.time_limits import TimeLimits
    from redun.task.registry import TaskRegistry


class RunOptions(NamedTuple):
    """What a whole run was asked for."""

    use_cache: bool = True  # False: nothing from earlier executions serves
    is_dryrun: bool = False  # True: nothing runs
    keep_going: bool = False  # True: a failure stops only what depends on it
    context: Context | None = None  # of the whole run
    exports: Mapping[str, Any] | None = None  # options of all jobs


class Parts(NamedTuple):
    """What a reducer works with; made by the scheduler for one execution."""

    execution_id: bytes
    numbers: Iterator[int]  # of new jobs
    registry: TaskRegistry
    executors: Mapping[str, Executor]
    plan: Plan[Job]
    recorder: Recorder
    cache: Cache
    counts: StatusCounts
    log: RunLog
    reasons: Reasons
    failures: Failures
    keeper: FileKeeper
    portal: Portal
    tags: TagRecorder
    handles: Handles
    submit_async: Callable[[Job, Executor], None]
    retries: Retries
    time_limits: TimeLimits
    option_names: OptionNames | None  # None: warns of no option
    scheduler: Scheduler
    options: RunOptions
