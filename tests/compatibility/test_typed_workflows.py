"""A type checker knows the parameters and the results of tasks."""

from __future__ import annotations

import subprocess
import sys

import pytest

WORKFLOW = """
from redun import File, Scheduler, run, task

redun_namespace = "typed"


@task()
def count(text: File, at_least: int = 1) -> int:
    return len(text.readlines()) + at_least


@task
def double(number: int) -> int:
    return 2 * number


@task(memory=4)
def main(path: str) -> list[int]:
    partial = double.options(memory=8)
    return [double(count(File(path))), partial(1), double.partial(3)()]


result: list[int] = Scheduler().run(main("a.txt"))
again: list[int] = run(main(path="a.txt"))
"""

WRONG = {
    'double("1")': "arg-type",
    "double()": "call-arg",
    "double(1, 2)": "call-arg",
    'count(File("a"), at_most=1)': "call-arg",
    "double.options(memory=8)(File('a'))": "arg-type",
    "double(main('a'))": "arg-type",
}


def check_types(folder, text):
    """Return what mypy says of a module."""
    (folder / "typed.py").write_text(text)
    command = [sys.executable, "-m", "mypy", "--no-incremental", "--follow-imports=silent", "typed.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False).stdout


def test_a_checker_accepts_what_is_right_and_refuses_what_is_wrong(tmp_path):
    """Correct calls pass; each wrong one gets its error, in its line."""
    pytest.importorskip("mypy")
    n_lines = WORKFLOW.count("\n")
    said = check_types(tmp_path, WORKFLOW + "\n".join(WRONG) + "\n")
    errors = [line for line in said.splitlines() if ": error:" in line]
    found = {int(line.split(":")[1]) - n_lines - 1: line.rpartition("[")[2].rstrip("]") for line in errors}
    assert found == dict(enumerate(WRONG.values())), said
