"""Evaluation in the background: begun here, joined there, and never stale."""

from __future__ import annotations

import threading

import pytest

from redun import Scheduler, get_context, task
from redun.provenance.executions import load_execution
from redun.scheduler import DryRunResult, fork_thread, join_thread
from redun.scheduler.forms.threads import Thread
from redun.store.memory import MemoryStore
from redun.store.repository import Repository
from redun.task import get_task_registry
from redun.value.encoding import encode_value

redun_namespace = "test_threads"

RAN: list = []
GO_ON = threading.Event()


@task(version="1")
def slow(x):
    """Wait until it may end."""
    GO_ON.wait(20)
    RAN.append(x)
    return [later(x)]


@task(version="1")
def later(x):
    """Come after."""
    RAN.append(("later", x))
    return x * 10


@task(version="1")
def release(x):
    """Let what waits go on."""
    GO_ON.set()
    return x


@task(version="1")
def joined(thread, n):
    """Join what another job has forked."""
    return [join_thread(thread), n]


@task(version="1", check_valid="shallow")
def joined_shallow(thread):
    """Join, and let nobody look at what is below."""
    return join_thread(thread)


@task(version="1")
def main(x):
    """The fork ends only after another job of this expression has run."""
    thread = fork_thread(slow(x))
    return [joined(thread, release(x)), join_thread(thread)]


@task(version="1")
def shallow(x):
    """Join in a job that is taken whole."""
    return joined_shallow(fork_thread(slow(x)))


@task(version="1")
def forgetful(x):
    """Fork and never join."""
    return [fork_thread(slow(x)), release(x)]


@task(version="1")
def broken(x):
    """Fail."""
    raise ValueError(f"broken {x}")


@task(version="1")
def ignoring(x):
    """Fork what fails."""
    fork = fork_thread(broken(x))
    return [fork, x]


@task(version="1")
def failing(x):
    """Fork what fails, and join it."""
    return join_thread(fork_thread(broken(x)))


@task(version="1")
def where():
    """Tell what the context says."""
    return get_context("x")


@task(version="1")
def forked_where():
    """Ask in the background."""
    return joined(fork_thread(where()), 1)


@task(version="1")
def two_contexts():
    """The same fork in two contexts."""
    return [forked_where.update_context({"x": 1})(), forked_where.update_context({"x": 2})()]


@task(version="1", cache_scope="NONE")
def unshared(x):
    """Run at each call."""
    RAN.append(x)
    return x


@task(version="1")
def joined_twice(x):
    """Two jobs join one thread."""
    thread = fork_thread(unshared(x))
    return [joined(thread, 1), joined(thread, 2)]


@pytest.fixture(autouse=True)
def _forget():
    RAN.clear()
    GO_ON.clear()


def test_a_job_does_not_wait_for_what_it_forks():
    """The call that lets the thread go on is made while it waits; all who join get its value, and it runs once."""
    assert Scheduler().run(main(1)) == [[[10], 1], [10]]
    assert RAN == [1, ("later", 1)]


def test_a_thread_runs_once_whoever_joins():
    """Also when its task runs at each call otherwise."""
    assert Scheduler().run(joined_twice(7)) == [[7, 1], [7, 2]]
    assert RAN == [7]


def test_a_run_does_not_end_before_its_threads(tmp_path):
    """What nobody joins is evaluated to its end, and stands in the tree below the job that forked."""
    with Repository.open_or_init(tmp_path / ".redun") as repository:
        thread, value = Scheduler(backend=repository).run(forgetful(1))
        assert (repr(thread), value) == ("Thread(test_threads.slow(1))", 1)
        assert RAN == [1, ("later", 1)]
        (ref,) = repository.refs.iter_refs()
        view = load_execution(repository.store, repository.refs, ref.name)
        assert sorted((depth, row.task) for depth, row in view.iter_tree()) == [
            (0, "test_threads.forgetful"),
            (1, "test_threads.release"),
            (1, "test_threads.slow"),
            (2, "test_threads.later"),
        ]


def test_a_second_run_replays_threads_from_the_store():
    """Everything is asked anew, and nothing runs."""
    store = MemoryStore()
    Scheduler(backend=store).run(main(1))
    RAN.clear()
    assert Scheduler(backend=store).run(main(1)) == [[[10], 1], [10]]
    assert RAN == []


@pytest.mark.parametrize(
    ("call", "expected"), [(main, [[[-1], 1], [-1]]), (shallow, [-1])], ids=["full check", "shallow check"]
)
def test_a_task_below_a_thread_that_changed_is_seen_by_who_joins(call, expected):
    """Its new value reaches the job that joined, though that was given an equal thread."""
    store = MemoryStore()
    GO_ON.set()
    Scheduler(backend=store).run(call(1))
    with get_task_registry().isolated():

        @task(version="2", name="later")
        def changed(x):
            return -x

        assert Scheduler(backend=store).run(call(1)) == expected


def test_a_forgotten_thread_that_changed_runs_again():
    """Nothing depends on it, and yet it was asked for."""
    store = MemoryStore()
    Scheduler(backend=store).run(forgetful(1))
    RAN.clear()
    with get_task_registry().isolated():

        @task(version="2", name="later")
        def changed(x):
            RAN.append("changed")
            return -x

        Scheduler(backend=store).run(forgetful(1))
        assert RAN == ["changed"]


def test_a_thread_of_an_earlier_run_is_evaluated_again():
    """It is a value like any other; what it comes to is found in the store or made anew."""
    store = MemoryStore()
    thread, _ = Scheduler(backend=store).run(forgetful(1))
    RAN.clear()
    assert Scheduler(backend=store).run(joined(thread, 5)) == [[10], 5]
    assert RAN == []
    GO_ON.set()
    assert Scheduler().run(joined(thread, 5)) == [[10], 5]
    assert RAN == [1, ("later", 1)]


def test_an_error_is_that_of_whoever_joins():
    """A run whose thread failed unjoined has its value all the same."""
    thread, value = Scheduler().run(ignoring(1))
    assert value == 1
    assert isinstance(thread, Thread)
    with pytest.raises(ValueError, match="broken 1"):
        Scheduler().run(failing(1))


def test_equal_threads_in_two_contexts_are_two():
    """Each has the value that the context of its fork gives."""
    store = MemoryStore()
    assert Scheduler(backend=store).run(two_contexts()) == [[1, 1], [2, 1]]
    assert Scheduler(backend=store).run(two_contexts()) == [[1, 1], [2, 1]]


def test_the_hash_of_a_thread_follows_from_its_expression():
    """So a job that is given one is found again."""
    made = [Scheduler().run(forgetful(x))[0] for x in (1, 1, 2)]
    first, second, third = (encode_value(thread).oid for thread in made)
    assert first == second != third


def test_a_dry_run_tells_of_threads_that_would_run():
    """Also when the value itself is known."""
    store = MemoryStore()
    Scheduler(backend=store).run(forgetful(1))
    assert Scheduler(backend=store).run(forgetful(1), dryrun=True)[1] == 1
    with get_task_registry().isolated():

        @task(version="2", name="later")
        def changed(x):
            return -x

        with pytest.raises(DryRunResult):
            Scheduler(backend=store).run(forgetful(1), dryrun=True)


def test_only_threads_can_be_joined():
    """Anything else is a mistake in the workflow."""
    with pytest.raises(TypeError, match="found a int"):
        Scheduler().run(join_thread(release(1)))
