"""The submitter of AWS Batch against moto's server, whose jobs are processes."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import pytest

from redun.executors.aws import AwsRefused, AwsUnavailable
from redun.executors.aws_batch.submitter import AWSBatchSubmitter, make_request
from redun.executors.remote.submitter import RemoteStatus, SubmitterError
from redun.testing.aws_server import Fault
from redun.testing.submitter import SubmitterSuite

WAIT_SECONDS = 30


def wait(submitter, ids):
    """Poll until all have ended."""
    limit = time.monotonic() + WAIT_SECONDS
    while True:
        states = submitter.poll(ids)
        if all(state.status in {RemoteStatus.SUCCEEDED, RemoteStatus.FAILED} for state in states.values()):
            return states
        assert time.monotonic() < limit, states
        time.sleep(0.02)


def test_a_job_runs_and_its_log_is_read(submitter, submission):
    """A command runs with its environment; its state names the job and the stream, which holds what it wrote."""
    (job_id,) = submitter.submit(submission("echo one; echo $WORD >&2", environment={"WORD": "two"}))
    (state,) = wait(submitter, [job_id]).values()
    assert state.status is RemoteStatus.SUCCEEDED
    assert state.tags["aws_batch_job"] == job_id
    assert state.tags["aws_log_stream"]
    assert submitter.fetch_log(job_id, 10) == ["one", "two"]
    assert submitter.fetch_log(job_id, 1) == ["two"]


def test_a_failure_tells_its_exit_code(submitter, submission):
    """A command that fails is FAILED, with AWS's reason and the exit code."""
    (job_id,) = submitter.submit(submission("exit 3"))
    (state,) = wait(submitter, [job_id]).values()
    assert state.status is RemoteStatus.FAILED
    assert "exit code 3" in state.reason


def test_elements_of_an_array_find_their_number(submitter, submission):
    """Each element sees its rank, succeeds or fails on its own, and has a log of its own."""
    ids = submitter.submit(submission('echo n$AWS_BATCH_JOB_ARRAY_INDEX; test "$AWS_BATCH_JOB_ARRAY_INDEX" != 2',
                                      size=4, is_array=True))  # fmt: skip
    states = wait(submitter, ids)
    assert [states[job_id].status is RemoteStatus.SUCCEEDED for job_id in ids] == [True, True, False, True]
    assert submitter.fetch_log(ids[3], 5) == ["n3"]


def test_an_array_of_one_is_a_job(submitter, submission):
    """AWS makes no array of one element; its command finds number 0 all the same."""
    (job_id,) = submitter.submit(submission("echo n$AWS_BATCH_JOB_ARRAY_INDEX", size=1, is_array=True))
    wait(submitter, [job_id])
    assert submitter.fetch_log(job_id, 5) == ["n0"]


def test_a_job_is_tried_again_by_aws(aws, options, submission):
    """A job that fails is started as often as the section says, and its log is that of the last attempt."""
    submitter = AWSBatchSubmitter({**options, "retries": 3})
    text = "echo attempt $AWS_BATCH_JOB_ATTEMPT; test $AWS_BATCH_JOB_ATTEMPT = 3"
    (job_id,) = submitter.submit(submission(text))
    (state,) = wait(submitter, [job_id]).values()
    assert state.status is RemoteStatus.SUCCEEDED
    assert submitter.fetch_log(job_id, 5) == ["attempt 3"]


def test_unknown_jobs_are_gone(submitter):
    """A job and an element that AWS does not know are GONE, and have no log."""
    ids = ["11111111-2222-3333-4444-555555555555", "11111111-2222-3333-4444-666666666666:7"]
    assert {state.status for state in submitter.poll(ids).values()} == {RemoteStatus.GONE}
    assert submitter.fetch_log(ids[0], 5) == []


def test_large_arrays_are_listed_not_described(aws, submitter, submission):
    """A look at 1000 elements that wait takes one request; what has ended is described a hundred at a time."""
    aws.runner.is_open.clear()
    ids = submitter.submit(submission("exit 0", size=1000, is_array=True))
    aws.counts.clear()
    states = submitter.poll(ids)
    assert {state.status for state in states.values()} == {RemoteStatus.WAITING}
    assert sum(aws.counts.values()) == 1
    submitter.cancel(ids[10:13], "enough")
    aws.counts.clear()
    states = submitter.poll(ids)
    assert [state.status is RemoteStatus.FAILED for state in states.values()].count(True) == 3
    assert sum(aws.counts.values()) == 3
    submitter.cancel(ids, "over")


def test_a_whole_array_is_ended_by_one_request(aws, submitter, submission):
    """Cancelling all of an array that has not ended ends the array itself."""
    aws.runner.is_open.clear()
    ids = submitter.submit(submission("exit 0", size=300, is_array=True))
    submitter.cancel(ids[:1], "first")
    aws.counts.clear()
    submitter.cancel(ids[1:], "rest")
    assert aws.counts["batch:terminatejob"] == 1
    assert {state.status for state in submitter.poll(ids).values()} == {RemoteStatus.FAILED}


def test_cancel_kills_what_runs(aws, submitter, submission):
    """A running job is killed with its children; its reason is the one that was given."""
    (job_id,) = submitter.submit(submission("sleep 60 & sleep 60"))
    while submitter.poll([job_id])[job_id].status is not RemoteStatus.RUNNING:
        time.sleep(0.02)
    submitter.cancel([job_id, "11111111-2222-3333-4444-555555555555"], "no more")
    (state,) = wait(submitter, [job_id]).values()
    assert state.status is RemoteStatus.FAILED
    assert "no more" in state.reason
    assert "ended by SIGKILL (exit code 137)" in state.reason


def test_live_jobs_are_found_by_name(aws, submitter, submission):
    """Jobs that wait are found by a prefix of their name, elements of arrays by name and number, ended ones not."""
    aws.runner.is_open.clear()
    (single,) = submitter.submit(submission(name="live-a"))
    ids = submitter.submit(submission(name="live-b", size=3, is_array=True))
    (ended,) = submitter.submit(submission(name="live-c"))
    submitter.submit(submission(name="other-a"))
    submitter.cancel([ended, ids[1]], "not these")
    aws.counts.clear()
    assert submitter.find_live("live-") == {"live-a": single, "live-b:0": ids[0], "live-b:2": ids[2]}
    assert aws.counts == {"batch:listjobs": 7}
    submitter.cancel([single, *ids], "over")


def test_a_submission_whose_answer_was_lost_is_not_repeated(aws, submitter, submission):
    """When AWS made the job and its answer was lost, the job is found by its name: there is one."""
    aws.runner.is_open.clear()
    aws.faults.append(Fault("batch:submitjob", "InternalFailure", 500, is_done=True))
    wanted = submission(name="lost-answer")
    (job_id,) = submitter.submit(wanted)
    assert submitter.find_live("lost-answer") == {"lost-answer": job_id}
    assert aws.counts["batch:submitjob"] == 1
    submitter.cancel([job_id], "over")


def test_a_submission_that_was_not_carried_out_may_be_repeated(aws, submitter, submission):
    """When AWS made no job the error is one that repeating may mend."""
    aws.faults.append(Fault("batch:submitjob", "InternalFailure", 500))
    with pytest.raises(AwsUnavailable):
        submitter.submit(submission())


def test_throttling_may_be_repeated(aws, submitter, submission):
    """Throttling is an OSError, whichever request meets it, and the next one passes."""
    aws.faults.append(Fault("batch:*", "TooManyRequestsException", 429, times=2))
    for _ in range(2):
        with pytest.raises(OSError, match="put off by AWS"):
            submitter.submit(submission())
    (job_id,) = submitter.submit(submission())
    aws.faults.append(Fault("batch:describejobs", "ThrottlingException"))
    with pytest.raises(OSError, match="put off by AWS"):
        submitter.poll([job_id])
    assert wait(submitter, [job_id])[job_id].status is RemoteStatus.SUCCEEDED


def test_expired_credentials_are_named(aws, submitter, submission):
    """Credentials that expire in mid-run are told with what to do; once they are renewed the next request passes."""
    (job_id,) = submitter.submit(submission())
    aws.faults.append(Fault("batch:describejobs", "ExpiredTokenException", 403))
    with pytest.raises(SubmitterError, match="expired") as caught:
        submitter.poll([job_id])
    assert "log in again" in caught.value.hint
    assert wait(submitter, [job_id])[job_id].status is RemoteStatus.SUCCEEDED


def test_a_forbidden_request_is_named(aws, submitter, submission):
    """What IAM does not allow is told by the name that IAM has for it."""
    aws.faults.append(Fault("batch:submitjob", "AccessDeniedException", 403))
    with pytest.raises(AwsRefused, match="does not allow batch:SubmitJob") as caught:
        submitter.submit(submission())
    assert caught.value.code == "AccessDeniedException"


def test_absent_credentials_are_named(aws, submitter, monkeypatch):
    """Without credentials nothing is submitted, and it is told where they are looked for."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AwsRefused, match="no credentials for AWS") as caught:
        submitter.check()
    assert "AWS_PROFILE" in caught.value.hint


def test_an_absent_boto3_is_named(aws, submitter, monkeypatch):
    """Without boto3 it is told how to install it."""
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    with pytest.raises(AwsRefused, match="boto3 is not installed") as caught:
        submitter.check()
    assert "redun[aws]" in caught.value.hint


def test_an_absent_region_is_named(aws, submitter, monkeypatch):
    """Without a region the option that names one is told."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(AwsRefused, match="region") as caught:
        submitter.check()
    assert "aws_region" in caught.value.hint


def test_a_server_that_cannot_be_reached_may_be_asked_again(aws, submitter, monkeypatch):
    """A connection that is refused is an OSError."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(AwsUnavailable) as caught:
        submitter.check()
    assert not caught.value.may_be_done


@pytest.mark.parametrize(("queue", "why"), [("nowhere", "no job queue 'nowhere'"), ("closed", "found DISABLED")])
def test_a_queue_that_takes_no_jobs_is_named(aws, options, queue, why):
    """A queue that is not there, or is closed, is refused before anything is submitted."""
    with pytest.raises(AwsRefused, match=why):
        AWSBatchSubmitter({**options, "queue": queue}).check()


def test_the_queue_of_a_task_is_checked_too(submitter, submission):
    """A queue that a task names and AWS lacks is named."""
    with pytest.raises(AwsRefused, match="no job queue 'elsewhere'"):
        submitter.submit(submission(queue="elsewhere"))


def test_the_request_says_all_options(submission):
    """Sizes, time limit, share, priority and tags are said as AWS takes them."""
    wanted = submission(
        vcpus=0.5, memory=1.5, gpus=2, timeout=90.5, share_id="team", scheduling_priority_override=7,
        batch_tags={"cost": "a&b", "none": None},
    )  # fmt: skip
    request = make_request(wanted, attempts=2)
    assert request["containerOverrides"]["resourceRequirements"] == [
        {"type": "VCPU", "value": "0.5"}, {"type": "MEMORY", "value": "1536"}, {"type": "GPU", "value": "2"},
    ]  # fmt: skip
    assert request["timeout"] == {"attemptDurationSeconds": 91}
    assert request["shareIdentifier"] == "team"
    assert request["schedulingPriorityOverride"] == 7
    assert request["retryStrategy"] == {"attempts": 2}
    assert request["tags"] == {"redun_task_name": "wf.work", "cost": "a_b"}
    assert make_request(submission(timeout=5))["timeout"] == {"attemptDurationSeconds": 60}


def test_redun_leaves_its_tags_out_when_told_so(submission):
    """Without default_batch_tags a job has the tags of the options alone, and none when there are none."""
    request = make_request(submission(default_batch_tags=False, batch_tags={"a": "b"}))
    assert request["tags"] == {"a": "b"}
    assert "tags" not in make_request(submission(default_batch_tags=False))


def test_nodes_run_side_by_side_and_the_main_one_counts(submitter, submission):
    """A multi-node job starts the command on each node; it ends as the main node does, whose log is read."""
    text = "echo node $AWS_BATCH_JOB_NODE_INDEX of $AWS_BATCH_JOB_NUM_NODES; test $AWS_BATCH_JOB_NODE_INDEX = 0"
    (job_id,) = submitter.submit(submission(text, num_nodes=3))
    (state,) = wait(submitter, [job_id]).values()
    assert state.status is RemoteStatus.SUCCEEDED
    assert submitter.fetch_log(job_id, 5) == ["node 0 of 3"]


def test_other_nodes_keep_their_outcome_to_themselves(submission):
    """Of a call on several nodes only the main one leaves an outcome; any other command is the same on all."""
    call = ("redun", "worker", "--scratch", "s3://b/s", "--job", "0" * 64)
    groups = make_request(replace(submission(num_nodes=2), command=call))["nodeOverrides"]["nodePropertyOverrides"]
    assert [tuple(group["containerOverrides"]["command"]) for group in groups] == [call, (*call, "--without-output")]
    groups = make_request(submission("true", num_nodes=2))["nodeOverrides"]["nodePropertyOverrides"]
    assert groups[0]["containerOverrides"] == groups[1]["containerOverrides"]


class TestAWSBatchSubmitter(SubmitterSuite):
    """What every submitter promises."""

    poll_seconds = 0.02
    absent_id = "11111111-2222-3333-4444-555555555555"

    def options(self):
        """Those of the section."""
        return self.values

    @pytest.fixture
    def submitter(self, submitter, options):
        """One of the queue."""
        self.values = options
        self.make_again = lambda _: AWSBatchSubmitter(options)
        return submitter
