"""Logs of failed jobs."""

from __future__ import annotations

from redun.executors.remote.logs import Logs
from redun.testing.submitter import SubmitterSuite


def test_of_many_failures_some_logs_are_fetched(cluster):
    """When thousands of jobs fail, it is for one reason."""
    suite = SubmitterSuite()
    (job_id,) = cluster.submit(suite._one("echo line"))
    suite._wait(cluster, [job_id])
    logs = Logs(cluster, max_logs=2)
    assert [logs.fetch(job_id) for _ in range(4)] == [["line"], ["line"], [], []]


def test_a_log_that_cannot_be_had_is_none(cluster):
    """Whatever the cluster says to that."""
    cluster.n_throttled = 1
    assert Logs(cluster).fetch("any") == []
