"""`redun aws`: jobs of AWS Batch and their logs, against moto's server, whose jobs are processes."""

from __future__ import annotations

import json
import time
import uuid

import pytest

from redun.executors.aws_batch.settings import BATCH_OPTIONS
from redun.executors.aws_batch.submitter import AWSBatchSubmitter
from redun.executors.remote.submitter import RemoteStatus, Submission

WAIT_SECONDS = 30


pytestmark = pytest.mark.usefixtures("project")


@pytest.fixture
def prefix():
    """What the names of this test's jobs begin with."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def project(aws, compiled, prefix):
    """The working directory: a folder whose settings name two executors on one queue of AWS Batch."""
    section = f"type = aws_batch\nimage = redun:1\nqueue = queue\ns3_scratch = scratch\njob_name_prefix = {prefix}\n"
    (compiled / ".redun" / "redun.ini").write_text(
        f"[executors.batch]\n{section}\n[executors.large]\n{section}memory = 64\n"
    )
    return compiled


@pytest.fixture
def submit(aws, prefix):
    """Submit a shell text; return the ids, after all has ended unless told otherwise."""
    values = BATCH_OPTIONS.read_section("batch", {"image": "redun:1", "queue": "queue", "s3_scratch": "x"})
    submitter = AWSBatchSubmitter(values)

    def run(text, name="a", prefix=prefix, is_waited=True, **size):
        ids = submitter.submit(Submission(f"{prefix}-{name}", ("/bin/sh", "-c", text), values, **size))
        limit = time.monotonic() + WAIT_SECONDS
        ended = {RemoteStatus.SUCCEEDED, RemoteStatus.FAILED}
        while is_waited and not all(state.status in ended for state in submitter.poll(ids).values()):
            assert time.monotonic() < limit
            time.sleep(0.02)
        return ids

    yield run
    submitter.close()


def parse(text):
    """Return what JSON lines say."""
    return [json.loads(line) for line in text.splitlines()]


def test_jobs_that_live_are_listed_once(aws, redun, submit, prefix):
    """Each line is a job or array of redun's, as AWS tells it; those that ended and those of others are not shown."""
    submit("true", name="ended")
    aws.runner.is_open.clear()
    (single,) = submit("true", name="one", is_waited=False)
    array = submit("true", name="many", size=3, is_array=True, is_waited=False)[0].partition(":")[0]
    (other,) = submit("true", prefix="other", is_waited=False)
    jobs = parse(redun("aws", "list-jobs"))
    assert {job["jobId"] for job in jobs} == {single, array}
    assert {job["jobName"] for job in jobs} == {f"{prefix}-one", f"{prefix}-many"}
    assert {job["status"] for job in jobs} == {"RUNNABLE", "PENDING"}
    assert all(job["queue"] == "queue" for job in jobs)
    aws.client("batch").terminate_job(jobId=other, reason="over")


def test_jobs_are_listed_by_status(redun, submit):
    """--status takes several, in any case; jobs that failed tell their exit code."""
    submit("true", name="good")
    submit("exit 4", name="bad")
    (job,) = parse(redun("aws", "list-jobs", "--status", "failed"))
    assert job["container"]["exitCode"] == 4
    assert len(parse(redun("aws", "list-jobs", "--status", "FAILED,SUCCEEDED"))) == 2


def test_jobs_are_ended(aws, redun, submit):
    """kill-jobs ends jobs and arrays that live, tells each, and leaves those of others."""
    aws.runner.is_open.clear()
    (other,) = submit("true", prefix="other", is_waited=False)
    ids = [*submit("true", name="one", is_waited=False), *submit("true", size=2, is_array=True, is_waited=False)]
    assert parse(redun("aws", "kill-jobs", "--status", "STARTING")) == []
    assert len(parse(redun("aws", "kill-jobs"))) == 2
    found = aws.client("batch").describe_jobs(jobs=[*ids, other])["jobs"]
    assert {job["jobId"]: job["status"] for job in found} == {**dict.fromkeys(ids, "FAILED"), other: "RUNNABLE"}
    assert {job.get("statusReason") for job in found} == {"ended by `redun aws kill-jobs`", None}
    aws.client("batch").terminate_job(jobId=other, reason="over")


def test_the_log_of_a_batch_job_is_printed(redun, submit):
    """A line tells the job and its stream, then come the lines, each with its time."""
    (job_id,) = submit("echo one; echo two")
    head, *lines = redun("aws", "logs", "--batch-job", job_id).splitlines()
    assert head.startswith(f"# job {job_id}, log stream ")
    assert [line.partition("  ")[2] for line in lines] == ["one", "two"]
    stream = head.rpartition(" ")[2]
    assert redun("aws", "logs", "-l", stream).splitlines()[1:] == lines


def test_the_logs_of_an_array_are_those_of_its_elements(redun, submit):
    """An array's id gives the logs of all that began, in order; an element's id gives its own."""
    ids = submit("echo n$AWS_BATCH_JOB_ARRAY_INDEX", size=3, is_array=True)
    lines = redun("aws", "logs", "-b", ids[0].partition(":")[0]).splitlines()
    assert [line.partition("  ")[2] for line in lines[1::2]] == ["n0", "n1", "n2"]
    assert redun("aws", "logs", "-b", ids[2]).splitlines()[1].endswith("  n2")


def test_logs_of_all_jobs_are_printed(redun, submit):
    """--all prints the log of each job of the queue; --status those of some."""
    submit("echo fine", name="good")
    submit("echo broken; exit 1", name="bad")
    assert {line.partition("  ")[2] for line in redun("aws", "logs", "--all").splitlines()[1::2]} == {"fine", "broken"}
    assert redun("aws", "logs", "--status", "FAILED").splitlines()[1].endswith("  broken")


def test_the_log_of_a_job_on_record_is_printed(redun, submit, project):
    """A job that redun has on record is followed by its tags to AWS: its stream, or else its job there."""
    (job_id,) = submit("echo hello")
    on_record = json.loads(redun("log", "-", "--json"))["jobs"][2]["id"]
    assert "did not run on AWS Batch" in redun("aws", "logs", "-j", on_record, code=1)
    redun("tag", "add", on_record, f"aws_batch_job={job_id}")
    by_job = redun("aws", "logs", "-j", on_record)
    assert by_job.splitlines()[1].endswith("  hello")
    redun("tag", "add", on_record, f"aws_log_stream={by_job.splitlines()[0].rpartition(' ')[2]}")
    assert redun("aws", "logs", "-j", on_record[:10]).splitlines()[1:] == by_job.splitlines()[1:]


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["logs"], 2, "expected one of --job"),
        (["logs", "-a", "-b", "x"], 2, "expected one of --job"),
        (["logs", "-b", "11111111-2222-3333-4444-555555555555"], 1, "has no log of job 11111111"),
        (["logs", "-l", "nothing"], 1, "no log stream nothing"),
        (["logs", "-j", "-"], 2, "expected a job"),
        (["list-jobs", "--status", "DONE"], 2, "expected some of SUBMITTED,"),
        (["kill-jobs", "--status", "FAILED"], 2, "jobs that are FAILED have ended"),
    ],
)
def test_what_cannot_be_done_is_told(redun, words, code, why):
    """A wrong option, an unknown job and an unknown stream are named."""
    assert why in redun("aws", *words, code=code)


def test_a_project_without_such_an_executor_is_told_so(redun, project):
    """Without an executor of type aws_batch there is nothing to look at."""
    (project / ".redun" / "redun.ini").write_text("[executors.default]\ntype = local\n")
    assert "expected an executor of type aws_batch" in redun("aws", "list-jobs", code=2)
