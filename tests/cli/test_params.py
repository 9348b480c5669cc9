"""Words of a command line become arguments by the signature of the task."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime
from enum import Enum
from typing import Any, Generic, Optional, TypeVar

import pytest

from redun import File
from redun.cli.params import BadArguments, help_of, parse_arguments, usage_of
from redun.task.task import Task

T = TypeVar("T")


class Color(Enum):
    RED = 1
    BLUE = 2


class Crate(Generic[T]):
    pass


def parse(func, *words):
    """Return the arguments that words give for a function as a task."""
    return parse_arguments(Task(func, namespace="n"), words)


def one(annotation, *words):
    """Return what the words after ``--x`` give for a parameter of a type."""

    def func(x):
        return x

    func.__annotations__ = {"x": annotation}
    return parse(func, "--x", *words)["x"]


@pytest.mark.parametrize(
    ("annotation", "words", "value"),
    [
        (Any, ["1"], "1"),
        (str, [""], ""),
        (str, ["--"], "--"),
        (T, ["1"], "1"),
        (int, ["-3"], -3),
        (float, ["1e3"], 1000.0),
        (bool, ["True"], True),
        (bool, ["false"], False),
        (Color, ["RED"], Color.RED),
        (Color, ["Color.BLUE"], Color.BLUE),
        (date, ["2020-01-02"], date(2020, 1, 2)),
        (datetime, ["2020-01-02T03:04:05"], datetime(2020, 1, 2, 3, 4, 5)),
        (Optional[int], ["3"], 3),
        (int | None, ["3"], 3),
        (int | str, ["3"], "3"),
        (list, ["a", "b"], ["a", "b"]),
        (list[int], ["1", "2"], [1, 2]),
        (list[Optional[int]], ["1"], [1]),
        (Optional[list[int]], ["1"], [1]),
        (Callable, ["math.floor"], math.floor),
        (Callable[[float], int], ["math.ceil"], math.ceil),
        (File, ["a.txt"], File("a.txt")),
        ("Undefined", ["1"], "1"),
    ],
    ids=str,
)
def test_the_annotation_says_how_a_word_is_read(annotation, words, value):
    """What has no annotation, or one that means nothing here, is text."""
    found = one(annotation, *words)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("annotation", "words", "message"),
    [
        (int, ["x"], "expected a value of type int, found 'x'"),
        (bool, ["yes"], "expected true or false, found 'yes'"),
        (Color, ["GREEN"], "expected one of RED, BLUE, found 'GREEN'"),
        (int, [], "expected one value, found 0"),
        (int, ["1", "2"], "expected one value, found 2"),
        (list[int], [], "expected one or more values, found none"),
        (Callable, ["math.nothing"], "no attribute 'nothing'"),
        (Callable, ["no.such.module"], "No module named"),
        (Callable, ["floor"], "Empty module name"),
        (Crate[int], ["1"], "cannot be given on the command line"),
    ],
    ids=str,
)
def test_a_word_that_does_not_fit_is_refused_with_usage(annotation, words, message):
    """The error names the argument and what was found; its hint is the usage."""
    with pytest.raises(BadArguments, match=message) as caught:
        one(annotation, *words)
    assert str(caught.value).startswith("--x")
    assert caught.value.hint == caught.value.usage


def test_names_are_written_with_dashes_or_underscores():
    """A value may stand behind an equals sign, too."""

    def func(long_name: int, other_name: str = ""):
        return long_name, other_name

    assert parse(func, "--long-name", "1", "--other_name=a=b") == {"long_name": 1, "other_name": "a=b"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["1"], "expected --name before '1'"),
        (["--z", "1"], "n.func has no argument --z"),
        (["--x", "1", "--x", "2"], "--x is given twice"),
        ([], "n.func needs --x"),
    ],
)
def test_words_that_fit_no_signature_are_refused(words, message):
    """Whatever is too much, unknown, twice or missing is named."""

    def func(x, y=1, *rest, **more):
        return x, y, rest, more

    with pytest.raises(BadArguments, match=message):
        parse(func, *words)


def test_help_tells_arguments_their_types_and_defaults():
    """The docstring stands above them; variadic parameters cannot be given and are left out."""

    def func(x: int, names: list[str] = ["a"], color: Color = Color.RED, *rest: int):  # noqa: B006
        """Do it.

        In full.
        """
        return x, names, color, rest

    task = Task(func, namespace="n")
    assert usage_of(task) == "usage: redun run SCRIPT func --x INT [--names TEXT...] [--color {RED,BLUE}]"
    text = help_of(task)
    assert "n.func\n\n  Do it.\n\n  In full.\n\nArguments:\n  --x INT  (required)\n" in text
    assert "  --names TEXT...  (default ['a'])" in text


def test_help_of_a_task_without_arguments_says_so():
    """There is no empty list."""
    assert help_of(Task(lambda: 1, name="bare", namespace="n")).endswith("Arguments:\n  none")
