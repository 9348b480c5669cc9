"""Runs that get over failures: attempts, time limits, what is caught; and what is told of those that do not."""

from __future__ import annotations

WORKFLOW = """
import os
import time

from redun import catch, task

redun_namespace = "demo"


@task(retries=2, retry_backoff=0.01)
def flaky(name: str) -> str:
    if not os.path.exists(name):
        open(name, "w").close()
        raise OSError("not yet")
    return name


@task(timeout=0.2)
def slow() -> str:
    time.sleep(30)
    return "late"


@task()
def load(path: str, token: str) -> int:
    rows = path.split(".")
    try:
        raise KeyError(path)
    except KeyError as error:
        raise ValueError(f"{len(rows)} rows") from error


@task()
def recover(error) -> str:
    return "recovered"


@task()
def good() -> str:
    return flaky("marker")


@task()
def bad():
    return load("a.csv", "hunter2")


@task()
def caught():
    return [catch(load("a.csv", "hunter2"), ValueError, recover), catch(slow(), TimeoutError, recover)]
"""


def job_id(lines: str, task: str) -> str:
    """Return the id of a task's job in the log of a run."""
    (line,) = [line for line in lines.splitlines() if f" demo.{task}(" in line and "Job " in line]
    return line.partition("Job ")[2].split()[0]


def test_an_attempt_that_succeeds_is_told_with_its_number(redun_command, tmp_path):
    """The run says why there is another attempt, and the log which of them it was."""
    (tmp_path / "wf.py").write_text(WORKFLOW)
    done = redun_command("run", "wf.py", "good")
    assert done.stdout.strip() == "'marker'"
    assert "demo.flaky, attempt 2 of 3 in 0.01 s, after OSError: 'not yet'" in done.stderr
    listed = redun_command("log", "-").stdout
    assert "FAILED: 0" in listed
    assert "Attempt: 2" in redun_command("log", job_id(listed, "flaky")).stdout
    assert "Attempt" not in redun_command("log", job_id(listed, "good")).stdout


def test_the_log_of_a_failed_job_shows_what_led_to_it(redun_command, tmp_path):
    """Arguments of each task, variables, what the error was raised from; and no secret."""
    (tmp_path / "wf.py").write_text(WORKFLOW)
    said = redun_command("run", "wf.py", "bad", code=1).stderr.partition("*** Execution failed")[2]
    listed = redun_command("log", "-").stdout
    shown = redun_command("log", job_id(listed, "load")).stdout
    for text in (said, shown):
        assert "in demo.load(path='a.csv', token=***)" in text
        assert "rows = ['a', 'csv']" in text
        assert "token = ***" in text
        assert "caused by KeyError: 'a.csv'" in text
    assert "hunter2" not in said.replace('load("a.csv", "hunter2")', "")


def test_what_was_caught_is_no_failure_of_the_run(redun_command, tmp_path):
    """It exits with 0, also with --keep-going; the jobs that failed are listed as such."""
    (tmp_path / "wf.py").write_text(WORKFLOW)
    for options in ((), ("--keep-going",)):
        done = redun_command("run", *options, "wf.py", "caught")
        assert done.stdout.strip() == "['recovered', 'recovered']"
        assert "Execution failed" not in done.stderr
    assert "FAILED: 2" in redun_command("log", "-").stdout


def test_a_dry_run_tells_why(redun_command, tmp_path):
    """A new task, and once it ran, nothing."""
    (tmp_path / "wf.py").write_text(WORKFLOW)
    assert "on default (new task)" in redun_command("run", "--dryrun", "wf.py", "good", code=1).stderr
    redun_command("run", "wf.py", "good")
    assert redun_command("run", "--dryrun", "wf.py", "good").stdout.strip() == "'marker'"


def test_a_limit_below_one_is_refused(redun_command, tmp_path):
    """Its jobs would wait for ever; the message names file and line."""
    (tmp_path / "wf.py").write_text(WORKFLOW)
    redun_command("init")
    with (tmp_path / ".redun" / "redun.ini").open("a") as settings:
        settings.write("\n[limits]\ndb = 0\n")
    assert "[limits] db: expected 1 or more, found 0" in redun_command("run", "wf.py", "good", code=2).stderr
