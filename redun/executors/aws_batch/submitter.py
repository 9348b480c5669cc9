"""How AWS Batch is talked to.

A job is one container override over a job definition (``job_defs.py``); an array one request, whatever its size; a
multi-node job one request with an override for each group of nodes.  Nothing is remembered but which definitions and
queues were found.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import ceil
from typing import Any

from redun.executors.aws import AwsRefused, AwsService, AwsUnavailable
from redun.executors.aws_batch.job_defs import MAIN_NODE, OTHER_NODES, JobDefinitions
from redun.executors.aws_batch.logs import last_lines
from redun.executors.aws_batch.settings import MAX_ARRAY_SIZE, MIN_TIMEOUT_SECONDS
from redun.executors.aws_batch.states import (
    LIVE,
    array_of,
    describe_jobs,
    list_live_elements,
    log_group_of,
    log_stream_of,
    poll_jobs,
    with_main_nodes,
)
from redun.executors.remote.submitter import RemoteState, Submission, Submitter, SubmitterError

RANK_VARIABLE = "AWS_BATCH_JOB_ARRAY_INDEX"
TOKEN_PARAMETER = "redun_token"  # noqa: S105 - no secret
_MIB_PER_GIB = 1024
_MAX_TAGS = 50
_MAX_KEY, _MAX_VALUE = 128, 256
_NOT_OF_TAGS = re.compile(r"[^\w\s.:/=+@-]")
_FEW = 4
"""Up to so many elements of an array are ended one by one, without a look at the rest of it."""
_MAX_REASON = 1024


class AWSBatchSubmitter(Submitter):
    """Talks to one queue of AWS Batch."""

    array_rank_variable = RANK_VARIABLE
    max_array_size = MAX_ARRAY_SIZE

    def __init__(self, values: Mapping[str, Any]) -> None:
        """Make no connection yet; ``values`` holds the value of every option of the executor."""
        self._values = values
        self._batch = AwsService("batch", values["aws_region"])
        self._logs = AwsService("logs", values["aws_region"])
        self._definitions = JobDefinitions(self._batch)
        self._queues: set[str] = set()  # those that took a job, or were asked for

    def check(self) -> None:
        self._check_queue(self._values["queue"])

    def submit(self, submission: Submission) -> list[str]:
        queue = submission.options["queue"]
        if queue not in self._queues:
            self._check_queue(queue)
        request = make_request(submission, attempts=self._values["retries"])
        request["jobDefinition"] = self._definitions.find(submission.options)
        try:
            job_id = self._submit(request)
        except AwsRefused as refused:
            if "definition" not in str(refused).lower():
                raise
            # Somebody has deregistered it since it was found.
            self._definitions.forget()
            request["jobDefinition"] = self._definitions.find(submission.options)
            job_id = self._submit(request)
        if "arrayProperties" in request:
            return [f"{job_id}:{number}" for number in range(submission.size)]
        return [job_id]

    def poll(self, ids: Sequence[str]) -> dict[str, RemoteState]:
        return poll_jobs(self._batch, ids)

    def cancel(self, ids: Sequence[str], reason: str) -> None:
        arrays: dict[str, list[str]] = {}
        for job_id in ids:
            arrays.setdefault(array_of(job_id), []).append(job_id)
        many = {array: elements for array, elements in arrays.items() if len(elements) > _FEW}
        for array, job in describe_jobs(self._batch, many).items():
            size = job.get("arrayProperties", {}).get("size", 0)
            if size and set(list_live_elements(self._batch, array, size)) <= set(arrays[array]):
                arrays[array] = [array]
        for job_id in (job_id for each in arrays.values() for job_id in each):
            # Ends what has not begun, too.  One that has ended is passed over by AWS itself.
            self._batch.call("terminate_job", jobId=job_id, reason=reason[:_MAX_REASON] or "ended by redun")

    def fetch_log(self, job_id: str, max_lines: int) -> list[str]:
        with suppress(SubmitterError, OSError):
            jobs = with_main_nodes(self._batch, describe_jobs(self._batch, [job_id]))
            for job in jobs.values():
                if stream := log_stream_of(job):
                    return last_lines(self._logs, stream, max_lines, group=log_group_of(job))
        return []

    def find_live(self, prefix: str) -> dict[str, str]:
        live: dict[str, str] = {}
        # Earliest status first: a job that passes on meanwhile is met again.  (Rejected: the filter JOB_NAME, which is
        # one listing, but of all jobs of that name in the last seven days, a hundred a page.)
        for status in LIVE:
            listed = self._batch.iter_items(
                "list_jobs", "jobSummaryList", jobQueue=self._values["queue"], jobStatus=status
            )
            for job in listed:
                # moto lists elements with their arrays.
                if job["jobName"].startswith(prefix) and array_of(job["jobId"]) == job["jobId"]:
                    live.update(self._live_parts(job))
        return live

    def _live_parts(self, job: Mapping[str, Any]) -> dict[str, str]:
        """Return by name the ids of what is live of a job that was listed: of an array, its elements."""
        name, job_id = job["jobName"], job["jobId"]
        size = job.get("arrayProperties", {}).get("size", 0)
        if not size:
            return {name: job_id}
        elements = list_live_elements(self._batch, job_id, size)
        return {f"{name}:{element.partition(':')[2]}": element for element in elements}

    def close(self) -> None:
        self._batch.close()
        self._logs.close()

    def _check_queue(self, queue: str) -> None:
        found = self._batch.call("describe_job_queues", jobQueues=[queue])["jobQueues"]
        verb = "batch:DescribeJobQueues"
        if not found:
            where = f" of {self._values['aws_region']}" if self._values["aws_region"] else ""
            hint = "correct queue or aws_region, or make the queue"
            raise AwsRefused(f"AWS Batch{where} has no job queue {queue!r}", verb=verb, hint=hint)
        state, status = found[0].get("state", "ENABLED"), found[0].get("status", "VALID")
        if state != "ENABLED" or status in {"INVALID", "DELETING", "DELETED"}:
            why = found[0].get("statusReason") or "no reason is given"
            message = f"expected job queue {queue!r} to be enabled and valid, found {state} and {status}: {why}"
            raise AwsRefused(message, verb=verb, hint="enable it at AWS, or name another queue")
        self._queues.add(queue)

    def _submit(self, request: Mapping[str, Any]) -> str:
        try:
            return str(self._batch.call("submit_job", **request)["jobId"])
        except AwsUnavailable as lost:
            # Batch knows no tokens of idempotency.  A request whose answer was lost may have made a job, which would be
            # a second one if it were repeated; so a job is looked for that has the token among its parameters.
            found = self._find_submitted(request) if lost.may_be_done else None
            if found is None:
                raise
            return found

    def _find_submitted(self, request: Mapping[str, Any]) -> str | None:
        with suppress(AwsUnavailable):
            names = [{"name": "JOB_NAME", "values": [request["jobName"]]}]
            named = self._batch.iter_items("list_jobs", "jobSummaryList", jobQueue=request["jobQueue"], filters=names)
            ids = [job["jobId"] for job in named if array_of(job["jobId"]) == job["jobId"]]
            for job_id, job in describe_jobs(self._batch, ids).items():
                if job.get("parameters", {}).get(TOKEN_PARAMETER) == request["parameters"][TOKEN_PARAMETER]:
                    return job_id
        return None


def make_request(submission: Submission, *, attempts: int = 1) -> dict[str, Any]:
    """Return the request that submits something, its definition left out.

    Args:
        submission: what to start.
        attempts: how often AWS starts it when it fails, the first time included.  That is for the section to say: what
            a task says in ``retries``, the scheduler sees to, whatever the executor.
    """
    options = submission.options
    request: dict[str, Any] = {
        "jobName": submission.name,
        "jobQueue": options["queue"],
        "parameters": {TOKEN_PARAMETER: submission.token or submission.name},
    }
    if attempts > 1:  # else what the job definition says holds
        request["retryStrategy"] = {"attempts": attempts}
    if tags := make_tags(submission):
        request.update(tags=tags, propagateTags=True)
    command = submission.command
    if submission.is_array and submission.size > 1:
        request["arrayProperties"] = {"size": submission.size}
    elif submission.is_array:  # AWS makes no arrays of one, and its variables cannot be set in a request
        command = ("env", f"{RANK_VARIABLE}=0", *command)
    if options["timeout"]:
        seconds = max(MIN_TIMEOUT_SECONDS, ceil(options["timeout"]))
        request["timeout"] = {"attemptDurationSeconds": seconds}
    if options["share_id"]:
        request["shareIdentifier"] = options["share_id"]
    if options["scheduling_priority_override"] is not None:
        request["schedulingPriorityOverride"] = options["scheduling_priority_override"]
    container = _make_container(command, submission)
    if options["num_nodes"]:
        request["nodeOverrides"] = _make_nodes(container, options["num_nodes"])
    else:
        request["containerOverrides"] = container
    return request


def make_tags(submission: Submission) -> dict[str, str]:
    """Return the tags of a job at AWS: those of redun's own, under those that the options say."""
    own = {"redun_task_name": submission.task_name, **submission.labels}
    tags = {**(own if submission.options["default_batch_tags"] else {}), **(submission.options["batch_tags"] or {})}
    told = [(key, value) for key, value in tags.items() if value is not None and value != ""]
    return {_tag_text(key, _MAX_KEY): _tag_text(value, _MAX_VALUE) for key, value in told[:_MAX_TAGS]}


def _tag_text(value: Any, longest: int) -> str:
    return _NOT_OF_TAGS.sub("_", str(value))[:longest]


def _make_container(command: Sequence[str], submission: Submission) -> dict[str, Any]:
    options = submission.options
    sizes = {"VCPU": f"{options['vcpus']:g}", "MEMORY": str(round(options["memory"] * _MIB_PER_GIB))}
    if options["gpus"]:
        sizes["GPU"] = str(options["gpus"])
    container: dict[str, Any] = {
        "command": list(command),
        "resourceRequirements": [{"type": kind, "value": value} for kind, value in sizes.items()],
    }
    if submission.environment:
        environment = submission.environment.items()
        container["environment"] = [{"name": name, "value": value} for name, value in environment]
    return container


def _make_nodes(container: Mapping[str, Any], num_nodes: int) -> dict[str, Any]:
    groups = [{"targetNodes": MAIN_NODE, "containerOverrides": dict(container)}]
    if num_nodes > 1:
        others = {**container, "command": _command_of_other_nodes(container["command"])}
        groups.append({"targetNodes": OTHER_NODES, "containerOverrides": others})
    return {"numNodes": num_nodes, "nodePropertyOverrides": groups}


def _command_of_other_nodes(command: Sequence[str]) -> list[str]:
    """Return what nodes beside the main one run: the same call, whose outcome they keep to themselves."""
    is_call = "worker" in command and "--" not in command
    return [*command, "--without-output"] if is_call else list(command)
