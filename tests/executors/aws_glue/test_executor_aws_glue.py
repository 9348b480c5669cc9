"""The executor of AWS Glue from end to end: real workflows, whose jobs are workers that moto's server starts."""

from __future__ import annotations

import json
import uuid

import pytest

from redun.executors.aws_glue import AWSGlueExecutor
from redun.executors.aws_glue.runs import NAME_ARGUMENT
from redun.executors.options import BadOption
from redun.executors.registry import make_executor
from redun.executors.remote.jobs import RemoteJobFailed
from redun.scheduler.scheduler import Scheduler
from redun.testing import executor_tasks as tasks
from redun.testing.aws_server import Fault
from redun.testing.executor import WorkflowExecutorSuite

WORKFLOW = """
import extra
from redun import task

redun_namespace = "glue"


@task(executor="glue", workers=2, extra_py_files=["lib/extra.py"])
def add(number: int) -> int:
    print("adding", number)
    return number + extra.NUMBER


@task()
def main() -> list[int]:
    return [add(number) for number in range(2)]
"""


@pytest.fixture
def section(tmp_path):
    """The least that an executor of type aws_glue needs, and what makes it quick."""
    prefix = f"t{uuid.uuid4().hex[:8]}"
    return {
        "type": "aws_glue", "s3_scratch": str(tmp_path / "scratch"), "glue_job_prefix": prefix,
        "job_monitor_interval": "0.05", "job_retry_interval": "0.05", "code_package": "false",
    }  # fmt: skip


@pytest.fixture
def scheduler(aws, section):
    """A scheduler with an executor ``glue``."""
    assert aws.url
    made = Scheduler()
    made.add_executor(AWSGlueExecutor("glue", config=section))
    return made


@pytest.mark.cluster
class TestAWSGlueExecutor(WorkflowExecutorSuite):
    """What every executor promises."""

    n_jobs = 4
    loads_code = False

    @pytest.fixture
    def executor(self, aws, section):
        """One that looks often."""
        assert aws.url
        return AWSGlueExecutor("glue", config=section)


def runs_of(aws, section):
    """Return the runs of the executor's job."""
    client = aws.client("glue")
    (name,) = [name for name in client.list_jobs()["JobNames"] if name.startswith(section["glue_job_prefix"])]
    return client.get_job_runs(JobName=name)["JobRuns"]


@pytest.mark.cluster
def test_a_workflow_runs_on_glue_over_a_bucket(aws, section, redun_command, tmp_path):
    """`redun run` sends code, driver, redun and extra modules to S3, and each call is a run of one job of Glue."""
    bucket = f"scratch-{uuid.uuid4().hex}"
    aws.client("s3").create_bucket(Bucket=bucket)
    settings = {**section, "s3_scratch": f"s3://{bucket}/scratch", "code_package": "true", "code_includes": "*.py"}
    (tmp_path / ".redun").mkdir()
    lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
    (tmp_path / ".redun" / "redun.ini").write_text(f"[executors.glue]\n{lines}")
    (tmp_path / "wf.py").write_text(WORKFLOW)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "extra.py").write_text("NUMBER = 40\n")
    found = redun_command("run", "wf.py", "main", PYTHONPATH=str(tmp_path / "lib"), **aws.environment)
    assert found.stdout.strip() == "[40, 41]"
    runs = runs_of(aws, section)
    assert [run["NumberOfWorkers"] for run in runs] == [2, 2]
    assert all(run["Arguments"][NAME_ARGUMENT].startswith("redun-job-") for run in runs)
    jobs = json.loads(redun_command("log", "-", "--json").stdout)["jobs"]
    tags = [{tag["key"]: tag["value"] for tag in job["tags"]} for job in jobs if job["task"].endswith("add")]
    assert {each["aws_glue_job"] for each in tags} == {run["Id"] for run in runs}


def test_a_full_glue_is_waited_for(aws, scheduler):
    """A call that Glue has no room for is offered again, as long as it takes."""
    aws.faults.append(Fault("glue:startjobrun", "ConcurrentRunsExceededException", times=3))
    assert scheduler.run(tasks.add.options(executor="glue")(1, 2)) == 3
    assert aws.counts["glue:startjobrun"] == 4


@pytest.mark.cluster
def test_a_worker_that_dies_fails_its_job(scheduler):
    """A run that leaves no outcome fails its job with Glue's reason."""
    with pytest.raises(RemoteJobFailed, match="failed: SystemExit: 7"):
        scheduler.run(tasks.die.options(executor="glue")("7"))


def test_a_debugged_job_runs_in_a_process_here(aws, scheduler):
    """With ``debug`` Glue is not asked."""
    assert scheduler.run(tasks.add.options(executor="glue", debug=True)(1, 2)) == 3
    assert not aws.counts


def test_what_is_required_is_named(section):
    """A section without a scratch is refused with the name of what is missing."""
    del section["s3_scratch"]
    with pytest.raises(BadOption, match="needs option 's3_scratch'"):
        make_executor("glue", section)


def test_minutes_are_minutes():
    """The option timeout is in minutes, as Glue counts: 2880 when nobody says, and what a task says."""
    executor = AWSGlueExecutor("glue", config={"s3_scratch": "x"})
    assert executor.table.read_task("glue", executor.values, {})["timeout"] == 2880 * 60
    assert executor.table.read_task("glue", executor.values, {"timeout": 5})["timeout"] == 300
