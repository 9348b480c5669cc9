"""Why a job runs, as its line says."""

from __future__ import annotations

from redun import Scheduler, task
from redun.objects.kinds import Kind
from redun.scheduler import reasons
from redun.store.memory import MemoryStore

redun_namespace = "test_reasons"


class Lines:
    """A logger that keeps its lines."""

    def __init__(self):
        self.lines = []
        self.info = self.warning = self.lines.append


@task(version="1")
def pair(left, right):
    """Return both."""
    return (left, right)


@task(version="1")
def add(*numbers):
    """Return the sum."""
    return sum(numbers)


def run_lines(store, call):
    """Run a call; return the lines of the jobs that ran."""
    log = Lines()
    Scheduler(backend=store, logger=log).run(call)
    return [line for line in log.lines if line.startswith("Run ")]


def test_the_nearest_earlier_call_tells_what_changed():
    """The one with most equal arguments."""
    store = MemoryStore()
    run_lines(store, [pair("a", 1), pair("b", 2)])
    (line,) = run_lines(store, pair("b", 3))
    assert line.endswith("on default (changed: right)")


def test_another_number_of_arguments_is_told():
    """They cannot be compared one by one."""
    store = MemoryStore()
    run_lines(store, add(1, 2))
    (line,) = run_lines(store, add(1, 2, 3))
    assert line.endswith("(other number of arguments)")


def test_nothing_is_said_of_what_is_new():
    """No earlier call is like it."""
    (line,) = run_lines(MemoryStore(), pair(1, 2))
    assert line.endswith("on default")


def test_cached_runs_in_between_do_not_hide_the_earlier_call():
    """Each leaves a small batch of its own."""
    store = MemoryStore()
    run_lines(store, [pair("a", 1), pair("b", 2)])
    for _ in range(10):
        assert run_lines(store, pair("b", 2)) == []
    (line,) = run_lines(store, pair("a", 5))
    assert line.endswith("(changed: right)")


def test_looking_back_is_bounded(monkeypatch):
    """By rows, whatever the number of executions."""
    store = MemoryStore()
    for number in range(12):
        run_lines(store, add(number))
    read = []
    get_node = store.get_node

    def watch(oid):
        read.append(store.kind_of(oid))
        return get_node(oid)

    monkeypatch.setattr(store, "get_node", watch)
    monkeypatch.setattr(reasons, "MAX_ROWS_READ", 5)
    run_lines(store, add(100))
    assert read.count(Kind.JOBS) == 5
