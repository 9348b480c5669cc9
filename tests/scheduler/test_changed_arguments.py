"""Arguments that change while a job runs: warned of, named, and nothing made of them serves."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np
import pytest

from redun import File, Scheduler, task
from redun.objects.execution_records import JobsRecord, JobStatus
from redun.objects.kinds import Kind
from redun.scheduler.changed_arguments import MAX_BYTES, watch_arguments
from redun.store.memory import MemoryStore
from redun.testing.lines import Lines
from redun.value.encoding import encode_value
from redun.value.value import Value

redun_namespace = "test_changed_arguments"


class World:
    """What ran; reached through attributes, so no part of a task's hash."""

    ran: list = []


@pytest.fixture(autouse=True)
def ran():
    """What ran in this test."""
    World.ran = []
    return World.ran


class Model:
    """An object of a user's class."""

    def __init__(self, weights):
        self.weights = weights


class Settings(Value):
    """A user's Value."""

    def __init__(self, name):
        self.name = name


@dataclass
class Sample:
    """A container of the language, which each job gets its own of."""

    counts: list = field(default_factory=list)
    data: object = None


@task(version="1")
def change(thing, how: str):
    """Change what was given, in one of several ways."""
    World.ran.append("change")
    if how == "array":
        thing[0] = 99
    elif how == "model":
        thing.weights.append(4)
    elif how == "name":
        thing.name = "other"
    elif how == "within":
        thing["deep"][0].data[0] = 99
    elif how == "own":
        thing.counts.append(1)
    elif how == "spoil":
        thing.weights = (n for n in range(2))
    return "done"


@task(version="1")
def look(thing):
    """Only look."""
    World.ran.append("look")
    return str(thing)


@task(version="1")
def main(how: str):
    """Hand an object to a call."""
    World.ran.append("main")
    things = {
        "array": np.arange(3),
        "model": Model([1]),
        "spoil": Model([1]),
        "name": Settings("one"),
        "within": {"deep": [Sample(data=np.arange(3))]},
        "own": Sample(),
        "none": np.arange(3),
    }
    return [change(things[how], how)]


def run(store, expression):
    """Run, and return the warnings of arguments."""
    log = Lines()
    Scheduler(backend=store, logger=log).run(expression)
    return log.with_word("warning: argument")


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("array", "numpy.ndarray"),
        ("model", "test_changed_arguments.Model"),
        ("spoil", "test_changed_arguments.Model"),
        ("name", "test_changed_arguments.Settings"),
        ("within", "numpy.ndarray"),
    ],
)
def test_a_job_that_changes_what_others_hold_is_warned_of_and_not_reused(ran, how, kind):
    """The warning names argument, class and task; the result is recorded, and serves nobody, nor does one above."""
    store = MemoryStore()
    (line,) = run(store, main(how))
    assert line.startswith("warning: argument thing (")
    assert f"{kind}) changed while the job ran" in line
    assert line.endswith(" test_changed_arguments.change")
    rows = [row for oid, _ in store.iter_oids(Kind.JOBS) for row in JobsRecord.decode(store.get_node(oid)).rows]
    assert [row.status for row in rows if row.task.endswith("change")] == [JobStatus.UNSURE]
    assert len(run(store, main(how))) == 1
    assert ran.count("change") == 2
    assert ran.count("main") == 1


@pytest.mark.parametrize("how", ["own", "none"])
def test_what_is_its_own_or_stays_hinders_nothing(ran, how):
    """A job may do with its own containers as it likes; and an array that is only read stays as it was."""
    store = MemoryStore()
    assert run(store, main(how)) == []
    assert run(store, main(how)) == []
    assert ran == ["main", "change"]


@task(version="1")
def share():
    """Hand one array to a call that changes it and to one that looks, which runs after it."""
    array = np.arange(3)
    return [look_after(array, change(array, "array"))]


@task(version="1")
def look_after(thing, done):
    """Look at what another job may have changed."""
    World.ran.append("look_after")
    return str(thing)


@task(version="1", retries=1, retry_backoff=0)
def change_and_fail(thing):
    """Change what was given and fail, the first time."""
    World.ran.append("fail")
    if len(World.ran) == 1:
        thing[0] = 99
        raise OSError("first time")
    return str(thing)


def test_a_second_attempt_that_finds_the_change_of_the_first_is_unsure(ran):
    """It was asked with the array as it was, and saw another."""
    store = MemoryStore()
    assert len(run(store, change_and_fail(np.arange(3)))) == 1
    run(store, change_and_fail(np.arange(3)))
    assert len(ran) == 3


def test_a_job_whose_argument_another_job_changed_is_not_reused(ran):
    """It was keyed with what the array was by then, and the next run asks with what it was at first."""
    store = MemoryStore()
    assert len(run(store, share())) == 1
    assert len(run(store, share())) == 1
    assert ran.count("change") == 2


def watched(value):
    """Return whether an argument is watched."""
    return watch_arguments([("x", value)], [encode_value(value)]) is not None


def test_only_what_may_change_and_is_cheap_is_looked_at_again(tmp_path):
    """Numbers and texts never change, containers are copied, files are judged by their content."""
    path = tmp_path / "f"
    path.write_text("x")
    for value in (1, [1], {"a": (1, "b")}, dt.date(2020, 1, 1), bytearray(b"x"), File(str(path)), look, len):
        assert not watched(value)
    assert not watched([np.arange(3), File(str(path))])
    assert watched([np.arange(3)])
    assert watched(Model(1))
    assert not watched(np.zeros(MAX_BYTES // 8 + 1))
    assert watched(np.zeros(MAX_BYTES // 16))
