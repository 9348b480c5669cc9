"""The executor of processes, from end to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from redun import Scheduler, catch
from redun.errors import ExecutorError
from redun.executors.process import ProcessExecutor
from redun.file.statcache import StatCache, use_stat_cache
from redun.store.repository import Repository
from redun.testing import executor_tasks as tasks
from redun.testing.executor import WAIT_SECONDS, WorkflowExecutorSuite, is_alive, wait_until


class TestWorkflowsOnProcesses(WorkflowExecutorSuite):
    """Workflows run on it as on any other."""

    @pytest.fixture
    def executor(self):
        """A pool of two processes."""
        return ProcessExecutor("tested", max_workers=2)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workflows_run_however_processes_are_started(tmp_path, method):
    """Wide, large, failing and dying jobs, as with the usual method."""
    name = "tested"
    with Repository.init(tmp_path / "repository") as repository:
        scheduler = Scheduler(backend=repository)
        scheduler.add_executor(ProcessExecutor(name, max_workers=2, start_method=method))
        large = bytes(3 << 20)
        died = catch(tasks.die.options(executor=name)("SIGKILL"), ExecutorError, tasks.text_of)
        failed = catch(tasks.require_even.options(executor=name)(3), tasks.OddValueError, tasks.number_of)
        wide = tasks.fan_out(100, name)
        found = scheduler.run([wide, tasks.same.options(executor=name)(large), failed, died])
    assert found[:3] == [5050, large, 3]
    assert "was killed by SIGKILL" in found[3]


def test_there_are_as_many_workers_as_cores():
    """Unless somebody says how many."""
    assert ProcessExecutor("x").max_workers == len(os.sched_getaffinity(0))
    assert ProcessExecutor("x", max_workers=5).max_workers == 5


def test_a_pool_without_workers_is_refused():
    """It could run nothing."""
    with pytest.raises(ExecutorError, match="at least 1, found 0"):
        ProcessExecutor("x", max_workers=0)


def test_a_death_that_memory_may_explain_says_so(tmp_path):
    """The error names task and signal, and its hint the usual reason."""
    scheduler = Scheduler()
    with pytest.raises(
        ExecutorError, match=r"killed by SIGKILL \(signal 9\) while it ran task 'redun.testing.die'"
    ) as caught:
        scheduler.run(tasks.die.options(executor="process")("SIGKILL"))
    assert "memory" in caught.value.hint


def test_a_crash_tells_the_line(tmp_path):
    """The frames of user code stand in the traceback, as the log of the job."""
    script = tmp_path / "crash.py"
    script.write_text(_CRASH)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert "Fatal Python error: Segmentation fault" in lines
    assert f'  File "{script}", line 12 in read_nothing' in lines
    assert not any("process_main" in line for line in lines)
    assert done.stderr == ""


_CRASH = """
import ctypes
import resource

from redun import Scheduler, task


@task(namespace="script", executor="process")
def read_nothing():
    # a comment, so that lines differ
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)


if __name__ == "__main__":
    try:
        Scheduler(job_status_interval=0).run(read_nothing())
    except Exception as error:
        print("".join(error.redun_traceback.format()))
"""


def test_what_workers_print_passes_through(capfd):
    """To where this process writes."""
    assert Scheduler().run(tasks.say.options(executor="process")("hello")) == "hello"
    found = capfd.readouterr()
    assert "hello\n" in found.out
    assert "hello\n" in found.err


_SCRIPT = """
import sys
from redun import Scheduler, task
from redun.testing.executor_tasks import hold

redun_namespace = "script"


class Point:
    def __init__(self, x):
        self.x = x


@task()
def double(point):
    return Point(2 * point.x)


@task()
def main(folder):
    if folder:
        return hold.options(executor="process")(folder, 0)
    return double.options(executor="process")(Point(4))


if __name__ == "__main__":
    print(getattr(Scheduler().run(main(*sys.argv[1:])), "x", None))
"""


def test_a_script_may_define_what_its_workers_run(tmp_path):
    """Tasks and classes of ``__main__`` are found there; what only a main program does is not done again."""
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT)
    done = subprocess.run([sys.executable, str(script), ""], capture_output=True, text=True, check=False)
    assert done.stdout == "8\n", done.stderr


def test_an_interrupt_from_the_terminal_ends_run_and_workers(tmp_path):
    """Ctrl-C reaches the scheduler, which ends its workers; those print nothing of their own."""
    (tmp_path / "script.py").write_text(_SCRIPT)
    command = [sys.executable, "-m", "redun", "run", "script.py", "main", "--folder", str(tmp_path)]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    tasks.wait_for(tmp_path / "held-0")
    workers = _children_of(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 130
    assert "KeyboardInterrupt" not in errors
    assert workers
    assert wait_until(lambda: not any(map(is_alive, workers)), WAIT_SECONDS)


def test_a_file_that_a_worker_has_read_is_not_read_again(tmp_path):
    """What it knows of files goes home with its outcomes."""
    path = tmp_path / "large.txt"
    path.write_text("text")
    cache = StatCache()
    previous = use_stat_cache(cache)
    try:
        assert Scheduler().run(tasks.find_file.options(executor="process")(str(path))).path == str(path)
    finally:
        use_stat_cache(previous)
    assert len(cache) == 1


def test_large_values_pass_without_a_repository():
    """They go through the connection, in pieces as the other side takes them."""
    large = bytes(range(256)) * (40 << 10)
    call = tasks.add.options(executor="process")
    assert Scheduler().run([call(large, b"1"), call(large, b"2")]) == [large + b"1", large + b"2"]


def _children_of(process_id):
    """Return the processes that a process has started, and those that they have."""
    text = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in text.splitlines()]
    found = [process_id]
    for parent in found:
        found += [child for child, above in pairs if above == parent]
    return found[1:]
