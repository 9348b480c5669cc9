"""How jobs of AWS Batch fare, asked for in bulk.

Theory of operation.  ``DescribeJobs`` takes 100 ids, elements of arrays among them (``<array's id>:<number>``).  For an
array of 1000 that is ten requests each time, so of an array that many elements are asked of, the array itself is
described: that counts its elements by status.  Only statuses that some have are then listed (1000 a request), and only
what has ended is described, once in its life, for its log stream and its reason.  Five arrays of 1000 that run cost 1 +
5 requests a look where describing would cost 50.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from redun.executors.aws import AwsService
from redun.executors.exit_codes import describe_exit
from redun.executors.remote.submitter import RemoteState, RemoteStatus

MAX_DESCRIBED = 100
"""The most ids that one request takes."""
LISTED_FROM = 200
"""From how many elements on an array is listed and not described."""
DEFAULT_LOG_GROUP = "/aws/batch/job"
JOB_TAG = "aws_batch_job"
LOG_STREAM_TAG = "aws_log_stream"

LIVE = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
ENDED = ("SUCCEEDED", "FAILED")
_STATUSES = {
    **dict.fromkeys(LIVE, RemoteStatus.WAITING),
    "RUNNING": RemoteStatus.RUNNING,
    "SUCCEEDED": RemoteStatus.SUCCEEDED,
    "FAILED": RemoteStatus.FAILED,
}
_GONE = RemoteState(RemoteStatus.GONE, "AWS Batch does not know the job")
_WAITING = RemoteState(RemoteStatus.WAITING)
_RUNNING = RemoteState(RemoteStatus.RUNNING)


def poll_jobs(batch: AwsService, ids: Sequence[str]) -> dict[str, RemoteState]:
    """Return how jobs fare; see Submitter.poll.  Raises AwsRefused and AwsUnavailable."""
    arrays: dict[str, list[str]] = {}
    for job_id in ids:
        arrays.setdefault(array_of(job_id), []).append(job_id)
    listed = {array: elements for array, elements in arrays.items() if len(elements) >= LISTED_FROM}
    states: dict[str, RemoteState] = {}
    to_describe = [job_id for array, elements in arrays.items() if array not in listed for job_id in elements]
    for array, summary in describe_jobs(batch, listed).items():
        for job_id, state in _list_elements(batch, array, listed[array], summary):
            if state is None:
                to_describe.append(job_id)
            else:
                states[job_id] = state
    described = with_main_nodes(batch, describe_jobs(batch, to_describe))
    states.update((job_id, state_of(job)) for job_id, job in described.items())
    return {job_id: states.get(job_id, _GONE) for job_id in ids}


def describe_jobs(batch: AwsService, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return AWS's description of each job that it knows."""
    wanted = list(ids)
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(wanted), MAX_DESCRIBED):
        answer = batch.call("describe_jobs", jobs=wanted[start : start + MAX_DESCRIBED])
        found.update((job["jobId"], job) for job in answer["jobs"])
    return found


def with_main_nodes(batch: AwsService, jobs: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return descriptions in which the container of a multi-node job is that of its main node: it has none itself."""
    nodes = {f"{job_id}#{job['nodeProperties'].get('mainNode', 0)}": job_id for job_id, job in jobs.items()
             if job.get("nodeProperties")}  # fmt: skip
    found: dict[str, Mapping[str, Any]] = dict(jobs)
    for node_id, node in describe_jobs(batch, nodes).items():
        job_id = nodes[node_id]
        found[job_id] = {**jobs[job_id], "container": node.get("container", {}), "attempts": node.get("attempts", ())}
    return found


def list_elements(batch: AwsService, array: str, statuses: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the ids of an array's elements that have one of some statuses, each with its status."""
    for status in statuses:
        for job in batch.iter_items("list_jobs", "jobSummaryList", arrayJobId=array, jobStatus=status):
            yield job["jobId"], status


def list_live_elements(batch: AwsService, array: str, size: int) -> list[str]:
    """Return the ids of an array's elements that have not ended, in order of their numbers.

    What has ended is listed, not what lives: an element that passes from one status to the next meanwhile is in both
    lists or in none.
    """
    ended = {job_id for job_id, _ in list_elements(batch, array, ENDED)}
    return [job_id for job_id in (f"{array}:{number}" for number in range(size)) if job_id not in ended]


def _list_elements(
    batch: AwsService, array: str, elements: Sequence[str], summary: Mapping[str, Any]
) -> Iterator[tuple[str, RemoteState | None]]:
    """Yield how the elements fare that live; with None those that have ended and must be described."""
    counts = summary.get("arrayProperties", {}).get("statusSummary", {})
    # First what runs: what ends while this is asked is then in the later list.
    shown = [status for status in ("RUNNING", *ENDED) if counts.get(status, 0)]
    statuses = dict(list_elements(batch, array, shown))
    for job_id in elements:
        status = statuses.get(job_id)
        if status in ENDED:
            yield job_id, None
        else:
            yield job_id, _RUNNING if status == "RUNNING" else _WAITING


def array_of(job_id: str) -> str:
    """Return the id of the array that an element is of; a job that is no element is its own."""
    return job_id.partition(":")[0]


def state_of(job: Mapping[str, Any]) -> RemoteState:
    """Return how a job fares that ``DescribeJobs`` has described."""
    status = _STATUSES.get(job["status"], RemoteStatus.WAITING)
    tags = {JOB_TAG: job["jobId"]}
    if stream := log_stream_of(job):
        tags[LOG_STREAM_TAG] = stream
    return RemoteState(status, reason_of(job) if status is RemoteStatus.FAILED else "", tags)


def log_stream_of(job: Mapping[str, Any]) -> str | None:
    """Return the log stream of a job's last attempt; None before there is one."""
    containers = [job.get("container", {}), *(each.get("container", {}) for each in reversed(job.get("attempts", ())))]
    return next((str(each["logStreamName"]) for each in containers if each.get("logStreamName")), None)


def log_group_of(job: Mapping[str, Any]) -> str:
    """Return the log group that a job's streams are in."""
    logging = job.get("container", {}).get("logConfiguration") or {}
    return str((logging.get("options") or {}).get("awslogs-group", DEFAULT_LOG_GROUP))


def reason_of(job: Mapping[str, Any]) -> str:
    """Return why a job failed, in AWS's words: the reason of the job, its exit code, the reason of its container."""
    container = job.get("container", {})
    attempts = job.get("attempts", ())
    last = attempts[-1].get("container", {}) if attempts else {}
    code = container.get("exitCode", last.get("exitCode"))
    parts = [
        str(job.get("statusReason") or ""),
        "" if code is None else describe_exit(code),
        str(container.get("reason") or last.get("reason") or ""),
        f"after {len(attempts)} attempts" if len(attempts) > 1 else "",
    ]
    return ", ".join(part for part in parts if part) or "AWS Batch gives no reason"
