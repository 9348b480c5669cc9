"""How runs of a Glue job fare.

Glue has no request for several runs by their ids, but lists the runs of a job, the newest first, 200 a request.  So a
few are asked for one by one, and more by that listing, as far as the oldest of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any

from redun.executors.aws import AwsRefused, AwsService
from redun.executors.exit_codes import describe_exit
from redun.executors.remote.submitter import RemoteState, RemoteStatus

NAME_ARGUMENT = "--redun-name"
"""The argument of a run that holds what redun calls it."""
JOB_TAG = "aws_glue_job"
MAX_LISTED = 200
FEW = 3
LONGEST_RUN = timedelta(days=7)
"""No run of Glue lasts longer."""
DEFAULT_LOG_GROUP = "/aws-glue/jobs"

_STATUSES = {
    "WAITING": RemoteStatus.WAITING,
    "STARTING": RemoteStatus.WAITING,
    "RUNNING": RemoteStatus.RUNNING,
    "STOPPING": RemoteStatus.RUNNING,
    "SUCCEEDED": RemoteStatus.SUCCEEDED,
    "STOPPED": RemoteStatus.FAILED,
    "FAILED": RemoteStatus.FAILED,
    "TIMEOUT": RemoteStatus.FAILED,
    "ERROR": RemoteStatus.FAILED,
    "EXPIRED": RemoteStatus.FAILED,
}
LIVE = frozenset({"WAITING", "STARTING", "RUNNING"})
_EXIT_CODE = re.compile(r"exit code (\d+)")
_GONE = RemoteState(RemoteStatus.GONE, "AWS Glue does not know the run")


def poll_runs(glue: AwsService, job_name: str, run_ids: Collection[str]) -> dict[str, RemoteState]:
    """Return how runs of a job fare.  Raises AwsRefused and AwsUnavailable."""
    found: dict[str, RemoteState] = {}
    if len(run_ids) <= FEW:
        for run_id in run_ids:
            run = find_run(glue, job_name, run_id)
            found[run_id] = _GONE if run is None else state_of(run)
        return found
    left = set(run_ids)
    for run in iter_runs(glue, job_name):
        if run["Id"] in left:
            left.remove(run["Id"])
            found[run["Id"]] = state_of(run)
            if not left:
                break
    return {**dict.fromkeys(left, _GONE), **found}


def find_run(glue: AwsService, job_name: str, run_id: str) -> dict[str, Any] | None:
    """Return what Glue tells of a run; None when it does not know it."""
    try:
        run: dict[str, Any] = glue.call("get_job_run", JobName=job_name, RunId=run_id)["JobRun"]
    except AwsRefused as refused:
        if refused.code == "EntityNotFoundException":
            return None
        raise
    return run


def iter_runs(glue: AwsService, job_name: str) -> Iterator[dict[str, Any]]:
    """Yield the runs of a job, the newest first; none when there is no such job.

    It ends with those that began longer before the newest than any can run.
    """
    oldest: Any = None
    try:
        for run in glue.iter_items(
            "get_job_runs", "JobRuns", next_key="NextToken", JobName=job_name, MaxResults=MAX_LISTED
        ):
            oldest = oldest or run["StartedOn"] - LONGEST_RUN
            if run["StartedOn"] < oldest:
                return
            yield run
    except AwsRefused as refused:
        if refused.code != "EntityNotFoundException":
            raise


def state_of(run: Mapping[str, Any]) -> RemoteState:
    """Return how a run fares."""
    word = run.get("JobRunState", "STARTING")
    status = _STATUSES.get(word, RemoteStatus.WAITING)
    why = ""
    if status is RemoteStatus.FAILED:
        told = str(run.get("ErrorMessage") or run.get("StateDetail") or "AWS Glue gives no reason")
        why = f"{word.lower()}: {_EXIT_CODE.sub(lambda found: describe_exit(int(found[1])), told)}"
    return RemoteState(status, why, {JOB_TAG: run["Id"]})


def log_groups_of(run: Mapping[str, Any]) -> tuple[str, str]:
    """Return the log groups of a run's standard output and standard error; its stream is called as the run is."""
    group = run.get("LogGroupName") or DEFAULT_LOG_GROUP
    return f"{group}/output", f"{group}/error"
