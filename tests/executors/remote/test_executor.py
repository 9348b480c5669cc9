"""Remote executors from end to end: a scheduler here, ``redun worker`` in processes of a cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from redun.errors import RedunError
from redun.executors.remote.scratch import Scratch
from redun.scheduler.scheduler import Scheduler
from redun.store.repository import Repository
from redun.testing import executor_tasks as tasks

REMOTE = {"executor": "remote"}

WORKFLOW = """
import os, sys
from pathlib import Path
from redun import task
from redun.scheduler.scheduler import Scheduler
from redun.store.repository import Repository
from redun.testing.local_submitter import LocalSubmitter
from redun.testing.shell_work import TABLE
from redun.executors.remote.executor import RemoteExecutor

here = Path(sys.argv[0]).resolve().parent

@task(namespace="tests.remote", executor="remote", load_module="steps", version="1")
def placeholder():
    pass

if __name__ == "__main__":
    import steps
    section = {"scratch": str(here / "scratch"), "job_monitor_interval": "0.05", "min_array_size": "0"}
    values = TABLE.read_section("remote", section)
    cluster = LocalSubmitter(here / "cluster", cwd=Path("/"))
    repository = Repository.open_or_init(here / ".redun")
    scheduler = Scheduler(backend=repository)
    scheduler.add_executor(RemoteExecutor("remote", values, cluster, table=TABLE, scratch=values["scratch"]))
    print(scheduler.run(steps.slow(str(here))), len(cluster.submissions))
    repository.close()
"""

STEPS = """
import time
from pathlib import Path
from redun import task
import names

@task(namespace="tests.remote", executor="remote")
def slow(folder):
    with open(folder + "/ran", "a") as ran:
        ran.write("x")
    while not Path(folder, "go").exists():
        time.sleep(0.01)
    return names.NAME
"""


@pytest.fixture
def scheduler(tmp_path):
    """A scheduler over a repository of its own."""
    repository = Repository.init(tmp_path / "repository")
    yield Scheduler(backend=repository)
    repository.close()


def test_large_values_go_by_the_scratch(scheduler, make_remote, tmp_path):
    """Arguments and results of more than 1 MiB are in no parcel; the job carries the cluster's id as a tag."""
    scheduler.add_executor(make_remote())
    large = os.urandom(3 << 20)
    assert scheduler.run(tasks.add.options(**REMOTE)(large, large)) == large + large
    sizes = [path.stat().st_size for path in (tmp_path / "scratch/jobs").rglob("*put")]
    assert len(sizes) == 2
    assert max(sizes) < 10_000
    assert len(list((tmp_path / "scratch/objects/blob").rglob("*"))) >= 2


def test_an_array_of_equal_jobs_runs_on_workers(scheduler, make_remote, cluster):
    """One submission, a result for each; an element that fails fails alone, with the task's own error."""
    scheduler.add_executor(make_remote(min_array_size=2, job_stale_time=0.2))
    with pytest.raises(tasks.OddValueError):
        scheduler.run([tasks.require_even.options(**REMOTE)(number) for number in (2, 4, 5)])
    (submission,) = cluster.submissions
    assert (submission.is_array, submission.size) == (True, 3)


def test_what_a_task_wrote_is_told_with_its_error(scheduler, make_remote):
    """The end of the log stands in the traceback."""
    scheduler.add_executor(make_remote())
    with pytest.raises(RedunError) as caught:
        scheduler.run(tasks.give_up.options(**REMOTE)("no-luck"))
    lines = [line.strip() for line in caught.value.redun_traceback.format()]
    assert lines.count("no-luck") == 1
    with pytest.raises(tasks.OddValueError) as failed:
        scheduler.run(tasks.say_and_fail.options(**REMOTE)("wrote this"))
    assert "wrote this" in "".join(failed.value.redun_traceback.format())


def test_a_module_that_the_code_package_lacks_is_told(scheduler, make_remote, tmp_path, monkeypatch):
    """The task's module is named."""
    (tmp_path / "project").mkdir()
    text = 'from redun import task\nredun_namespace = "lost"\n@task()\ndef lost():\n    return 1\n'
    (tmp_path / "project/lost_module.py").write_text(text)
    (tmp_path / "project/other.py").touch()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.syspath_prepend(str(tmp_path / "project"))
    import lost_module

    scheduler.add_executor(make_remote(code_package=True, code_excludes="lost_module.py"))
    with pytest.raises(RedunError, match="lost_module"):
        scheduler.run(lost_module.lost.options(**REMOTE)())


def test_a_run_that_was_killed_is_gone_on_with(tmp_path, redun_environment):
    """Its job goes on meanwhile, in code that was sent along; the next run joins it and takes its result."""
    for name, text in (("main.py", WORKFLOW), ("steps.py", STEPS), ("lib/names.py", "NAME = 'sent'\n")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    environment = {**redun_environment, "PYTHONPATH": str(tmp_path / "lib")}
    command = [sys.executable, "main.py"]
    first = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (tmp_path / "ran").exists():
        assert time.monotonic() < deadline
        assert first.poll() is None
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert first.stdout is not None
    first.stdout.close()
    second = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
    (tmp_path / "go").touch()
    said, _ = second.communicate(timeout=60)
    assert said == b"sent 0\n"
    assert (tmp_path / "ran").read_text() == "x"


def test_a_result_whose_file_has_changed_is_made_anew(scheduler, make_remote, tmp_path, cluster):
    """What an earlier run left in the scratch is taken only while it holds."""
    path = tmp_path / "made.txt"
    scheduler.add_executor(make_remote())
    call = tasks.write_text.options(**REMOTE)(str(path), "made")
    scheduler.run(call)
    (output,) = Scratch(str(tmp_path / "scratch")).list_jobs().values()
    assert "output" in output
    other = Scheduler()
    other.add_executor(make_remote())
    assert other.run(call).read() == "made"
    assert len(cluster.submissions) == 1
    path.write_text("changed by somebody")
    other = Scheduler()
    other.add_executor(make_remote())
    assert other.run(call).read() == "made"
    assert len(cluster.submissions) == 2
