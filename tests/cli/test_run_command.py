"""``redun run``: from a command line to a printed result and an exit code."""

from __future__ import annotations

import subprocess
import sys

import pytest

FLOW = '''
from redun import task

redun_namespace = "flow"


@task()
def add(a: int, /, b: int = 2):
    """Add two numbers."""
    return a + b


@task()
def fail(n: int):
    raise ValueError(f"failed {n}")


@task()
def some():
    return [fail(1), add(1), fail(2), add(3)]


@task()
def huge():
    return 10**5000


@task()
def nothing():
    return None
'''


@pytest.fixture
def flow(tmp_path):
    """A folder with a script."""
    (tmp_path / "flow.py").write_text(FLOW)
    return tmp_path


def test_the_result_alone_goes_to_standard_output(flow, redun_command):
    """Also of positional-only parameters; None prints nothing."""
    assert redun_command("run", "flow.py", "add", "--a", "-3").stdout == "-1\n"
    assert redun_command("run", "flow.py", "nothing").stdout == ""


def test_what_to_do_about_an_error_is_told(flow, redun_command):
    """Of redun's own errors that failed a job, as of those before it."""
    section = "[executors.box]\ntype = docker\nimage = lab\nscratch = scratch\ncommand = no-such-engine\n"
    (flow / ".redun").mkdir()
    (flow / ".redun" / "redun.ini").write_text(section)
    stderr = redun_command("run", "-o", "executor=box", "flow.py", "add", "--a", "1", code=1).stderr
    assert "redun: error: SubmitterError: cannot run 'no-such-engine'" in stderr
    assert "redun: hint: install a container engine" in stderr


def test_a_result_that_cannot_be_written_out_does_not_fail_the_run(flow, redun_command):
    """It is named instead."""
    assert redun_command("run", "flow.py", "huge").stdout == "<int whose repr raises ValueError>\n"


def test_a_dry_run_says_what_would_run_and_leaves_no_execution(flow, redun_command):
    """Exit code 1 when something would have to run, 0 when all is cached."""
    dry = ("run", "--dryrun", "flow.py", "add", "--a", "1")
    assert "Dryrun Job" in redun_command(*dry, code=1).stderr
    redun_command("run", "flow.py", "add", "--a", "1")
    assert redun_command(*dry).stdout == "3\n"
    assert redun_command("log").stdout.count("Exec ") == 1


def test_no_cache_uses_nothing_of_earlier_runs(flow, redun_command):
    """Every job runs, and says why."""
    for _ in range(2):
        done = redun_command("run", "--no-cache", "flow.py", "add", "--a", "1")
    assert "on default (caching is off)" in done.stderr


def test_keep_going_finishes_what_does_not_depend_on_a_failure(flow, redun_command):
    """The first failure is told in full, the others are counted."""
    stderr = redun_command("run", "--keep-going", "flow.py", "some", code=1).stderr
    assert "ValueError: failed 1" in stderr
    assert "and 1 more failed" in stderr
    assert "Cached Job" in redun_command("run", "flow.py", "add", "--a", "3").stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Missing argument 'SCRIPT'"),
        (["--bogus", "flow.py", "add"], "No such option"),
        (["--execution-id", "x", "flow.py", "add"], "is not a valid UUID"),
        (["flow.py", "add"], "flow.add needs --a"),
    ],
)
def test_a_wrong_command_line_is_told_with_exit_code_2(flow, redun_command, words, message):
    """Nothing runs."""
    assert message in redun_command("run", *words, code=2).stderr


def test_two_tasks_of_one_name_are_warned_of(flow, redun_command):
    """The second one counts."""
    (flow / "twice.py").write_text(FLOW + "\n\n@task(name='add')\ndef other():\n    return 0\n")
    assert "task flow.add is defined twice" in redun_command("run", "twice.py", "add").stderr


def test_a_file_of_a_package_is_told_to_be_run_as_a_module(flow, redun_command):
    """Relative imports need the package around it."""
    (flow / "pkg").mkdir()
    (flow / "pkg" / "__init__.py").write_text("X = 1\n")
    (flow / "pkg" / "part.py").write_text("from . import X\n" + FLOW)
    assert "redun run pkg.part" in redun_command("run", "pkg/part.py", "nothing", code=1).stderr
    redun_command("run", "pkg.part", "nothing")


COUNT_WRITES = """
import io, sys
from redun.cli.main import main

class Counting(io.StringIO):
    n_writes = 0
    def write(self, text):
        Counting.n_writes += 1
        return super().write(text)

sys.stderr = Counting()
main(["run", "wide.py", "main", "--n", "200", "--seed", sys.argv[1]])
print(sys.stderr.getvalue().count("[redun] Cached Job"), Counting.n_writes)
"""


def test_lines_of_cached_jobs_are_written_some_at_a_time(tmp_path, redun_environment):
    """A write for each would cost as much as a look-up."""
    (tmp_path / "wide.py").write_text(
        "from redun import task\n"
        "@task(namespace='wide')\n"
        "def leaf(i: int): return i\n"
        "@task(namespace='wide')\n"
        "def main(n: int, seed: int = 0): return [leaf(i) for i in range(n)]\n"
    )
    for seed, expected in (("0", 0), ("1", 200)):
        done = subprocess.run(
            [sys.executable, "-c", COUNT_WRITES, seed],
            cwd=tmp_path,
            env=redun_environment,
            capture_output=True,
            text=True,
            check=True,
        )
        n_cached, n_writes = map(int, done.stdout.split()[-2:])
        assert n_cached == expected
    assert n_writes < 50
