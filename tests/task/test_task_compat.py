"""``compat``: a task that takes over what an earlier one has on record."""

from __future__ import annotations

import pytest

from redun import Scheduler, get_task_registry, task
from redun.store.memory import MemoryStore
from redun.task import Task
from redun.value.encoding import decode_value, encode_value

redun_namespace = "test_task_compat"


def define(version, result, name="leaf", **options):
    """Define a task that returns something else in each version."""

    @task(name=name, version=version, **options)
    def leaf():
        return result

    return leaf


@pytest.fixture(name="store")
def _store():
    return MemoryStore()


def run(store, call):
    """Run a call."""
    return Scheduler(backend=store).run(call)


def test_results_of_the_earlier_task_serve(store):
    """A new version that is declared compatible does not run where the old one has."""
    old = define("1", "old")
    assert run(store, old()) == "old"
    assert run(store, define("2", "new", compat=[old.hash])()) == "old"
    assert run(store, define("2", "new")()) == "new"


def test_a_task_above_is_reused_too(store):
    """A call above is taken in one step: the earlier task counts as current."""
    ran = []

    @task(version="1")
    def above():
        ran.append(1)
        return [leaf()]

    leaf = old = define("1", "old")
    assert run(store, above()) == ["old"]
    leaf = define("2", "new", compat=[old.hash])
    assert get_task_registry().find_current(old.fullname, old.oid) is leaf
    assert run(store, above()) == ["old"]
    assert ran == [1]


def test_a_renamed_task_keeps_its_results(store):
    """The earlier task may have had another name, which is not defined any more."""
    old = define("1", "old")
    run(store, old())
    get_task_registry()._tasks.pop(old.fullname)
    new = define("1", "new", name="renamed", compat=[old.hash])
    assert get_task_registry().find_current(old.fullname, old.oid) is new
    assert run(store, new()) == "old"


def test_without_the_earlier_task_on_record_it_is_itself(store):
    """In a store that has never seen the earlier task it runs, and its results serve it."""
    new = define("2", "new", compat=["ab" * 32])
    assert run(store, new()) == "new"
    again = define("2", "not run", compat=["ab" * 32])
    assert run(store, again()) == "new"


def test_what_has_changed_or_is_gone_is_not_current():
    """A task is found under its hash only."""
    found = define("1", "x")
    assert get_task_registry().find_current(found.fullname, found.oid) is found
    assert get_task_registry().find_current("test_task_compat.gone", found.oid) is None
    assert get_task_registry().find_current(found.fullname, define("2", "y", name="z").oid) is None


def test_as_a_value_it_is_known_by_its_own_record():
    """What refers to it is not refused for its borrowed hash."""
    new = define("2", "new", compat=["ab" * 32])
    encoded = encode_value(new)
    objects = {encoded.oid: encoded.data, **{oid: data for oid, data, _ in encoded.parts}}
    found = decode_value(encoded.oid, objects.__getitem__)
    assert isinstance(found, Task)
    assert found.is_valid()
