"""Calls that a task builds and drops."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass

import pytest

from redun import Scheduler, apply_tags, task
from redun.expression import quote
from redun.functools import delay, map_
from redun.task.built import MAX_NOTED, BuiltCalls, building, unnoted

redun_namespace = "test_built"

KEPT: list = []
Pair = namedtuple("Pair", "left right")


@dataclass
class Box:
    """A container of the user's own."""

    content: object


@task(version="1")
def inc(x):
    """Add 1."""
    return x + 1


def dropped_by(func):
    """Return the calls that a function drops, as texts."""
    with BuiltCalls() as built:
        value = func()
    found = list(map(repr, built.find_dropped()))
    del value
    return found


def overwrite():
    """Use the second of two."""
    value = inc(1)
    value = inc(2)
    return value


def look_at():
    """Use a call to make something that is dropped as well."""
    inc(1)["key"] + 1
    return inc(2).name


def take_one():
    """Use one of several."""
    return [inc(i) for i in range(3)][1]


@pytest.mark.parametrize(
    ("func", "dropped"),
    [
        (lambda: inc(2), []),
        (overwrite, ["test_built.inc(1)"]),
        (look_at, ["test_built.inc(1)"]),
        (take_one, ["test_built.inc(0)", "test_built.inc(2)"]),
        (lambda: (inc(inc(inc(1))), 5)[1], ["test_built.inc(test_built.inc(test_built.inc(1)))"]),
        (lambda: (apply_tags(inc(1), []), 5)[1], ["redun.apply_tags(test_built.inc(1), [])"]),
        (lambda: (inc.partial(1)(), 5)[1], ["test_built.inc(1)"]),
    ],
)
def test_what_nothing_refers_to_is_dropped(func, dropped):
    """Of nested calls the outermost; a form is a call as well."""
    assert dropped_by(func) == dropped


@pytest.mark.parametrize(
    "func",
    [
        lambda: [inc(1), {"a": (inc(2) + 1, {inc(3)})}, Pair(inc(4), 5), Box(inc(6))],
        lambda: inc.partial(inc(1)),
        lambda: {"later": delay(inc(1)), "quoted": quote([inc(2)])},
        lambda: map_(inc, [inc(1), 2]),
        lambda: inc.options(limits=inc(1), cache=False)(2),
        lambda: KEPT.append(inc(1)),
        lambda: [inc(i)[0] for i in range(3)],
        lambda: None,
    ],
)
def test_what_something_refers_to_is_not(func):
    """Results, expressions, quotes, partial tasks, options, and globals."""
    assert dropped_by(func) == []


def test_of_very_many_calls_the_last_are_looked_at():
    """A task that drops millions does not hold them."""

    def drop_many():
        for i in range(MAX_NOTED + 50):
            inc(i)

    assert len(dropped_by(drop_many)) == MAX_NOTED


def test_what_was_evaluated_is_not_dropped():
    """A task may hand a call to the scheduler itself."""

    def evaluate_and_drop():
        inc(1).call_hash = b"evaluated"

    assert dropped_by(evaluate_and_drop) == []


def test_nothing_is_noted_while_a_scheduler_runs_inside():
    """Nor is what was built before it; what comes after is."""

    def run_and_drop():
        inc(1)
        with unnoted():
            inc(2)
        inc(3)

    assert dropped_by(run_and_drop) == ["test_built.inc(3)"]


def test_outside_of_tasks_nothing_is_noted():
    """Nor after one, also when it raised."""
    with pytest.raises(ZeroDivisionError), BuiltCalls():
        raise ZeroDivisionError
    assert building.get() is None
    with unnoted():
        assert inc(1) is not None


class Lines:
    """A logger that keeps its lines."""

    def __init__(self):
        self.lines = []
        self.info = self.warning = self.lines.append

    def warnings(self):
        """Return the lines that warn."""
        return [line for line in self.lines if line.startswith("warning")]


@task(version="1")
def forgetful(x):
    """Forget to return something."""
    inc(x)
    return inc(x + 10)


@task(version="1")
def fan_out(n):
    """Use all."""
    return [forgetful(i) for i in range(n)]


@task(version="1")
def run_inside(x):
    """Run a scheduler of its own."""
    inc(x)
    return Scheduler(logger=Lines()).run([inc(x), map_(inc, [1, 2])])


def test_a_run_warns_once_of_what_a_task_drops():
    """By name of both tasks, with the way out."""
    log = Lines()
    assert Scheduler(logger=log).run(fan_out(3)) == [11, 12, 13]
    (line,) = log.warnings()
    assert "test_built.forgetful builds test_built.inc(" in line
    assert "return it, pass it to a task, or await it" in line


def test_what_a_scheduler_inside_a_task_runs_is_not_dropped():
    """It is in use, though nothing refers to it at the end."""
    log = Lines()
    assert Scheduler(logger=log).run(run_inside(1)) == [2, [2, 3]]
    assert log.warnings() == []
