"""Jobs of a fake Google Batch: what is asked of it, and what is made of its answers."""

from __future__ import annotations

import sys
import time

import pytest

from redun.executors.gcp_batch.submitter import GCPBatchSubmitter
from redun.executors.remote.submitter import RemoteStatus, Submission, SubmitterError
from redun.testing.submitter import SubmitterSuite

pytest.importorskip("google.cloud.batch_v1", reason="pip install 'redun[gcp]'")

WAIT_SECONDS = 30.0
ENDED = (RemoteStatus.SUCCEEDED, RemoteStatus.FAILED, RemoteStatus.GONE)
TOKEN = "0123456789abcdef" * 2


@pytest.fixture
def submission(values):
    """Return a maker of submissions."""

    def make(*command, name="redun-job-ab12", size=None, token="", **said):
        size, is_array = (1, False) if size is None else (size, True)
        return Submission(name, command, values(**said), size, is_array=is_array, token=token)

    return make


def wait(submitter, ids):
    """Return how jobs ended."""
    limit = time.monotonic() + WAIT_SECONDS
    while True:
        states = submitter.poll(ids)
        if all(states[job_id].status in ENDED for job_id in ids):
            return [states[job_id] for job_id in ids]
        assert time.monotonic() < limit, states


class TestGCPBatchSubmitter(SubmitterSuite):
    """What every submitter does."""

    absent_id = "r1/no-such-job"
    poll_seconds = 0.05

    @pytest.fixture
    def submitter(self, server, make_submitter, values):
        """Talks to the fake."""
        self.values = values()
        return make_submitter()

    def options(self):
        """Return the value of every option."""
        return self.values

    def make_again(self, submitter):
        """Return another for the same region."""
        return GCPBatchSubmitter("cloud", self.values)


def test_job_and_log_are_told_to_the_redun_job(server, make_submitter, submission):
    """By the names that Google has for them."""
    submitter = make_submitter()
    (job_id,) = submitter.submit(submission("sleep", "60"))
    (job,) = server.jobs.values()
    assert submitter.poll([job_id])[job_id].tags == {"gcp_batch_job": job.job_id, "gcp_batch_uid": job.uid}


def test_a_poll_of_jobs_is_one_request(server, make_submitter, submission):
    """However many they are."""
    submitter = make_submitter()
    ids = [submitter.submit(submission("sleep", "60", name=f"redun-{n}"))[0] for n in range(5)]
    server.requests.clear()
    states = submitter.poll(ids)
    assert {state.status for state in states.values()} == {RemoteStatus.RUNNING}
    assert [method for method, _ in server.requests] == ["GET"]


def test_a_job_that_a_listing_lacks_is_asked_for_by_name(server, make_submitter, submission):
    """A listing may lag; a job is gone only when it has no name any more."""
    submitter = make_submitter()
    (job_id,) = submitter.submit(submission("sleep", "60"))
    server.unlisted.update(server.jobs)
    states = submitter.poll([job_id, "r/none"])
    assert states[job_id].status is RemoteStatus.RUNNING
    assert states["r/none"].status is RemoteStatus.GONE


def test_tasks_are_listed_when_something_has_changed(server, make_submitter, submission):
    """The job tells how many are in which state."""
    submitter = make_submitter()
    ids = submitter.submit(submission("sleep", "60", size=20))
    submitter.poll(ids)
    server.requests.clear()
    submitter.poll(ids)
    assert [path.rpartition("/")[2] for _, path in server.requests] == ["jobs"]


def test_lists_are_read_to_their_end(server, make_submitter, submission):
    """Google answers in pages, of jobs and of tasks."""
    server.page_size = 2
    submitter = make_submitter()
    ids = [submitter.submit(submission("sleep", "60", name=f"redun-{n}"))[0] for n in range(5)]
    ids += submitter.submit(submission("sleep", "60", name="redun-array", size=5))
    assert all(state.status is RemoteStatus.RUNNING for state in submitter.poll(ids).values())


def test_google_tries_again_as_often_as_it_is_told(server, make_submitter, submission, tmp_path):
    """A second attempt may succeed where the first did not."""
    submitter = make_submitter()
    (tmp_path / "try.sh").write_text(f"test -e {tmp_path}/tried && exit 0; touch {tmp_path}/tried; exit 1")
    (state,) = wait(submitter, submitter.submit(submission("sh", str(tmp_path / "try.sh"), retries="1")))
    assert state.status is RemoteStatus.SUCCEEDED


def test_a_job_that_takes_too_long_is_ended(server, make_submitter, submission):
    """By Google, which has a code for it."""
    submitter = make_submitter()
    (state,) = wait(submitter, submitter.submit(submission("sleep", "60", timeout=1)))
    assert state.reason == "it ran longer than timeout allows (exit code 50005)"


def test_an_array_is_cancelled_when_no_element_is_wanted(server, make_submitter, submission):
    """Google ends whole jobs only."""
    submitter = make_submitter()
    ids = submitter.submit(submission("sleep", "60", size=3))
    submitter.cancel(ids[:2], "enough")
    assert {state.status for state in submitter.poll(ids).values()} == {RemoteStatus.RUNNING}
    submitter.cancel(ids, "enough")
    assert {state.status for state in submitter.poll(ids).values()} == {RemoteStatus.FAILED}


def test_a_cancelled_job_says_so(server, make_submitter, submission):
    """In Google's words."""
    submitter = make_submitter()
    ids = submitter.submit(submission("sleep", "60"))
    submitter.cancel(ids, "enough")
    assert submitter.poll(ids)[ids[0]].reason == "Job state is set to CANCELLED"


def test_elements_that_have_ended_are_not_found(server, make_submitter, submission):
    """Of an array those that still run are."""
    submitter = make_submitter()
    code = 'test "$BATCH_TASK_INDEX" = 0 || sleep 60'
    array = submitter.submit(submission("sh", "-c", code, name="redun-job-bb", size=2))
    wait(submitter, array[:1])
    assert make_submitter().find_live("redun-job") == {"redun-job-bb:1": array[1]}


def test_a_lost_answer_makes_no_second_job(server, make_submitter, submission):
    """The token of the submission tells that it is the same."""
    submitter = make_submitter()
    asked = submission("true", token=TOKEN)
    server.failures = [0]
    with pytest.raises(OSError, match="Google Batch does not answer"):
        submitter.submit(asked)
    ids = submitter.submit(asked)
    assert len(server.jobs) == 1
    assert wait(submitter, ids)[0].status is RemoteStatus.SUCCEEDED


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_server_that_is_busy_may_be_asked_again(server, make_submitter, code):
    """Throttling and failures of the server are OSErrors."""
    server.failures = [code]
    with pytest.raises(OSError, match=f"Google put off .*{code}"):
        make_submitter().poll(["r/j"])


@pytest.mark.parametrize(("code", "hint"), [(401, "gcloud auth"), (403, "roles/batch.jobsEditor"), (404, "region")])
def test_a_refusal_is_told_with_what_to_do(server, make_submitter, submission, code, hint):
    """Expired credentials, missing rights, a wrong region."""
    server.failures = [code]
    with pytest.raises(
        SubmitterError, match=r"executor 'cloud': (Google refused create_job|no credentials for Google)"
    ) as got:
        make_submitter().submit(submission("true"))
    assert hint in got.value.hint


def test_a_label_that_google_refuses_is_told_in_its_words(server, make_submitter, submission):
    """Before anything runs."""
    with pytest.raises(SubmitterError, match=r"executor 'cloud': .*label Team=genes is invalid"):
        make_submitter().submit(submission("true", labels={"Team": "genes"}))


def test_a_wrong_region_is_told_by_the_check(server, make_submitter):
    """Before anything is submitted."""
    with pytest.raises(SubmitterError, match=r"executor 'cloud': Google refused list_jobs: .*not found") as got:
        make_submitter(region="us-nowhere1").check()
    assert "region" in got.value.hint


def test_missing_credentials_are_told(make_submitter, monkeypatch, tmp_path):
    """With what to do about it."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_API_USE_CLIENT_CERTIFICATE", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(SubmitterError, match="no credentials for Google") as got:
        make_submitter().check()
    assert "gcloud auth application-default login" in got.value.hint


def test_a_server_that_does_not_answer_is_told(server, make_submitter):
    """At once, not after tries."""
    submitter = make_submitter()
    server.stop()
    with pytest.raises(SubmitterError, match="executor 'cloud': Google Batch does not answer"):
        submitter.check()


def test_a_missing_client_is_told_with_what_to_install(make_submitter, monkeypatch):
    """Nothing else of redun needs it."""
    monkeypatch.setitem(sys.modules, "google.cloud.batch_v1", None)
    monkeypatch.delattr("google.cloud.batch_v1", raising=False)
    with pytest.raises(SubmitterError, match="the client of Google Batch is not installed") as got:
        make_submitter().check()
    assert got.value.hint == "pip install 'redun[gcp]'"
