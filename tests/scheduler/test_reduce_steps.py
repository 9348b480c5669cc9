"""What a call that was stepped records is as cautious as what the run of its function recorded."""

from __future__ import annotations

import pytest

from redun import Scheduler, task
from redun.functools import map_
from redun.store.memory import MemoryStore
from redun.task import get_task_registry
from redun.value import Value

RAN: list = []


class Weather(Value):
    """A value that says itself whether it still holds."""

    is_good = True

    def is_valid(self):
        return self.is_good

    def __getstate__(self):
        return {"good": True}

    def __setstate__(self, state):
        """Take nothing over."""


@pytest.fixture
def run(monkeypatch):
    """Run the outer task, with the versions that the tasks below have now; return what ran."""
    store = MemoryStore()

    def run(make, **versions):
        RAN.clear()
        with get_task_registry().isolated():

            @task(namespace="test_steps", version=versions.get("named", "1"))
            def named(x):
                RAN.append("named")
                return [x, versions.get("named", "1")]

            @task(namespace="test_steps", version=versions.get("leaf", "1"))
            def leaf(given):
                RAN.append("leaf")
                return given.func(1) if given is named else str(given)

            @task(namespace="test_steps", version="1")
            def outer():
                RAN.append("outer")
                return make(leaf, named)

            value = Scheduler(backend=store).run(outer())
        return value, RAN[:]

    return run


def test_a_task_that_is_handed_on_counts_after_a_step(run):
    """A leaf may look at a task without calling it, so the task stands in no summary below."""

    def make(leaf, named):
        return leaf(named)

    assert run(make)[0] == [1, "1"]
    assert run(make, leaf="2") == ([1, "1"], ["leaf", "named"])
    assert run(make, leaf="2", named="2") == ([1, "2"], ["leaf", "named"])
    assert run(make, leaf="2", named="2")[1] == []


def test_a_value_with_a_validity_of_its_own_is_asked_after_a_step(run, monkeypatch):
    """Each time, as long as the call is on record."""

    def make(leaf, _named):
        return [leaf(Weather()), leaf(1)]

    assert run(make)[1] == ["outer", "leaf", "leaf"]
    assert run(make, leaf="2")[1] == ["leaf", "leaf"]
    assert run(make, leaf="2")[1] == []
    monkeypatch.setattr(Weather, "is_good", False)
    assert "outer" in run(make, leaf="2")[1]


def test_who_hands_a_task_to_a_form_need_not_run_when_that_changes(run):
    """A reduction names a task as the function did: whatever has that name."""

    def make(_leaf, named):
        return map_(named, [1, 2])

    assert run(make)[0] == [[1, "1"], [2, "1"]]
    assert run(make, named="2") == ([[1, "2"], [2, "2"]], ["named", "named"])
    assert run(make, named="2")[1] == []
    assert run(make)[1] == []


def test_a_step_that_calls_nothing_leaves_a_sound_record(run, caplog):
    """The task as it is now is stored with the call that names it, so that the next run can tell that it is current."""

    def make(_leaf, named):
        return map_(named, [])

    run(make)
    for _ in range(2):
        assert run(make, named="2") == ([], [])
    assert not caplog.records
