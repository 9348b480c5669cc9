"""Ways to start worker processes."""

from __future__ import annotations

import os
import resource
import threading

import pytest

from redun import Scheduler, task
from redun.executors.process import ProcessExecutor
from redun.testing import executor_tasks as tasks

_inside, _may_end = threading.Event(), threading.Event()
_maker = os.getpid()


def _wait_in_parent() -> type:
    """Be slow where a thread of the test evaluates this, and nowhere else."""
    if os.getpid() == _maker:
        _inside.set()
        _may_end.wait(60)
    return int


@task(namespace="redun.testing.starters")
def slow_to_call() -> _wait_in_parent():  # type: ignore[valid-type]
    """Has a return annotation that takes its time."""


def test_a_forked_worker_does_not_wait_for_what_other_threads_were_at():
    """What one thread finds out about a task is held by no lock that a copy of the process would wait for for ever."""
    _inside.clear()
    _may_end.clear()
    asked = tasks.same.options(executor="forked")(4)  # its number of results is known before
    thread = threading.Thread(target=slow_to_call)
    thread.start()
    try:
        assert _inside.wait(60)
        scheduler = Scheduler()
        scheduler.add_executor(ProcessExecutor("forked", max_workers=1, start_method="fork"))
        assert scheduler.run(asked) == 4
    finally:
        _may_end.set()
        thread.join()


@pytest.fixture
def many_open_files():
    """The process has more files open than ``select`` knows numbers for."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2048, limits[1]), limits[1]))
    kept = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    yield
    for descriptor in kept:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("method", ["forkserver", "fork", "spawn"])
def test_workers_start_however_many_files_are_open(many_open_files, method):
    """A repository of many packs keeps many open."""
    scheduler = Scheduler()
    scheduler.add_executor(ProcessExecutor("started", max_workers=1, start_method=method))
    assert scheduler.run(tasks.same.options(executor="started")(4)) == 4
