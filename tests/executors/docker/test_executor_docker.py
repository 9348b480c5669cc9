"""Workflows in containers, and how their executor is made."""

from __future__ import annotations

import signal
import sys

import pytest

from redun.executors.docker.command_line import ContainerCommand
from redun.executors.docker.executor import DockerExecutor
from redun.executors.options import BadOption
from redun.executors.registry import make_executor
from redun.scheduler.errors import Interrupted
from redun.scheduler.scheduler import Scheduler
from redun.store.repository import Repository
from redun.testing import executor_tasks as tasks
from redun.testing.executor import WorkflowExecutorSuite, run_aside, wait_until
from redun.testing.podman import IMAGE


def test_a_section_of_type_docker_makes_one(tmp_path, monkeypatch):
    """As a config names it; a scratch that is a folder is seen in the containers under its own path."""
    monkeypatch.chdir(tmp_path)
    executor = make_executor("box", {"type": "docker", "image": "lab:1", "scratch": "work"})
    assert isinstance(executor, DockerExecutor)
    (volume,) = executor.submitter._volumes
    assert volume.source == volume.target == str(tmp_path / "work")


def test_a_scratch_in_a_bucket_is_no_volume():
    """Containers reach it as this machine does, with the same credentials unless the section says no."""
    section = {"type": "docker", "image": "lab:1", "scratch": "s3://lab/work"}
    executor = make_executor("box", section)
    assert executor.submitter._volumes == ()
    assert executor.values["include_aws_env"] is True
    assert make_executor("box", {**section, "include_aws_env": "no"}).values["include_aws_env"] is False
    assert make_executor("box", {**section, "scratch": "work"}).values["include_aws_env"] is False


def test_an_executor_without_room_is_refused():
    """Nothing would ever run."""
    with pytest.raises(BadOption, match="executor 'box': needs max_workers of at least 1, found 0"):
        make_executor("box", {"type": "docker", "image": "lab:1", "scratch": "work", "max_workers": "0"})


def test_a_run_leaves_no_container_of_what_succeeded(engine, tmp_path):
    """They are removed though the run does not wait for it."""
    repository = Repository.init(tmp_path / "repository")
    scheduler = Scheduler(backend=repository)
    section = {"image": "lab:1", "scratch": str(tmp_path / "scratch"), "code_package": False}
    section |= {"command": engine.words, "worker_command": [sys.executable, "-m", "redun"]}
    scheduler.add_executor(DockerExecutor("box", config=section))
    assert scheduler.run(tasks.add.options(executor="box")(1, 2)) == 3
    repository.close()
    assert wait_until(lambda: not list((engine.home / "containers").iterdir()), 30)


@pytest.mark.cluster
class TestDockerExecutor(WorkflowExecutorSuite):
    """What every executor does, with real tasks in real containers."""

    n_jobs = 6
    has_shared_path = False

    @pytest.fixture
    def executor(self, podman, tmp_path):
        """Give one over podman, whose containers see the test's folder."""
        return DockerExecutor(
            "box",
            config={
                "image": IMAGE,
                "scratch": str(tmp_path / "scratch"),
                "code_package": "false",
                "command": podman.words,
                "worker_command": [sys.executable, "-m", "redun"],
                "volumes": [*podman.volumes, f"{tmp_path}:{tmp_path}"],
                "job_monitor_interval": 0.1,
            },
        )

    def test_what_a_cancelled_job_started_ends_too(self, scheduler, executor, tmp_path):
        """With its container, whose processes have numbers of their own."""
        ended = run_aside(scheduler, tasks.hold_script.options(executor=executor.name)(str(tmp_path)))
        tasks.wait_for(tmp_path / "child", self.seconds)
        command = ContainerCommand(executor.values["command"])
        assert command.run("ps", "--quiet")
        scheduler.current_run().loop.interrupt(int(signal.SIGINT))
        assert isinstance(ended.get(timeout=self.seconds), Interrupted)
        assert wait_until(lambda: not command.run("ps", "--quiet"), self.seconds)
