"""Workflows by way of Kubernetes, and how its executor is made."""

from __future__ import annotations

import sys

import pytest

from redun.executors.k8s.executor import K8SExecutor
from redun.executors.registry import make_executor
from redun.scheduler.scheduler import Scheduler
from redun.store.repository import Repository
from redun.testing import executor_tasks as tasks
from redun.testing.executor import WorkflowExecutorSuite


@pytest.fixture
def make_k8s(server, tmp_path):
    """Make an executor whose jobs run as processes of this machine."""

    def make(**section):
        said = {
            "image": "lab:1",
            "scratch": str(tmp_path / "scratch"),
            "code_package": "false",
            "job_monitor_interval": "0.05",
            "min_array_size": "0",
            "worker_command": f"{sys.executable} -m redun",
        }
        return K8SExecutor("cloud", config={**said, **section})

    return make


def test_a_section_of_type_k8s_makes_one():
    """As a config names it; its retries are those of Kubernetes."""
    executor = make_executor("cloud", {"type": "k8s", "image": "lab:1", "scratch": "s3://lab/scratch"})
    assert isinstance(executor, K8SExecutor)
    assert "retries" in executor.handles


@pytest.mark.cluster
class TestK8SExecutor(WorkflowExecutorSuite):
    """What every executor does, with real tasks."""

    n_jobs = 12
    has_shared_path = False

    @pytest.fixture
    def executor(self, make_k8s):
        """Give one that makes no arrays."""
        return make_k8s()


@pytest.mark.cluster
def test_equal_jobs_are_one_indexed_job(make_k8s, server, tmp_path):
    """All of a wide run are made by one request, and each result goes to its call."""
    repository = Repository.init(tmp_path / "repository")
    scheduler = Scheduler(backend=repository)
    scheduler.add_executor(make_k8s(min_array_size="2", job_stale_time="0.5"))
    assert scheduler.run(tasks.fan_out(6, "cloud")) == sum(range(1, 7))
    repository.close()
    made = [path for method, path in server.requests if method == "POST"]
    assert len(made) == 1


@pytest.mark.cluster
def test_retries_are_those_of_kubernetes(make_k8s, server, tmp_path):
    """A pod that died has a successor, of the same Job."""
    repository = Repository.init(tmp_path / "repository")
    scheduler = Scheduler(backend=repository)
    scheduler.add_executor(make_k8s())
    call = tasks.die_once.options(executor="cloud", retries=1)
    assert scheduler.run(call(str(tmp_path / "died"))) == "alive"
    repository.close()
    assert len([path for method, path in server.requests if method == "POST"]) == 1
