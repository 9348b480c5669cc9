"""The executor of AWS Batch from end to end: real workflows, whose jobs are workers that moto's server starts."""

from __future__ import annotations

import json
import sys
import time
import uuid
from pathlib import Path

import pytest

from redun.executors.aws_batch import AWSBatchExecutor
from redun.executors.options import BadOption
from redun.executors.registry import make_executor
from redun.executors.remote.jobs import RemoteJobFailed
from redun.scheduler.scheduler import Scheduler
from redun.testing import executor_tasks as tasks
from redun.testing.aws_server import Fault
from redun.testing.executor import WorkflowExecutorSuite
from redun.testing.shell_work import ShellWork

WAIT_SECONDS = 60
FAKE_ENGINE = Path(__file__).parents[1] / "docker" / "fake_engine.py"

QUICK = {"job_monitor_interval": 0.05, "job_stale_time": 0.05, "code_package": False}

WORKFLOW = """
import os

from redun import File, task

redun_namespace = "batch"


@task(executor="batch", vcpus=2)
def square(number: int) -> int:
    print("squaring", number)
    return number * number


@task(executor="batch", memory=8)
def keep(path: str, numbers: list[int]) -> File:
    file = File(path)
    file.write(" ".join(map(str, numbers)))
    return file


@task()
def main(path: str) -> File:
    return keep(path, [square(number) for number in range(5)])
"""


@pytest.mark.cluster
class TestAWSBatchExecutor(WorkflowExecutorSuite):
    """What every executor promises."""

    n_jobs = 12
    loads_code = False

    @pytest.fixture
    def executor(self, aws, section):
        """One that looks often."""
        assert aws.url
        return AWSBatchExecutor("batch", config={**section, **QUICK})


@pytest.fixture
def bucket(aws):
    """An empty bucket."""
    name = f"scratch-{uuid.uuid4().hex}"
    aws.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def scheduler(aws, section):
    """A scheduler whose executor ``batch`` looks often and makes no arrays."""
    made = Scheduler()
    made.add_executor(AWSBatchExecutor("batch", config={**section, **QUICK, "min_array_size": 0}))
    return made


def add(scheduler, first=1, second=2, **options):
    """Run one small call on Batch."""
    return scheduler.run(tasks.add.options(executor="batch", **options)(first, second))


def test_a_workflow_runs_on_batch_over_a_bucket(aws, bucket, redun_command, tmp_path):
    """`redun run` sends code and calls to S3, makes an array of equal jobs, and tags jobs with where their log is."""
    settings = {"type": "aws_batch", "image": "redun:1", "queue": "queue", "s3_scratch": f"s3://{bucket}/scratch"}
    settings.update(job_monitor_interval="0.1", job_stale_time="0.5", job_name_prefix=f"e2e-{uuid.uuid4().hex[:8]}")
    (tmp_path / ".redun").mkdir()
    lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
    (tmp_path / ".redun" / "redun.ini").write_text(f"[executors.batch]\n{lines}")
    (tmp_path / "wf.py").write_text(WORKFLOW)
    aws.counts.clear()
    redun_command("run", "--user", "ada", "wf.py", "main", "--path", str(tmp_path / "out.txt"), **aws.environment)
    assert (tmp_path / "out.txt").read_text() == "0 1 4 9 16"
    assert aws.counts["batch:submitjob"] == 2
    execution = json.loads(redun_command("log", "-", "--json").stdout)
    jobs = execution["jobs"]
    square = next(job for job in jobs if job["task"].endswith("square"))
    tags = {tag["key"]: tag["value"] for tag in square["tags"]}
    assert tags["aws_batch_job"].rpartition(":")[2].isdecimal()
    keep = next(job for job in jobs if job["task"].endswith("keep"))
    labels = {"redun_execution_id": execution["id"], "redun_project": "batch"}
    labels.update(redun_user="ada", redun_user_aws="moto")
    for job, own in ((keep, {"redun_job_id": keep["id"]}), (square, {})):  # of an array, what all have
        (at_aws,) = (tag["value"].partition(":")[0] for tag in job["tags"] if tag["key"] == "aws_batch_job")
        (found,) = aws.client("batch").describe_jobs(jobs=[at_aws])["jobs"]
        assert found["tags"] == {**labels, **own, "redun_task_name": job["task"]}
    logs = redun_command("aws", "logs", "--job", square["id"], **aws.environment).stdout
    assert "squaring" in logs
    assert tags["aws_log_stream"] in logs
    aws.counts.clear()
    redun_command("run", "wf.py", "main", "--path", str(tmp_path / "out.txt"), **aws.environment)
    assert not [verb for verb in aws.counts if not verb.startswith("query:")]


def test_thousands_of_jobs_are_submitted_by_few_requests(aws, bucket, section):
    """5 000 equal jobs take at most 30 requests of Batch and S3 in all until AWS has them, however slow those are."""
    aws.runner.is_open.clear()
    aws.set_delay(0.02)
    quiet = {"job_monitor_interval": 600, "job_stale_time": 2, "code_package": False}
    prefix = f"many{uuid.uuid4().hex[:8]}"
    config = {**section, **quiet, "s3_scratch": f"s3://{bucket}/scratch", "job_name_prefix": prefix}
    executor = AWSBatchExecutor("batch", config=config)
    executor.start(lambda _work: None, lambda: None)
    ids, submit = [], executor.submitter.submit
    executor.submitter.submit = lambda submission: ids.extend(found := submit(submission)) or found
    for number in range(5000):
        executor.submit(ShellWork(str(number)))
    limit = time.monotonic() + WAIT_SECONDS
    while len(ids) < 5000:
        assert time.monotonic() < limit, aws.counts
        time.sleep(0.05)
    counts = aws.counts.copy()
    executor.cancel_running()
    executor.stop()
    assert sum(counts.values()) <= 30, counts


@pytest.mark.cluster
def test_a_job_that_fails_is_told_with_its_log(scheduler, aws):
    """A worker that dies without an outcome fails its job with AWS's reason, and the last lines of its log."""
    with pytest.raises(RemoteJobFailed, match=r"exit code 7") as caught:
        scheduler.run(tasks.die.options(executor="batch")("7"))
    assert "Essential container in task exited" in str(caught.value)


def test_throttling_in_mid_run_is_waited_out(aws, section):
    """A queue that is asked too often is asked again later; the run goes on."""
    executor = AWSBatchExecutor("batch", config={**section, **QUICK, "min_array_size": 0})
    executor._pauses = (0.01, 0.02, 0.04)
    scheduler = Scheduler()
    scheduler.add_executor(executor)
    for verb in ("describejobqueues", "listjobs", "submitjob", "describejobs"):
        aws.faults.append(Fault(f"batch:{verb}", "TooManyRequestsException", 429, times=2))
    assert add(scheduler) == 3
    assert all(fault.times == 0 for fault in aws.faults)


def test_credentials_that_expire_in_mid_run_are_named(aws, scheduler):
    """The job fails and says what to do; the next run with good credentials finds its outcome."""
    aws.faults.append(Fault("batch:describejobs", "ExpiredTokenException", 403))
    with pytest.raises(RemoteJobFailed, match="credentials for AWS have expired") as caught:
        add(scheduler)
    assert "log in again" in caught.value.hint
    assert add(scheduler) == 3


def test_a_run_finds_what_an_earlier_one_left(aws, section):
    """A job that still runs is joined, one that has ended is taken from the scratch: nothing is submitted twice."""
    aws.runner.is_open.clear()
    config = {**section, **QUICK, "min_array_size": 0, "job_name_prefix": f"r{uuid.uuid4().hex[:8]}"}
    first = Scheduler()
    first.add_executor(AWSBatchExecutor("batch", config=config))
    aws.faults.append(Fault("batch:describejobs", "AccessDeniedException", 403))
    with pytest.raises(RemoteJobFailed, match="does not allow batch:DescribeJobs"):
        add(first)
    aws.runner.is_open.set()
    for _ in range(2):
        later = Scheduler()
        later.add_executor(AWSBatchExecutor("batch", config=config))
        assert add(later) == 3
    assert aws.counts["batch:submitjob"] == 1


def test_a_missing_bucket_is_named(aws, section):
    """A scratch that cannot be written fails the job with its URL."""
    scheduler = Scheduler()
    config = {**section, **QUICK, "s3_scratch": "s3://no-such-bucket-here/scratch"}
    scheduler.add_executor(AWSBatchExecutor("batch", config=config))
    with pytest.raises(Exception, match="s3://no-such-bucket-here/scratch"):
        add(scheduler)
    assert not aws.counts["batch:submitjob"]


@pytest.mark.parametrize(("queue", "why"), [("nowhere", "no job queue 'nowhere'"), ("closed", "found DISABLED")])
def test_a_queue_that_takes_no_jobs_fails_them(aws, section, queue, why):
    """Every job of an executor whose queue is missing or closed fails, and says so."""
    scheduler = Scheduler()
    scheduler.add_executor(AWSBatchExecutor("batch", config={**section, **QUICK, "queue": queue}))
    with pytest.raises(Exception, match=why):
        add(scheduler)


@pytest.mark.parametrize("option", ["image", "queue", "s3_scratch"])
def test_what_is_required_is_named(section, option):
    """A section without image, queue or scratch is refused with the name of what is missing."""
    with pytest.raises(BadOption, match=f"needs option '{option}'"):
        make_executor("batch", {name: value for name, value in section.items() if name != option})


def test_a_section_without_any_job_definition_is_refused(section):
    """Who does not let redun register job definitions must name one."""
    with pytest.raises(BadOption, match="job_def_name"):
        make_executor("batch", {**section, "autocreate_job_def": "false"})


def test_an_option_of_a_task_is_checked(scheduler):
    """A task whose memory is no number is refused before anything is submitted."""
    with pytest.raises(BadOption, match="'memory' to be a number, found 'much'"):
        add(scheduler, memory="much")


@pytest.mark.cluster
def test_nodes_of_a_job_leave_one_outcome(aws, scheduler):
    """On several nodes the call runs on each, and the main node's result is the job's."""
    assert add(scheduler, num_nodes=2) == 3


@pytest.mark.cluster
def test_a_debugged_job_runs_in_a_container_here(aws, section, tmp_path):
    """With ``debug`` a job runs in a container of this machine, of the same image and size, and AWS is not asked."""
    (tmp_path / "images").write_text("redun:1")
    (tmp_path / "volumes").write_text("")
    engine = [sys.executable, "-S", str(FAKE_ENGINE), str(tmp_path)]
    config = {**section, **QUICK, "debug_engine": engine, "debug_scratch": str(tmp_path / "here"), "memory": 2}
    config["worker_command"] = [sys.executable, "-m", "redun"]
    scheduler = Scheduler()
    scheduler.add_executor(AWSBatchExecutor("batch", config=config))
    assert add(scheduler, debug=True) == 3
    assert not aws.counts
    (call,) = (tmp_path / "here" / "jobs").iterdir()
    assert (call / "output").exists()


@pytest.mark.cluster
def test_a_whole_run_is_launched_on_batch(aws, bucket, redun_command, tmp_path):
    """`redun launch` starts `redun run` as one job of AWS Batch, with the project's code, and waits when told to."""
    (tmp_path / ".redun").mkdir()
    settings = f"type = aws_batch\nimage = redun:1\nqueue = queue\ns3_scratch = s3://{bucket}/scratch\n"
    (tmp_path / ".redun" / "redun.ini").write_text(f"[executors.batch]\n{settings}job_monitor_interval = 0.1\n")
    (tmp_path / "wf.py").write_text(WORKFLOW.replace('executor="batch", ', ""))
    words = ["redun", "-c", str(tmp_path / "there"), "run", "wf.py", "main", "--path", str(tmp_path / "out.txt")]
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "redun.ini").write_text("")
    redun_command("launch", "--executor", "batch", "--code-package", "--wait", *words, **aws.environment)
    assert (tmp_path / "out.txt").read_text() == "0 1 4 9 16"
    assert aws.counts["batch:submitjob"] == 1
