"""``redun launch``: a command is begun on an executor, and left to itself."""

from __future__ import annotations

import time

import pytest

CLUSTER = """
from pathlib import Path
import sys
from redun.executors.remote.executor import RemoteExecutor
from redun.testing.local_submitter import LocalSubmitter
from redun.testing.shell_work import TABLE

def make(name, section):
    here = Path(__file__).parent
    values = TABLE.read_section(name, section)
    return RemoteExecutor(name, values, LocalSubmitter(here / "cluster"), table=TABLE, scratch=values["scratch"])
"""
SETTINGS = """
[executors.default]
type = local

[executors.cluster]
class = launch_cluster.make
scratch = scratch
job_monitor_interval = 0.05
"""
FLOW = """
from redun import task, File

@task()
def main(path: str, text: str = "made"):
    File(path).write(text)
    return File(path)
"""


@pytest.fixture
def project(tmp_path):
    """A project with a workflow, and with a cluster whose jobs run in an empty folder."""
    (tmp_path / ".redun").mkdir()
    (tmp_path / ".redun/redun.ini").write_text(SETTINGS)
    (tmp_path / "wf.py").write_text(FLOW)
    (tmp_path / "launch_cluster.py").write_text(CLUSTER)
    return tmp_path


@pytest.fixture
def launch(redun_command, project):
    """Run the command in the project."""

    def run(*words, **options):
        return redun_command("launch", *words, PYTHONPATH=str(project), **options)

    return run


def wait_for(path):
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return path.read_text()


def test_a_run_is_begun_on_this_machine_and_left(launch, project):
    """Its process id is printed at once; the run goes on."""
    said = launch("--executor", "default", "redun", "run", "wf.py", "main", "--path", str(project / "out"))
    assert said.stdout.strip().isdecimal()
    assert wait_for(project / "out") == "made"


def test_a_run_that_is_waited_for_shares_the_terminal(launch, project):
    """Its failure is that of the command."""
    said = launch("--executor", "default", "--wait", "redun", "run", "wf.py", "main", "--path", "out")
    assert "File(path=out" in said.stdout
    assert "exit code 2" in launch("--executor", "default", "--wait", "redun", "run", "wf.py", "main", code=1).stderr


def test_a_run_becomes_a_job_of_a_cluster(launch, project):
    """With the project's code, where that is not over there already."""
    path = project / "out"
    flags = ("--executor", "cluster", "--wait")
    run = ("redun", "run", "wf.py", "main", "--path", str(path))
    assert launch(*flags, *run, code=1).stdout.startswith("000000-")
    assert not path.exists()
    launch(*flags, "--code-package", *run)
    assert path.read_text() == "made"


def test_options_are_those_of_the_executor(launch):
    """One that does not fit is refused by its name."""
    assert "memory" in launch("--executor", "cluster", "-o", "memory=much", "true", code=2).stderr


def test_an_executor_that_nobody_tells_of_is_named(launch):
    """With those that there are."""
    assert "cluster, default" in launch("--executor", "clutser", "true", code=1).stderr
    assert "--executor" in launch("true", code=2).stderr
