"""``redun run --pdb``: the debugger stands where the error was raised."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FLOW = """
from redun import task

redun_namespace = "flow"


def divide(a, b):
    marker = a * 1000
    return a / b


@task()
def fail(a: int):
    return divide(a, 0)


@task()
def main(a: int = 7):
    return [fail(a)]
"""


@pytest.fixture
def debug(tmp_path, redun_environment):
    """Run redun with commands for the debugger on standard input; return the finished process."""
    (tmp_path / "flow.py").write_text(FLOW)

    def run(commands, *words):
        return subprocess.run(
            [str(Path(sys.executable).with_name("redun")), "run", *words],
            cwd=tmp_path,
            env=redun_environment,
            input=commands,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_the_debugger_stands_in_the_function_that_raised(debug):
    """Its variables and those of its callers can be printed; the run is on record, and its exit code is 1."""
    done = debug("p marker\nup\np a + 1\nq\n", "--pdb", "flow.py", "main")
    assert done.returncode == 1
    assert "(Pdb) 7000" in done.stdout
    assert "-> return divide(a, 0)" in done.stdout
    assert "(Pdb) 8" in done.stdout
    assert "redun: error: ZeroDivisionError: division by zero" in done.stderr


def test_no_input_ends_the_debugger(debug):
    """As in a job that nobody watches."""
    assert debug("", "--pdb", "flow.py", "main").returncode == 1


def test_without_the_option_nobody_is_asked(debug):
    """Nor without a failure."""
    assert debug("p marker\n", "flow.py", "main").stdout == ""
    assert "Pdb" not in debug("", "--pdb", "--dryrun", "flow.py", "main").stdout
