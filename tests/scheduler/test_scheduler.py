"""One scheduler: runs one after the other, beside one another, dry ones, and what they leave."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from redun import File, Scheduler, task
from redun.scheduler.errors import DryRunResult, SchedulerError
from redun.store.memory import MemoryStore
from redun.store.repository import Repository

redun_namespace = "test_scheduler"


@task(version="1")
def first(x):
    """Return the argument."""
    return x


@task(version="1")
def add(a, b):
    """Add."""
    return a + b


@task(version="1")
def write(path: str) -> File:
    """Make a file."""
    File(path).write("made")
    return File(path)


@task(version="1")
def run_within():
    """Run another scheduler from within a job."""
    return Scheduler(backend=MemoryStore()).run(add(first(1), 2))


class Lines:
    """A logger that keeps its lines."""

    def __init__(self):
        self.lines = []

    def info(self, msg):
        self.lines.append(msg)

    warning = info


def test_what_is_no_single_call_is_run_below_a_root_task():
    """So all jobs hang on one root; a call of plain values is its own."""
    for expression, has_root in (([first(1)], True), (add(first(1), 2), True), (first(1), False)):
        scheduler = Scheduler()
        scheduler.run(expression)
        assert any("redun.root_task" in line for line in scheduler.get_job_status_report()) is has_root


def test_a_plain_value_comes_back_as_it_is():
    """Nothing is to be done for it."""
    assert Scheduler().run([1, {"a": None}]) == [1, {"a": None}]


def test_a_job_may_run_a_scheduler_of_its_own():
    """It has a queue and jobs of its own."""
    assert Scheduler().run(run_within()) == 3


def test_schedulers_run_beside_one_another():
    """Each in a thread, over one store for each."""
    results = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(Scheduler().run([add(first(i), n) for i in range(20)])))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [[i + n for i in range(20)] for n in range(4)]


def test_a_scheduler_runs_one_thing_at_a_time():
    """A job that asks its own scheduler is told so."""
    scheduler = Scheduler()

    @task(version="1", namespace="test_scheduler")
    def again(x):
        return scheduler.run(first(x))

    with pytest.raises(SchedulerError, match="running already"):
        scheduler.run(again(1))
    assert scheduler.run(first(2)) == 2


def test_a_dry_run_leaves_no_trace(tmp_path):
    """Neither an execution nor objects; and no file is put back."""
    Repository.init(tmp_path / ".redun")
    repository = Repository.open(tmp_path / ".redun")
    path = tmp_path / "file"
    log = Lines()
    scheduler = Scheduler(backend=repository, logger=log)
    scheduler.run(write(str(path)))
    path.unlink()
    refs, objects = len(list(repository.refs.iter_names())), len(list(repository.store.iter_oids()))
    scheduler.run(write(str(path)), dryrun=True)
    with pytest.raises(DryRunResult):
        scheduler.run([first(object)], dryrun=True)
    repository.close()
    assert not Path(path).exists()
    assert any("Dryrun restores File" in line for line in log.lines)
    repository = Repository.open(tmp_path / ".redun")
    assert (len(list(repository.refs.iter_names())), len(list(repository.store.iter_oids()))) == (refs, objects)
    repository.close()


def test_a_scheduler_that_is_asked_from_two_threads_serves_one():
    """The other is told, and waits for nothing."""
    scheduler, outcomes = Scheduler(), []
    inside, may_end = threading.Event(), threading.Event()

    @task(version="1", namespace="test_scheduler")
    def hold():
        inside.set()
        return may_end.wait(20)

    thread = threading.Thread(target=lambda: outcomes.append(scheduler.run(hold())))
    thread.start()
    assert inside.wait(20)
    with pytest.raises(SchedulerError, match="running already"):
        scheduler.run(first(1))
    may_end.set()
    thread.join()
    assert outcomes == [True]
