"""How jobs fare, from descriptions and listings as AWS gives them."""

from __future__ import annotations

import pytest

from redun.executors.aws_batch.states import (
    list_live_elements,
    log_group_of,
    log_stream_of,
    poll_jobs,
    reason_of,
    state_of,
)
from redun.executors.remote.submitter import RemoteStatus


class FakeBatch:
    """Arrays and jobs by id with their status; counts requests, gives two elements a page."""

    def __init__(self, jobs, arrays):
        self.jobs = jobs
        self.arrays = arrays
        self.requests = []

    def call(self, operation, jobs):
        self.requests.append(operation)
        assert len(jobs) <= 100
        return {"jobs": [found for found in map(self._describe, jobs) if found]}

    def iter_items(self, operation, _items, *, arrayJobId, jobStatus):
        self.requests.append(f"{operation} {jobStatus}")
        statuses = enumerate(self.arrays[arrayJobId])
        yield from ({"jobId": f"{arrayJobId}:{rank}"} for rank, status in statuses if status == jobStatus)

    def _describe(self, job_id):
        array, _, rank = job_id.partition(":")
        if array not in self.arrays:
            return {"jobId": job_id, "status": self.jobs[job_id]} if job_id in self.jobs else None
        if rank:
            return {"jobId": job_id, "status": self.arrays[array][int(rank)]}
        counts = {status: self.arrays[array].count(status) for status in set(self.arrays[array])}
        size = len(self.arrays[array])
        return {"jobId": array, "status": "PENDING", "arrayProperties": {"size": size, "statusSummary": counts}}


def test_of_a_large_array_only_what_has_ended_is_described():
    """One description of the array, a list for each status that some have, one description for what has ended."""
    array = ["RUNNING"] * 150 + ["RUNNABLE"] * 140 + ["SUCCEEDED"] * 7 + ["FAILED"] * 3
    batch = FakeBatch({"single": "STARTING"}, {"a": array})
    ids = [f"a:{rank}" for rank in range(300)]
    states = poll_jobs(batch, [*ids, "single", "unknown"])
    found = [states[job_id].status for job_id in ids]
    assert [found.count(status) for status in RemoteStatus] == [140, 150, 7, 3, 0]
    assert states["single"].status is RemoteStatus.WAITING
    assert states["unknown"].status is RemoteStatus.GONE
    listed = ["list_jobs RUNNING", "list_jobs SUCCEEDED", "list_jobs FAILED"]
    assert batch.requests == ["describe_jobs", *listed, "describe_jobs"]


def test_few_elements_are_described_at_once():
    """What is left of an array is described together with single jobs, a hundred a request."""
    batch = FakeBatch({f"j{n}": "RUNNING" for n in range(90)}, {"a": ["SUCCEEDED"] * 1000})
    states = poll_jobs(batch, [*batch.jobs, *(f"a:{rank}" for rank in range(20))])
    assert batch.requests == ["describe_jobs"] * 2
    assert sum(state.status is RemoteStatus.SUCCEEDED for state in states.values()) == 20


def test_elements_of_an_array_that_aws_forgot_are_gone():
    """An array that is not described has no elements either."""
    batch = FakeBatch({}, {})
    states = poll_jobs(batch, [f"lost:{rank}" for rank in range(300)])
    assert {state.status for state in states.values()} == {RemoteStatus.GONE}


def test_live_elements_are_those_that_have_not_ended():
    """In order of their numbers."""
    batch = FakeBatch({}, {"a": ["RUNNING", "FAILED", "SUBMITTED", "SUCCEEDED"]})
    assert list_live_elements(batch, "a", 4) == ["a:0", "a:2"]


@pytest.mark.parametrize(
    ("job", "why"),
    [
        ({}, "AWS Batch gives no reason"),
        ({"statusReason": "Host EC2 terminated"}, "Host EC2 terminated"),
        (
            {"statusReason": "Essential", "container": {"exitCode": 137, "reason": "OutOfMemoryError"}},
            "Essential, ended by SIGKILL (exit code 137), OutOfMemoryError",
        ),
        (
            {"attempts": [{"container": {"exitCode": 1}}, {"container": {"exitCode": 2}}]},
            "exit code 2, after 2 attempts",
        ),
    ],
)
def test_a_reason_has_all_that_aws_tells(job, why):
    """The job's reason, how its process ended, the container's reason, and how often it was tried."""
    assert reason_of(job) == why


def test_the_log_is_that_of_the_last_attempt():
    """The container's own stream, or else that of the last attempt that has one; none before that."""
    attempts = [{"container": {"logStreamName": "one"}}, {"container": {"logStreamName": "two"}}, {"container": {}}]
    assert log_stream_of({"container": {"logStreamName": "now"}, "attempts": attempts}) == "now"
    assert log_stream_of({"container": {}, "attempts": attempts}) == "two"
    assert log_stream_of({}) is None
    assert "aws_log_stream" not in state_of({"jobId": "x", "status": "RUNNABLE"}).tags


def test_the_log_group_is_that_of_the_definition():
    """A job definition may send logs to a group of its own."""
    options = {"logConfiguration": {"options": {"awslogs-group": "/our/group"}}}
    assert log_group_of({"container": options}) == "/our/group"
    assert log_group_of({"container": {}}) == "/aws/batch/job"
