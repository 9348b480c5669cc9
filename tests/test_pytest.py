"""Users' tests of their workflows."""

from __future__ import annotations

import subprocess
import sys

from redun import Scheduler, task
from redun.pytest import scheduler
from redun.store.memory import MemoryStore

redun_namespace = "test_pytest"

__all__ = ["scheduler"]

WORKFLOW_TEST = """
from redun import task
from redun.pytest import scheduler

redun_namespace = "users"
runs = []

@task(version="1")
def add(a, b):
    runs.append((a, b))
    return a + b

@task()
def main(n):
    return add(add(n, 1), 1)

def test_main(scheduler):
    assert scheduler.run(main(1)) == 3
    assert scheduler.run(main(1)) == 3
    assert runs == [(1, 1), (2, 1)]

def test_nothing_is_left_of_the_other_test(scheduler):
    assert scheduler.run(main(1)) == 3
    assert len(runs) == 4
"""


@task()
def double(x: int) -> int:
    return 2 * x


def test_the_fixture_is_a_scheduler_in_memory(scheduler):
    """It runs expressions, and what it records is in memory alone."""
    assert type(scheduler) is Scheduler
    assert isinstance(scheduler.backend, MemoryStore)
    assert scheduler.run(double(double(3))) == 12


def test_users_import_the_fixture(tmp_path):
    """In a project's own test file, the imported fixture gives each test a scheduler of its own and writes no file."""
    (tmp_path / "test_workflow.py").write_text(WORKFLOW_TEST)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "test_workflow.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    left = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".coverage")}
    assert left <= {"test_workflow.py", "__pycache__"}
