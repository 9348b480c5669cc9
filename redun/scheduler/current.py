"""Which scheduler runs in a thread, and which job."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from redun.scheduler.errors import NoCurrentScheduler

if TYPE_CHECKING:
    from redun.scheduler.job import Job
    from redun.scheduler.scheduler import Scheduler

_current = threading.local()
running = threading.local()
"""``running.job`` is the job whose function a thread runs; None in one that is idle."""


def find_running_job() -> Job | None:
    """Return the job whose function calls this, in the thread that the function was called in, if any."""
    return getattr(running, "job", None)


def get_current_scheduler(required: bool = True) -> Scheduler | None:
    """Return the scheduler that runs in this thread.

    Raises:
        NoCurrentScheduler: there is none, and it is required.
    """
    scheduler: Scheduler | None = getattr(_current, "scheduler", None)
    if scheduler is None and required:
        raise NoCurrentScheduler("no scheduler is running in this thread")
    return scheduler


def set_current_scheduler(scheduler: Scheduler | None) -> None:
    """Set the scheduler of this thread; None forgets it."""
    _current.scheduler = scheduler
