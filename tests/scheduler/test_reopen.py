"""Jobs that are added below a job which is there already."""

from __future__ import annotations

import pytest

from redun import Scheduler, get_context, get_current_scheduler, task
from redun.objects.kinds import Kind
from redun.provenance.executions import load_execution, load_from_object
from redun.scheduler import SchedulerError
from redun.scheduler.current import find_running_job
from redun.scheduler.reopen import UnknownJob
from redun.store.memory import MemoryStore
from redun.store.repository import Repository
from redun.task import get_task_registry

redun_namespace = "test_reopen"

RAN: list = []


@task(version="1")
def leaf(x):
    """Say that it ran."""
    RAN.append(x)
    return x + 1


@task(version="1")
def main(x):
    """Call once."""
    return leaf(x)


@task(version="1")
def broken(x):
    """Fail."""
    raise ValueError(f"broken {x}")


@task(version="1")
def where():
    """Tell what the context says."""
    return get_context("x")


@task(version="1", cache=False)
def extending(x):
    """Add jobs below itself, with a scheduler of its own."""
    inner = Scheduler(backend=get_current_scheduler().backend)
    return inner.extend_run([main(x), where()], find_running_job().id, context={"x": 5})


@task(version="1", cache=False)
def extending_itself():
    """Ask the scheduler that is running."""
    return get_current_scheduler().extend_run(leaf(1), find_running_job().id)


@pytest.fixture(autouse=True)
def _forget():
    RAN.clear()


@pytest.fixture
def repository(tmp_path):
    """An empty repository."""
    with Repository.open_or_init(tmp_path / ".redun") as opened:
        yield opened


def view_of(repository):
    """Return the newest execution."""
    (ref,) = repository.refs.iter_refs(1)
    return load_execution(repository.store, repository.refs, ref.name)


def tree(repository):
    """Return depth, task and state of each job of the newest execution."""
    view = view_of(repository)
    return [(depth, row.task.rpartition(".")[2], view.state_of(row).value) for depth, row in view.iter_tree()]


def test_an_execution_that_has_ended_gets_more_jobs(repository):
    """They stand below the job, under numbers of their own; the call and the job are told."""
    Scheduler(backend=repository).run(main(1))
    before = view_of(repository)
    told = Scheduler(backend=repository).extend_run(main(7), before.job_id(2))
    assert tree(repository) == [(0, "main", "DONE"), (1, "leaf", "DONE"), (2, "main", "DONE"), (3, "leaf", "DONE")]
    after = view_of(repository)
    assert (after.id, after.root) == (before.id, before.root)
    assert told["result"] == 8
    (row,) = (row for row in after.rows if after.job_id(row.number) == told["job_id"])
    assert row.outcome.hex() == told["call_hash"]
    assert len(list(repository.refs.iter_refs())) == 1


def test_it_can_be_extended_again_and_from_elsewhere(tmp_path, repository):
    """Each time the jobs of before are kept, and results of before serve."""
    Scheduler(backend=repository).run(main(1))
    root = view_of(repository).job_id(1)
    Scheduler(backend=repository).extend_run(leaf(5), root)
    repository.close()
    with Repository.open(tmp_path / ".redun") as again:
        assert Scheduler(backend=again).extend_run([leaf(5), leaf(6)], root)["result"] == [6, 7]
        assert sorted(RAN) == [1, 5, 6]
        states = ["DONE", "DONE", "CACHED", "DONE"]
        assert [state for _, name, state in tree(again) if name == "leaf"] == states
        assert len({row.number for row in view_of(again).rows}) == 5


def test_errors_are_told_and_recorded(repository):
    """The error is the one that was raised; nothing was called to the end."""
    Scheduler(backend=repository).run(main(1))
    told = Scheduler(backend=repository).extend_run(broken(1), view_of(repository).job_id(1))
    assert isinstance(told["error"], ValueError)
    assert told["call_hash"] is None
    assert "result" not in told
    assert tree(repository)[-1] == (1, "broken", "FAILED")


def test_a_dry_run_adds_nothing(repository):
    """It tells whether something would run, and has the value where nothing would."""
    Scheduler(backend=repository).run(main(1))
    before, root = view_of(repository), view_of(repository).job_id(1)
    assert Scheduler(backend=repository).extend_run(leaf(9), root, dryrun=True)["dryrun"] is True
    assert Scheduler(backend=repository).extend_run(leaf(1), root, dryrun=True)["result"] == 2
    assert view_of(repository) == before
    assert RAN == [1]


def test_caching_and_context_are_as_asked():
    """In memory as well: without caching a result runs again; the context is what is given."""
    store = MemoryStore()
    scheduler = Scheduler(backend=store)
    scheduler.run(main(1))
    oid = next(oid for oid, kind in store.iter_oids() if kind == Kind.EXECUTION)
    root = load_from_object(store, oid).job_id(1)
    assert scheduler.extend_run(leaf(1), root, cache=False)["result"] == 2
    assert RAN == [1, 1]
    assert scheduler.extend_run(where(), root, context={"x": 3})["result"] == 3


def test_a_job_that_runs_may_extend_itself(repository):
    """What it adds is part of the execution that goes on, and what its result depends on."""
    told = Scheduler(backend=repository).run(extending(1))
    assert told["result"] == [2, 5]
    assert tree(repository) == [
        (0, "extending", "DONE"),
        (1, "main", "DONE"),
        (2, "leaf", "DONE"),
        (1, "where", "DONE"),
    ]
    assert told["job_id"] in {view_of(repository).job_id(row.number) for row in view_of(repository).rows}


def test_a_scheduler_that_runs_cannot_extend():
    """It has one run at a time."""
    with pytest.raises(SchedulerError, match="running already"):
        Scheduler().run(extending_itself())


def test_a_job_must_be_there(repository):
    """An id that is nobody's is named."""
    Scheduler(backend=repository).run(main(1))
    unknown = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(UnknownJob, match=unknown) as caught:
        Scheduler(backend=repository).extend_run(leaf(1), unknown)
    assert caught.value.job_id == unknown


def test_a_task_that_changed_is_seen_through_a_job_that_extends(repository):
    """A job that is cached and adds jobs below itself runs again when one of them would."""
    with get_task_registry().isolated():

        @task(version="1", name="extending")
        def cached(x):
            inner = Scheduler(backend=get_current_scheduler().backend)
            return inner.extend_run(leaf(x), find_running_job().id)["result"]

        assert Scheduler(backend=repository).run(cached(1)) == 2

        @task(version="2", name="leaf")
        def changed(x):
            return -x

        assert Scheduler(backend=repository).run(cached(1)) == -1
