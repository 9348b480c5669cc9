"""Which scheduler runs in a thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from redun.scheduler.errors import NoCurrentScheduler

if TYPE_CHECKING:
    from redun.scheduler.scheduler import Scheduler

_current = threading.local()


def get_current_scheduler(*, required: bool = True) -> Scheduler | None:
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
