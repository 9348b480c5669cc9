"""Reduces expressions to values: plans, runs, caches and records jobs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redun.scheduler.current import get_current_scheduler as get_current_scheduler
    from redun.scheduler.current import set_current_scheduler as set_current_scheduler
    from redun.scheduler.errors import DryRunResult as DryRunResult
    from redun.scheduler.errors import ErrorValue as ErrorValue
    from redun.scheduler.errors import Interrupted as Interrupted
    from redun.scheduler.errors import NoCurrentScheduler as NoCurrentScheduler
    from redun.scheduler.errors import SchedulerError as SchedulerError
    from redun.scheduler.errors import Traceback as Traceback
    from redun.scheduler.execution import Execution as Execution
    from redun.scheduler.forms.catch import catch_all as catch_all
    from redun.scheduler.forms.exports import with_export_options as with_export_options
    from redun.scheduler.forms.subrun import subrun as subrun
    from redun.scheduler.forms.threads import fork_thread as fork_thread
    from redun.scheduler.forms.threads import join_thread as join_thread
    from redun.scheduler.job import Job as Job
    from redun.scheduler.root import root_task as root_task
    from redun.scheduler.scheduler import Scheduler as Scheduler
    from redun.scheduler.trace_frames import Frame as Frame
    from redun.task import scheduler_task as scheduler_task
    from redun.task.job_info import JobInfo as JobInfo

_HOMES = {
    "ErrorValue": "redun.scheduler.errors",
    "Execution": "redun.scheduler.execution",
    "Frame": "redun.scheduler.trace_frames",
    "Job": "redun.scheduler.job",
    "JobInfo": "redun.task.job_info",
    "catch_all": "redun.scheduler.forms.catch",
    "with_export_options": "redun.scheduler.forms.exports",
    "root_task": "redun.scheduler.root",
    "scheduler_task": "redun.task",
    "subrun": "redun.scheduler.forms.subrun",
    "fork_thread": "redun.scheduler.forms.threads",
    "join_thread": "redun.scheduler.forms.threads",
    "DryRunResult": "redun.scheduler.errors",
    "Interrupted": "redun.scheduler.errors",
    "NoCurrentScheduler": "redun.scheduler.errors",
    "Scheduler": "redun.scheduler.scheduler",
    "SchedulerError": "redun.scheduler.errors",
    "Traceback": "redun.scheduler.errors",
    "get_current_scheduler": "redun.scheduler.current",
    "set_current_scheduler": "redun.scheduler.current",
}

__all__ = [*_HOMES]  # noqa: PLE0604  (the names are strings, from one table)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'redun.scheduler' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
