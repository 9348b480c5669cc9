"""Workflows by way of Google Batch, and how its executor is made."""

from __future__ import annotations

import sys

import pytest

from redun.executors.docker.executor import DockerExecutor
from redun.executors.gcp_batch.executor import GCPBatchExecutor
from redun.executors.registry import make_executor
from redun.scheduler.scheduler import Scheduler
from redun.store.repository import Repository
from redun.testing import executor_tasks as tasks
from redun.testing.executor import WorkflowExecutorSuite

SECTION = {
    "type": "gcp_batch",
    "project": "lab",
    "region": "us-central1",
    "image": "lab:1",
    "gcs_scratch": "gs://lab/s",
}


@pytest.fixture
def make_google(server, tmp_path):
    """Make an executor whose jobs run as processes of this machine."""

    def make(**section):
        said = {
            **SECTION,
            "gcs_scratch": str(tmp_path / "scratch"),
            "code_package": "false",
            "retries": "0",
            "job_monitor_interval": "0.05",
            "min_array_size": "0",
            "worker_command": f"{sys.executable} -m redun",
        }
        return GCPBatchExecutor("cloud", config={**said, **section})

    return make


@pytest.fixture
def scheduler(tmp_path):
    """A scheduler over a repository of its own."""
    repository = Repository.init(tmp_path / "repository")
    yield Scheduler(backend=repository)
    repository.close()


def test_a_section_of_type_gcp_batch_makes_one():
    """As a config names it; its retries are those of Google."""
    executor = make_executor("cloud", SECTION)
    assert isinstance(executor, GCPBatchExecutor)
    assert "retries" in executor.handles


def test_debugged_jobs_go_to_containers_of_this_machine():
    """Of the same image and size, with a scratch of their own."""
    local = GCPBatchExecutor("cloud", config={**SECTION, "vcpus": "2", "debug_scratch": "here"}).make_local()
    assert isinstance(local, DockerExecutor)
    assert (local.values["image"], local.values["vcpus"], local.values["scratch"]) == ("lab:1", 2, "here")


def test_of_tasks_side_by_side_one_leaves_the_outcome():
    """Number 0; and such jobs make no arrays."""
    executor = GCPBatchExecutor("cloud", config=SECTION)
    options = {**executor.values, "task_count": 3}
    program, _, script = executor.make_command(options, ["worker", "--job", "a b"])
    assert program == "/bin/sh"
    assert "= 0 ]; then exec redun worker --job 'a b'; else exec redun worker --without-output --job 'a b'" in script
    assert not executor.allows_array(options)
    assert executor.allows_array(executor.values)


@pytest.mark.cluster
class TestGCPBatchExecutor(WorkflowExecutorSuite):
    """What every executor does, with real tasks."""

    n_jobs = 12
    has_shared_path = False

    @pytest.fixture
    def executor(self, make_google):
        """Give one that makes no arrays."""
        return make_google()


@pytest.mark.cluster
def test_equal_jobs_are_one_job_of_many_tasks(make_google, server, scheduler):
    """All of a wide run are made by one request, and each result goes to its call."""
    scheduler.add_executor(make_google(min_array_size="2", job_stale_time="0.5"))
    assert scheduler.run(tasks.fan_out(6, "cloud")) == sum(range(1, 7))
    assert len(server.jobs) == 1


@pytest.mark.cluster
def test_a_call_can_run_several_times_side_by_side(make_google, server, scheduler):
    """Its result is that of number 0."""
    scheduler.add_executor(make_google(task_count="2"))
    assert scheduler.run(tasks.add.options(executor="cloud")(1, 2)) == 3
    (job,) = server.jobs.values()
    assert len(job.tasks) == 2
