"""The code of what a task is given counts, though the task names its class nowhere."""

from __future__ import annotations

import importlib
import sys

import pytest

from redun import Scheduler
from redun.store.memory import MemoryStore
from redun.task import get_task_registry

MODULE = """
import enum
from dataclasses import dataclass
from typing import NamedTuple

from redun import task
from redun.value import Value

redun_namespace = "test_salt"


class Base:
    def read(self):
        return "first"


@dataclass
class Data(Base):
    x: int


class Pair(NamedTuple):
    x: int

    read = Base.read


class Choice(Base, enum.Enum):
    ONE = 1


class Plain(Base):
    def __init__(self, x):
        self.x = x


class Own(Base, Value):
    def __init__(self, x):
        self.x = x

    def __getstate__(self):
        return {"x": self.x}


class Failure(Base, Exception):
    pass


MAKERS = {
    "data": lambda: Data(1),
    "pair": lambda: Pair(1),
    "choice": lambda: Choice.ONE,
    "plain": lambda: Plain(1),
    "own": lambda: Own(1),
    "failure": lambda: Failure(1),
    "nested": lambda: {"a": [Plain([Data(1)]).x[0]]}["a"][0],
    "held": lambda: Plain(Own(Plain(1))).x.x,
}


@task()
def make(kind):
    return MAKERS[kind]()


@task(version="1")
def make_versioned(kind):
    return MAKERS[kind]()


@task()
def read(thing):
    return thing.read()


@task(version="1")
def read_versioned(thing):
    return thing.read()


@task()
def main(kind):
    return read(make(kind))


@task()
def main_versioned(kind):
    return [read(make_versioned(kind)), make_versioned(kind).read(), read_versioned(make_versioned(kind))]
"""
KINDS = ["data", "pair", "choice", "plain", "own", "failure", "nested", "held"]


@pytest.fixture
def load(tmp_path):
    """Import the module with what its classes read."""
    states = iter(range(10))

    def load(says):
        folder = tmp_path / str(next(states))
        folder.mkdir()
        (folder / "salted.py").write_text(MODULE.replace('"first"', repr(says)))
        sys.modules.pop("salted", None)
        sys.path[0] = str(folder)
        importlib.invalidate_caches()
        return importlib.import_module("salted")

    sys.path.insert(0, str(tmp_path))
    with get_task_registry().isolated():
        yield load
    sys.modules.pop("salted", None)
    del sys.path[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_runs_again_when_the_code_of_an_argument_changed(load, kind):
    """Whatever sort of object it is: a dataclass, a named tuple, an enum, a Value, a pickle."""
    store = MemoryStore()
    assert Scheduler(backend=store).run(load("first").main(kind)) == "first"
    assert Scheduler(backend=store).run(load("second").main(kind)) == "second"


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_versioned_task_returned_is_asked_each_time(load, kind):
    """Its version hides the class from the summary; but a version stands for all code that its own task uses."""
    store = MemoryStore()
    assert Scheduler(backend=store).run(load("first").main_versioned(kind)) == ["first"] * 3
    assert Scheduler(backend=store).run(load("second").main_versioned(kind)) == ["second", "second", "first"]


def test_unchanged_classes_change_nothing(load):
    """Nothing runs again when the module is imported from another folder."""
    store, lines = MemoryStore(), []
    logger = type("Lines", (), {"info": lines.append, "warning": lines.append})()
    for runs in (3, 0):
        lines.clear()
        assert Scheduler(backend=store, logger=logger).run(load("first").main("held")) == "first"
        assert sum(line.startswith("Run ") for line in lines) == runs


def test_a_value_given_from_outside_counts_too(load):
    """The root call is a call like any other."""
    store = MemoryStore()
    for says in ("first", "second"):
        module = load(says)
        assert Scheduler(backend=store).run(module.read([module.Data(1)][0])) == says
