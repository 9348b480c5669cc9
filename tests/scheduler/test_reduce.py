"""Calls from being asked for to having a value: options, defaults, what equal calls share, and what jobs are handed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from redun import File, Scheduler, task
from redun.store.memory import MemoryStore
from redun.value.encoding import encode_value

redun_namespace = "test_reduce"


class Seen:
    """What the functions saw; reached through an attribute, so that it is no part of a task's hash."""

    notes: list = []


@pytest.fixture(autouse=True)
def notes():
    """What the functions of one test saw."""
    Seen.notes.clear()
    return Seen.notes


@pytest.fixture
def scheduler():
    """A scheduler over a store of its own."""
    return Scheduler(backend=MemoryStore())


@task(version="1")
def first(x):
    """Return the argument."""
    return x


@task(version="1")
def with_default(x, y=first(4), *, z=[first(5)]):  # noqa: B006, B008  (defaults that hold calls)
    """Take defaults that are calls."""
    Seen.notes.append((x, y, z))
    return [x, y, *z]


@task(version="1", cache_scope="NONE")
def always(x):
    """Run at each call."""
    Seen.notes.append(x)
    return x


@task(version="1")
def ask_always_thrice():
    """Make one call three times, once as an argument."""
    call = always(1)
    return [call, call, always(1), first(always(1))]


@task(version="1")
def ask_always_elsewhere():
    """Make the same call below another job."""
    return [ask_always_thrice(), always(1)]


@task(version="1")
def make_list():
    """Return a list."""
    return [3, 1, 2]


@task(version="1")
def spoil(xs):
    """Change the argument in place."""
    xs.sort()
    xs.append(9)
    return xs


@task(version="1")
def share_list():
    """Hand one list to several calls."""
    xs = make_list()
    return [spoil(xs), first(xs), spoil([xs, xs]), first((xs, {"a": xs}))]


@dataclass
class Late:
    """Has a field that is never set here."""

    x: object
    late: object = field(init=False)


@task(version="1")
def make_late():
    """Return a dataclass with a call in it and a field not set."""
    return Late(first(1))


@task(version="1", config_args=["mode"])
def configured(x, mode):
    """Take an argument that is no part of the key."""
    Seen.notes.append(mode)
    return x


def test_defaults_that_are_calls_are_evaluated(scheduler, notes):
    """The function sees their values, wherever in a default they stand."""
    assert scheduler.run(with_default(1)) == [1, 4, 5]
    assert notes == [(1, 4, [5])]


def test_a_default_and_the_same_value_given_are_one_call(scheduler, notes):
    """The cache key is of values, not of how they were come by."""
    scheduler.run(with_default(1))
    assert scheduler.run(with_default(1, 4, z=[5])) == [1, 4, 5]
    assert len(notes) == 1


def test_the_same_call_below_one_job_runs_once_whatever_its_scope(scheduler, notes):
    """Equal expressions stand for one value."""
    assert scheduler.run(ask_always_thrice()) == [1, 1, 1, 1]
    assert notes == [1]


def test_a_call_of_no_scope_runs_anew_below_another_job(scheduler, notes):
    """Scope NONE shares nothing between jobs."""
    scheduler.run(ask_always_elsewhere())
    assert notes == [1, 1]


@pytest.mark.parametrize(
    ("options", "times"),
    [({}, 1), ({"cache": False}, 2), ({"cache_scope": "CSE"}, 2), ({"cache_scope": first("NONE")}, 2)],
)
def test_options_of_a_call_count_also_as_expressions(scheduler, notes, options, times):
    """They are evaluated before the job is looked up."""
    call = configured.options(**options)
    assert [scheduler.run(call(1, "a")) for _ in range(2)] == [1, 1]
    assert len(notes) == times


def test_an_option_that_comes_to_a_wrong_value_fails_the_call(scheduler):
    """As it would where it is written down."""
    with pytest.raises(ValueError, match="expected limits to be a list of names"):
        scheduler.run(first.options(limits=first(3))(1))


def test_an_executor_may_be_named_by_a_call(scheduler):
    """The name is evaluated like any option."""
    assert scheduler.run(first.options(executor=first("default"))(1)) == 1
    with pytest.raises(Exception, match='Unknown executor "nowhere"'):
        scheduler.run(first.options(executor=first("nowhere"))(2))


def test_config_args_may_be_named_at_the_call(scheduler, notes):
    """They take the place of those of the definition."""
    call = configured.options(config_args=["x"])
    assert scheduler.run(call(1, "a")) == 1
    assert scheduler.run(call(2, "a")) == 1
    assert notes == ["a"]


def test_a_job_may_change_its_arguments_in_place(scheduler):
    """The other jobs that are handed the same list see what was returned, now and from the cache."""
    expected = [[1, 2, 3, 9], [3, 1, 2], [[3, 1, 2], [3, 1, 2], 9], ([3, 1, 2], {"a": [3, 1, 2]})]
    assert scheduler.run(share_list()) == expected
    assert scheduler.run(share_list()) == expected


def test_a_dataclass_with_a_field_not_set_is_looked_into(scheduler):
    """The field stays unset."""
    made = scheduler.run(make_late())
    assert made.x == 1
    assert not hasattr(made, "late")


@task(version="1")
def write_file(path: str) -> File:
    """Make a file."""
    File(path).write("made")
    return File(path)


@task(version="1")
def size_of(file: File) -> int:
    """Measure a file."""
    Seen.notes.append("size")
    return len(file.read())


@task(version="1")
def measure(path: str) -> int:
    """Make a file and measure it."""
    return size_of(write_file(path))


@pytest.mark.parametrize(("check_valid", "times"), [("full", 2), ("shallow", 1)])
def test_a_shallow_check_asks_only_for_files_in_the_result(scheduler, notes, tmp_path, check_valid, times):
    """With the full check a file below that something else has changed makes its job run again."""
    path = tmp_path / "file"
    call = measure.options(check_valid=check_valid)
    assert scheduler.run(call(str(path))) == 4
    Path(path).write_text("changed by hand")
    assert scheduler.run(call(str(path))) == 4
    assert notes == ["size"]
    assert path.read_text() == ("made" if times == 2 else "changed by hand")


def test_a_partial_task_has_one_key_before_and_after_its_calls_ran(scheduler):
    """What the scheduler notes on an expression is no part of a value that holds it."""
    call = first(1)
    partial = with_default.partial(call)
    before = encode_value(partial).oid
    scheduler.run(call)
    assert call.call_hash is not None
    assert encode_value(partial).oid == before
