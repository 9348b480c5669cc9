"""Constants and the code inside them."""

from __future__ import annotations

import functools
import math
import threading
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from redun.task import task
from redun.task.constants import Examiner, hash_constant, holds_absolute_path


@dataclass
class Point:
    x: int
    label: object = None


def func():
    return 1


def examine(value):
    noted = []

    def note(thing):
        noted.append(thing)
        return getattr(thing, "__name__", "thing")

    return Examiner(note, lambda cls: cls is Point).examine(value), noted


@pytest.mark.parametrize(
    "value",
    [
        1,
        "a",
        None,
        [1, [2, {"k": (3,)}]],
        {1, 2},
        date(2020, 1, 1),
        Decimal(1),
        Path("a"),
        {date(2020, 1, 1)},
        range(3),
    ],
)
def test_plain_values_are_their_own_skeleton(value):
    """Nothing is copied, and no code is found."""
    skeleton, noted = examine(value)
    assert skeleton.is_plain
    assert skeleton.value is value
    assert noted == []
    assert hash_constant(value) is not None


@pytest.mark.parametrize("value", [threading.Lock(), [threading.Lock()], {"k": object()}, iter([])])
def test_values_without_a_form_have_no_skeleton(value):
    """Neither have containers of such."""
    assert not examine(value)[0].is_plain


def test_a_value_that_holds_itself_has_no_skeleton():
    """The walk ends."""
    loop = []
    loop.append(loop)
    assert not examine(loop)[0].is_plain


def test_code_is_replaced_by_its_name():
    """Where a function stands in a table counts, and what it is called."""
    skeleton, noted = examine({"a": func, "b": [math.sin, functools.partial(func, 1)]})
    assert noted == [func, math.sin, func]
    assert skeleton.value == ["dict", "a", "b", "<func>", ["list", "<sin>", ["partial", "<func>", [1], {}]]]
    assert examine(Point(1, func))[0].value == ["Point", "x", 1, "label", "<func>"]
    assert examine({func, math.sin})[0].value == ["set", "<func>", "<sin>"]


def test_the_class_of_an_instance_is_noted():
    """A method may change what a constant does; its value stays a value."""
    skeleton, noted = examine([Point(1)])
    assert skeleton.is_plain
    assert noted == [Point]


def test_a_bound_method_is_its_function_and_its_instance():
    """Here the instance has a form; its class is noted."""
    skeleton, noted = examine("text".upper)
    assert noted == ["text".upper]
    assert skeleton.is_plain


def test_a_task_is_named():
    """It is judged on its own."""

    @task(version="1")
    def main():
        return 1

    skeleton, noted = examine([main, main.options(memory=1)])
    assert skeleton.value == ["list", ["task", "main"], ["task", "main", {"memory": 1}, {}]]
    assert noted == []


def test_what_takes_a_pickle_has_no_hash():
    """A pickle is no identity."""
    assert hash_constant(Examiner) is not None
    assert hash_constant(threading.Lock()) is None
    assert hash_constant(object()) is None


@pytest.mark.parametrize(
    ("value", "is_absolute"),
    [("/a/b", True), ("a/b", False), ([{"k": (Path("/a"),)}], True), ({"/a": 1}, True), (3, False), ("", False)],
)
def test_absolute_paths_are_seen_inside_containers(value, is_absolute):
    """As texts or as paths, as keys too."""
    assert holds_absolute_path(value) is is_absolute
