"""The cluster that other tests use keeps the contract."""

from __future__ import annotations

import pytest

from redun.testing.local_submitter import LocalSubmitter
from redun.testing.submitter import SubmitterSuite


class TestLocalSubmitter(SubmitterSuite):
    """A cluster of one machine."""

    poll_seconds = 0.01

    @pytest.fixture
    def submitter(self, cluster):
        """Give it four slots: a job that sleeps keeps one for itself."""
        cluster.n_slots = 4
        return cluster

    def make_again(self, submitter):
        """Return another one over the same folder."""
        return LocalSubmitter(submitter.root, n_slots=4)


def test_a_job_waits_for_a_slot(cluster):
    """It begins when one that ran has ended."""
    suite = SubmitterSuite()
    cluster.n_slots = 1
    first, second = (cluster.submit(suite._one("sleep 60"))[0] for _ in range(2))
    assert [cluster.poll([job])[job].status.name for job in (first, second)] == ["RUNNING", "WAITING"]
    cluster.cancel([first], "enough")
    assert suite._wait_for(lambda: cluster.poll([second])[second].status.name, lambda name: name == "RUNNING")


def test_a_submission_that_is_repeated_is_one(cluster):
    """The token tells, after a reply that was lost."""
    submission = SubmitterSuite()._one("exit 0")
    cluster.loses_reply = True
    with pytest.raises(ConnectionError):
        cluster.submit(submission)
    assert cluster.submit(submission) == cluster.submit(submission)


def test_a_throttled_call_raises_what_may_be_repeated(cluster):
    """As often as it was asked to."""
    cluster.n_throttled = 1
    with pytest.raises(OSError, match="busy"):
        cluster.poll([])
    assert cluster.poll([]) == {}


def test_a_job_that_is_killed_is_told_so(cluster):
    """Its reason names the signal."""
    suite = SubmitterSuite()
    ids = cluster.submit(suite._one("sleep 60"))
    cluster.kill(ids[0])
    assert "SIGKILL" in suite._wait(cluster, ids)[ids[0]].reason
