"""The ``local`` type of executor."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from redun import Scheduler, catch, task
from redun.errors import ExecutorError
from redun.executors.local import DEFAULT_SCRATCH, LocalExecutor
from redun.executors.options import BadOption
from redun.executors.registry import make_executor
from redun.executors.thread import ThreadExecutor
from redun.scheduler.async_jobs import NotLocal
from redun.scheduler.errors import TimedOut
from redun.testing.executor_tasks import add, hold, text_of, where

redun_namespace = "test_local"


@task(cache=False, version="1")
async def wait_a_while():
    """Do nothing."""


def test_a_section_without_type_is_a_pool_of_threads():
    """``max_workers`` is read from it."""
    executor = make_executor("default", {"max_workers": "3"})
    assert isinstance(executor, ThreadExecutor)
    assert (executor.name, executor.max_workers) == ("default", 3)


@pytest.mark.parametrize("options", [{"max_workers": "many"}, {"max_workers": "-1"}, {"max_workers": "0"}])
def test_a_pool_without_threads_is_refused(options):
    """What was found is told."""
    with pytest.raises(ExecutorError, match=f"executor 'x'.*found '?{options['max_workers']}"):
        make_executor("x", options)


def test_an_unknown_mode_is_refused():
    """The ones there are, are named."""
    with pytest.raises(ExecutorError, match="expected option 'mode' to be one of thread, process, found 'thread1'"):
        make_executor("x", {"mode": "thread1"})


def test_an_unknown_option_is_refused():
    """With the one that was meant."""
    with pytest.raises(BadOption, match="local has no option 'max_worker'") as caught:
        make_executor("x", {"max_worker": "3"})
    assert caught.value.hint == "did you mean max_workers?"


def test_options_are_what_users_know():
    """By a section, by the constructor, and when nobody says anything."""
    section = {"type": "local", "mode": "process", "max_workers": "3", "start_method": "fork", "scratch": "s"}
    made = LocalExecutor("x", config=section)
    assert (made.mode, made.max_workers, made.scratch_root()) == ("process", 3, "s")
    assert LocalExecutor("x", mode="process").mode == "process"
    plain = LocalExecutor("x")
    assert (plain.mode, plain.max_workers, plain.scratch_root()) == ("thread", 20, DEFAULT_SCRATCH)


def test_a_scheduler_has_threads_and_processes():
    """By the names ``default`` and ``process``."""
    assert Scheduler().run(where()) == os.getpid()
    assert Scheduler().run(where.options(executor="process")()) != os.getpid()


def test_a_section_may_say_that_jobs_run_in_processes():
    """For all its jobs, but those that say otherwise."""
    scheduler = Scheduler({"executors.default": {"mode": "process", "max_workers": 1}})
    assert scheduler.run(where()) != os.getpid()
    assert scheduler.run(where.options(mode="thread", cache=False)()) == os.getpid()


def test_a_task_may_say_that_it_runs_in_a_process():
    """Beside others of the same executor that do not."""
    found = Scheduler().run([where.options(mode="process")(), add.options(mode="thread")(1, 2)])
    assert found[0] != os.getpid()
    assert found[1] == 3


def test_a_mode_that_a_task_cannot_have_fails_it():
    """And no other job."""
    with pytest.raises(BadOption, match="found 'thread1'"):
        Scheduler().run(where.options(mode="thread1")())


def test_an_async_task_is_refused_where_jobs_run_in_processes():
    """It says what would do."""
    with pytest.raises(NotLocal, match="expected one of threads"):
        Scheduler().run(wait_a_while.options(executor="process")())
    with pytest.raises(NotLocal, match="expected one of threads"):
        Scheduler().run(wait_a_while.options(mode="process")())


def test_a_process_whose_time_is_up_is_ended(tmp_path):
    """Its place is free for the next job."""
    scheduler = Scheduler({"executors.default": {"mode": "process", "max_workers": 1}})
    slow = hold.options(timeout=0.3)(str(tmp_path), 0)
    assert scheduler.run([catch(slow, TimedOut, text_of), add(1, 2)])[1] == 3


_UNUSED = """
import sys
from redun import Scheduler, task

@task(namespace="test", version="1")
def one():
    return 1

assert Scheduler().run(one()) == 1
found = {"redun.executors.process", "redun.executors.pool", "redun.executors.options", "subprocess"} & set(sys.modules)
assert not found, found
"""


def test_executors_that_are_not_used_start_nothing(tmp_path):
    """Neither a process nor the modules that it needs."""
    done = subprocess.run([sys.executable, "-c", _UNUSED], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
