"""Jobs that are tried again: the task options ``retries``, ``retry_backoff`` and ``retry_backoff_max``.

Only a job whose own function failed is tried again: a call below it has options of its own.  What was refused before
the function ran, or failed because its value cannot be stored, would fail again, and is not.  Each attempt leaves a
row; between two attempts the job holds no limit and no thread.  Once the run is stopping, a failure is final.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.objects.execution_records import JobStatus
from redun.scheduler.errors import NotSerializable
from redun.scheduler.status import Column
from redun.task.binding import TaskArgumentError
from redun.value.errors import ValueNotEncodable

if TYPE_CHECKING:
    from redun.scheduler.failure import Failures
    from redun.scheduler.job import Job
    from redun.scheduler.plan import Plan
    from redun.scheduler.record import Recorder
    from redun.scheduler.runlog import RunLog
    from redun.scheduler.status import StatusCounts

DEFAULT_BACKOFF_SECONDS = 1.0
DEFAULT_BACKOFF_MAX_SECONDS = 60.0
_HOPELESS = (NotSerializable, ValueNotEncodable, TaskArgumentError)
_MAX_DOUBLINGS = 64  # more would overflow a float some day; any sane bound is reached before


class RetryPolicy(NamedTuple):
    """How often a failed job is tried again, and how long it waits before."""

    times: int
    backoff_seconds: float
    backoff_max_seconds: float

    def delay_seconds(self, attempt: int) -> float:
        """Return how long to wait after an attempt, 1 for the first: twice as long each time, up to the bound."""
        doublings = min(attempt - 1, _MAX_DOUBLINGS)
        return min(self.backoff_max_seconds, self.backoff_seconds * 2.0**doublings)


def read_retry_policy(options: Mapping[str, Any]) -> RetryPolicy | None:
    """Return what the options of a call say; None when it is not to be tried again.

    Raises:
        ValueError: an option has a value that it cannot take.
    """
    times = options.get("retries")
    if times is None:
        return None
    if type(times) is not int or times < 0:
        raise ValueError(f"expected retries to be an int of 0 or more, found {times!r}")
    backoff = read_seconds(options, "retry_backoff", DEFAULT_BACKOFF_SECONDS)
    longest = read_seconds(options, "retry_backoff_max", max(backoff, DEFAULT_BACKOFF_MAX_SECONDS))
    return RetryPolicy(times, backoff, longest) if times else None


def read_seconds(options: Mapping[str, Any], name: str, default: float) -> float:
    """Return an option that is a number of seconds, 0 or more.  Raises ValueError for anything else."""
    found = options.get(name)
    if found is None:
        return default
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not isfinite(found) or found < 0:
        raise ValueError(f"expected {name} to be a number of seconds, 0 or more, found {found!r}")
    return float(found)


class Retries:
    """Tries the failed jobs of one execution again.  Only the scheduler's thread calls it."""

    def __init__(
        self,
        plan: Plan[Job],
        recorder: Recorder,
        counts: StatusCounts,
        failures: Failures,
        log: RunLog,
        do_later: Callable[[float, Callable[[], None]], None],
    ) -> None:
        """``do_later`` does a step after so many seconds; it may be dropped when the run ends before."""
        self._plan = plan
        self._recorder = recorder
        self._counts = counts
        self._failures = failures
        self._log = log
        self._do_later = do_later

    def take(self, job: Job, run: Callable[[Job], None]) -> bool:
        """Take a job whose function has failed, to ``run`` it again later; False when this failure is its end."""
        policy, error = job.facts.retry, job.error
        if policy is None or error is None or job.attempt > policy.times or self._plan.is_stopped:
            return False
        if isinstance(error, _HOPELESS) or not isinstance(error, Exception):
            return False
        delay = policy.delay_seconds(job.attempt)
        outcome = self._failures.encode(job, error)
        if job.facts.is_recorded:
            self._recorder.add_row(job, JobStatus.FAILED, self._recorder.put(outcome))
        self._log.retried(job, error, policy.times + 1, delay)
        self._counts.move(job.task.fullname, Column.RUNNING, Column.PENDING)
        job.attempt += 1
        job.error = job.traceback = job.value = job.produced = None
        job.status = 0
        self._do_later(delay, lambda: run(job))
        return True
