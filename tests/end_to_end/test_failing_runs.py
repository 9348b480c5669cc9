"""Runs that fail, are stopped or are killed: what is said, and what is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

WAIT_SECONDS = 40

FAILING = """
import os, time
from redun import task

redun_namespace = "demo"


@task()
def good(n):
    with open("ran.txt", "a") as out:
        out.write(f"good {n}\\n")
    return n


@task()
def bad(n):
    numbers = [1, 2]
    return numbers[n]


@task()
def middle(n):
    return [good(1), good(2), bad(n)]


@task()
def main(n: int = 5):
    return [middle(n), good(3)]
"""

SLOW = """
import os, time
from redun import task

redun_namespace = "demo"


@task()
def step(n):
    with open("ran.txt", "a") as out:
        out.write(f"{n}\\n")
    if n >= 20 and not os.path.exists("go"):
        time.sleep(60)
    return n


@task()
def total(values):
    return sum(values)


@task()
def main():
    with open("main.txt", "a") as out:
        out.write("main\\n")
    return total([step(n) for n in range(40)])
"""


def ran(folder: Path) -> list[str]:
    """Return what the tasks wrote down when they ran."""
    path = folder / "ran.txt"
    return path.read_text().splitlines() if path.exists() else []


def start(folder: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start the slow workflow and wait until all its threads are busy."""
    (folder / "wf.py").write_text(SLOW)
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("redun")), "run", "wf.py", "main"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + WAIT_SECONDS
    while len(ran(folder)) < 40 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(ran(folder)) == 40, process.communicate(timeout=5)
    return process


def test_a_task_that_raises_shows_the_way_task_by_task(redun_command, tmp_path):
    """The traceback goes from the root task down to the line that raised, and the run exits with 1."""
    (tmp_path / "wf.py").write_text(FAILING)
    done = redun_command("run", "wf.py", "main", code=1)
    text = done.stderr
    assert text.index("in demo.main") < text.index("in demo.middle") < text.index("in demo.bad")
    assert "return numbers[n]" in text
    assert "IndexError: list index out of range" in text
    assert "*** Reject Job" in text
    assert "redun/scheduler" not in text.partition("*** Execution failed")[2]


def test_finished_siblings_of_a_failure_are_recorded(redun_command, tmp_path):
    """The next run repeats the job that failed and none that had finished."""
    (tmp_path / "wf.py").write_text(FAILING)
    redun_command("run", "wf.py", "main", code=1)
    first = sorted(ran(tmp_path))
    (tmp_path / "wf.py").write_text(FAILING.replace("numbers[n]", "numbers[0]"))
    done = redun_command("run", "wf.py", "main")
    assert done.stdout.strip() == "[[1, 2, 1], 3]"
    again = sorted(ran(tmp_path))
    assert len(again) == len(set(again)) == 3
    assert set(first) <= set(again)


def test_the_failed_run_shows_in_the_log(redun_command, tmp_path):
    """Execution, parents and the job are FAILED, the siblings DONE."""
    (tmp_path / "wf.py").write_text(FAILING)
    redun_command("run", "wf.py", "main", code=1)
    done = redun_command("log", "-")
    assert "FAILED" in done.stdout.splitlines()[0]
    lines = {line.split(":  ")[-1].split("(")[0]: line for line in done.stdout.splitlines() if "Job " in line}
    assert "FAILED" in lines["demo.bad"]
    assert "FAILED" in lines["demo.main"]


def test_keep_going_finishes_what_does_not_depend_on_the_failure(redun_command, tmp_path):
    """Everything else runs, and the exit code still tells of the failure."""
    (tmp_path / "wf.py").write_text(
        FAILING.replace("return [middle(n), good(3)]", "return [middle(n), good(good(good(3)))]")
    )
    redun_command("run", "--keep-going", "wf.py", "main", code=1)
    assert sorted(ran(tmp_path)) == ["good 1", "good 2", "good 3"]


@pytest.mark.parametrize(
    ("expression", "path"),
    [
        ("[1, {'k': threading.Lock()}]", "result[1]['k']"),
        ("threading.Lock()", "result"),
        ("(n for n in [1])", "result"),
    ],
)
def test_a_result_that_cannot_be_stored_names_type_and_member(redun_command, tmp_path, expression, path):
    """The job fails, says which member of what type, and what had finished stays."""
    (tmp_path / "wf.py").write_text("import threading\n" + FAILING.replace("return numbers[n]", f"return {expression}"))
    done = redun_command("run", "wf.py", "main", code=1)
    assert f"{path}: cannot serialize a " in done.stderr
    assert ("lock" in done.stderr) or ("generator" in done.stderr)
    finished = set(ran(tmp_path))
    (tmp_path / "wf.py").write_text("import threading\n" + FAILING.replace("numbers[n]", "0"))
    redun_command("run", "wf.py", "main")
    assert len(ran(tmp_path)) == len(set(ran(tmp_path)))
    assert finished <= set(ran(tmp_path))


def test_an_argument_that_cannot_be_stored_names_the_argument(redun_command, tmp_path):
    """The call fails with the name of the argument."""
    (tmp_path / "wf.py").write_text("import threading\n" + FAILING.replace("bad(n)]", "bad([threading.Lock()])]"))
    done = redun_command("run", "wf.py", "main", code=1)
    assert "argument 1 of demo.bad: value[0]: cannot serialize a " in done.stderr


def test_system_exit_in_a_task_fails_the_job(redun_command, tmp_path):
    """A library that calls sys.exit does not hang the run."""
    (tmp_path / "wf.py").write_text(FAILING.replace("return numbers[n]", "raise SystemExit(3)"))
    done = redun_command("run", "wf.py", "main", code=1)
    assert "SystemExit" in done.stderr


def test_ctrl_c_records_what_finished_and_exits_with_130(redun_command, redun_environment, tmp_path):
    """After the interrupt the next run repeats only what had not finished."""
    process = start(tmp_path, redun_environment)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert "INTERRUPTED" in redun_command("log").stdout
    (tmp_path / "go").touch()
    done = redun_command("run", "wf.py", "main")
    assert done.stdout.strip() == str(sum(range(40)))
    counts = {n: ran(tmp_path).count(str(n)) for n in range(40)}
    assert [n for n, count in counts.items() if count > 1] == list(range(20, 40))
    assert (tmp_path / "main.txt").read_text() == "main\n"


def test_sigterm_ends_a_run_in_order(redun_environment, redun_command, tmp_path):
    """A CI job that is cancelled loses nothing that finished."""
    process = start(tmp_path, redun_environment)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 130
    (tmp_path / "go").touch()
    redun_command("run", "wf.py", "main")
    assert all(ran(tmp_path).count(str(n)) == 1 for n in range(20))


def test_kill_9_repeats_only_what_had_not_finished(redun_environment, redun_command, tmp_path):
    """Every job that was written out survives, and the run shows as interrupted."""
    process = start(tmp_path, redun_environment)
    time.sleep(1.5)  # what finished is written out at least once a second: this is that second, not a race
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=WAIT_SECONDS)
    assert "INTERRUPTED" in redun_command("log").stdout
    (tmp_path / "go").touch()
    done = redun_command("run", "wf.py", "main")
    assert done.stdout.strip() == str(sum(range(40)))
    counts = {n: ran(tmp_path).count(str(n)) for n in range(40)}
    assert [n for n, count in counts.items() if count > 1] == list(range(20, 40))
    assert (tmp_path / "main.txt").read_text() == "main\n"
    assert "0 problems" in redun_command("fsck").stdout or redun_command("fsck").returncode == 0


def test_durability_job_keeps_each_job_that_finished(redun_command, redun_environment, tmp_path):
    """With ``durability = job`` a kill takes nothing that finished, not even what finished a moment ago."""
    (tmp_path / "wf.py").write_text(
        "import os\nfrom redun import task\n\n\n@task()\ndef step(n):\n"
        '    with open("ran.txt", "a") as out:\n        out.write(f"{n}\\n")\n'
        '    if n == 5 and not os.path.exists("go"):\n        os.kill(os.getpid(), 9)\n    return n\n\n\n'
        "@task()\ndef main(n: int = 0):\n    return step(n) if n == 5 else then(step(n), n)\n\n\n"
        "@task()\ndef then(done, n):\n    return main(n + 1)\n"
    )
    redun_command("init")
    (tmp_path / ".redun" / "redun.ini").write_text("[repository]\ndurability = job\n")
    redun_command("run", "wf.py", "main", code=-9)
    assert ran(tmp_path) == ["0", "1", "2", "3", "4", "5"]
    (tmp_path / "go").touch()
    redun_command("run", "wf.py", "main")
    assert ran(tmp_path) == ["0", "1", "2", "3", "4", "5", "5"]
