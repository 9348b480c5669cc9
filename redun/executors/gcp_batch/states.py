"""From what Google Batch tells of jobs and tasks to how they fare.  Pure.

Messages are taken apart by their fields alone, so that this needs none of Google's packages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redun.executors.exit_codes import describe_exit
from redun.executors.remote.submitter import RemoteState, RemoteStatus

_OF_JOB = {
    "QUEUED": RemoteStatus.WAITING,
    "SCHEDULED": RemoteStatus.WAITING,
    "RUNNING": RemoteStatus.RUNNING,
    "SUCCEEDED": RemoteStatus.SUCCEEDED,
    "FAILED": RemoteStatus.FAILED,
    "CANCELLATION_IN_PROGRESS": RemoteStatus.FAILED,
    "CANCELLED": RemoteStatus.FAILED,
    "DELETION_IN_PROGRESS": RemoteStatus.FAILED,
}
_OF_TASK = {
    "PENDING": RemoteStatus.WAITING,
    "ASSIGNED": RemoteStatus.WAITING,
    "RUNNING": RemoteStatus.RUNNING,
    "SUCCEEDED": RemoteStatus.SUCCEEDED,
    "FAILED": RemoteStatus.FAILED,
    "UNEXECUTED": RemoteStatus.FAILED,
}
LIVE_STATES = ("QUEUED", "SCHEDULED", "RUNNING")
_CODES_OF_GOOGLE = {
    50001: "its machine was preempted",
    50002: "its machine did not report any more",
    50003: "its machine was restarted",
    50004: "its machine and the task on it did not answer any more",
    50005: "it ran longer than timeout allows",
    50006: "its machine was recreated",
}
"""https://cloud.google.com/batch/docs/troubleshooting#reserved-exit-codes"""


def state_of_job(job: Any) -> RemoteState:
    """Tell how a job as a whole fares."""
    status = _OF_JOB.get(job.status.state.name, RemoteStatus.WAITING)
    is_told = status in {RemoteStatus.FAILED, RemoteStatus.WAITING}
    return RemoteState(status, _last_words(job.status) if is_told else "", tags_of(job))


def state_of_task(job: Any, task: Any) -> RemoteState:
    """Tell how one task of a job fares.  A job that has ended has the last word."""
    status = _OF_TASK.get(task.status.state.name, RemoteStatus.WAITING)
    of_job = _OF_JOB.get(job.status.state.name, RemoteStatus.WAITING)
    tags = tags_of(job)
    if status is RemoteStatus.FAILED:
        return RemoteState(status, why_failed(task) or _last_words(job.status), tags)
    if of_job in {RemoteStatus.FAILED, RemoteStatus.SUCCEEDED} and status is not RemoteStatus.SUCCEEDED:
        return RemoteState(of_job, _last_words(job.status) if of_job is RemoteStatus.FAILED else "", tags)
    return RemoteState(status, "", tags)


def why_failed(task: Any) -> str:
    """Return why a task failed: its exit code in words, and what Google says."""
    for event in sorted(task.status.status_events, key=_when, reverse=True):
        code = int(event.task_execution.exit_code)
        if code:
            return f"{_CODES_OF_GOOGLE[code]} (exit code {code})" if code in _CODES_OF_GOOGLE else describe_exit(code)
    return _last_words(task.status)


def index_of_task(name: str) -> int:
    """Return the number of a task: the end of its name."""
    return int(name.rpartition("/")[2])


def counts_of(job: Any) -> Mapping[str, int]:
    """Return how many tasks of a job are in which state."""
    counts: dict[str, int] = {}
    for group in job.status.task_groups.values():
        for state, count in group.counts.items():
            counts[state] = counts.get(state, 0) + int(count)
    return counts


def tags_of(job: Any) -> dict[str, Any]:
    """Return what is worth telling of a job: its name and the id by which its log is found."""
    return {"gcp_batch_job": job.name.rpartition("/")[2], "gcp_batch_uid": job.uid}


def _last_words(status: Any) -> str:
    events = sorted(status.status_events, key=_when)
    return str(events[-1].description) if events else ""


def _when(event: Any) -> float:
    return float(event.event_time.timestamp()) if event.event_time else 0.0
