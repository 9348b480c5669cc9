"""Words of a command line become arguments by the signature of the task."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, Generic, Literal, Optional, TypeVar

import pytest

from redun import File
from redun.cli.params import (
    BadArguments,
    bind_input,
    bind_recorded,
    make_call,
    metavar_of,
    parameters_of,
    parse_arguments,
    usage_of,
)
from redun.task.task import Task

T = TypeVar("T")


class Color(Enum):
    RED = 1
    BLUE = 2


@dataclass
class Point:
    x: int


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
        (int | str, ["3"], 3),
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
        (int, [], "expected one value, found none"),
        (int, ["1", "2"], "expected one value, found 2"),
        (list[int], [], "expected one or more values, found none"),
        (Callable, ["math.nothing"], "expected a function as module.function, found 'math.nothing'"),
        (Callable, ["floor"], "expected a function as module.function"),
        (Crate[int], ["1"], "expected a value of type Crate"),
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
        (["--xx", "1"], "n.func has no argument --xx; did you mean --x?"),
        (["--no-cache"], "options of the command itself stand before SCRIPT"),
        (["--x", "1", "--x", "2"], "--x is given twice"),
        ([], "n.func needs --x"),
    ],
)
def test_words_that_fit_no_signature_are_refused(words, message):
    """Whatever is too much, unknown, twice or missing is named."""

    def func(x, y=1, *rest, **more):
        return x, y, rest, more

    task = Task(func, namespace="n")
    with pytest.raises(BadArguments, match=re.escape(message)):
        make_call(task, parse_arguments(task, words, reserved={"--no-cache"}))


def test_an_annotation_written_as_text_is_evaluated():
    """One that cannot be is read as text, and the others stand."""

    def func(a: int, b: Nowhere, c: list[Color]):  # noqa: F821
        return a, b, c

    assert parse(func, "--a", "1", "--b", "2", "--c", "RED") == {"a": 1, "b": "2", "c": [Color.RED]}


class JobInfo:
    """Stands for what the scheduler fills in."""


JobInfo.__module__ = "redun.scheduler"


def test_what_cannot_be_given_is_not_listed():
    """Variadic parameters, and what the scheduler fills in."""

    def func(x: int, info=JobInfo(), *rest: int, **more: int):  # noqa: B008
        return x, info, rest, more

    assert [parameter.flag for parameter in parameters_of(Task(func, namespace="n"))] == ["--x"]


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (Any, "TEXT"),
        (int, "INT"),
        (bool, "{true,false}"),
        (Color, "{RED,BLUE}"),
        (Literal["a", 2], "{a,2}"),
        (Optional[File], "FILE"),
        (int | str, "INT|TEXT"),
        (list[int], "INT..."),
        (tuple[int, str], "INT TEXT"),
        (dict[str, File], "KEY=FILE..."),
        (Point, "JSON"),
        (Callable[[int], int], "MODULE.FUNCTION"),
    ],
    ids=str,
)
def test_the_usage_says_what_a_value_looks_like(annotation, text):
    """Choices are listed."""
    assert metavar_of(annotation) == text


def test_the_usage_is_the_signature():
    """What has a default stands in brackets; dashes are for underscores."""

    def func(long_name: int, color: Color = Color.RED):
        return long_name, color

    expected = "usage: redun run SCRIPT func --long-name INT [--color {RED,BLUE}]"
    assert usage_of(Task(func, namespace="n")) == expected


def gather(a, b=2, /, c=3, *items, d=4, **more):
    """Take arguments of every kind."""
    return a, b, c, items, d, more


def called(arguments):
    """Return positional and named arguments of the call that arguments by parameter make."""
    expression = make_call(Task(gather, namespace="n"), arguments)
    return expression.args, expression.kwargs


@pytest.mark.parametrize(
    ("args", "named"),
    [((1,), {}), ((1, 5, 6, 7, 8), {"d": 9, "e": 10}), ((1,), {"c": 5, "d": 6})],
)
def test_arguments_from_elsewhere_reach_the_parameters_that_they_were_for(args, named):
    """By position, by name, as items and as novel names."""
    found_args, found_named = called(bind_input(Task(gather, namespace="n"), args, named))
    assert gather(*found_args, **found_named) == gather(*args, **named)


def test_recorded_arguments_are_by_name_but_for_items():
    """A record without one that is not hashed leaves it to its default."""
    task = Task(gather, namespace="n")
    found = bind_recorded(task, [7, 8], {"a": 1, "c": 5, "e": 10})
    args, named = called(found)
    assert gather(*args, **named) == (1, 2, 5, (7, 8), 4, {"e": 10})
    with pytest.raises(BadArguments, match="takes no x any more"):
        bind_recorded(Task(lambda a: a, name="other", namespace="n"), [], {"a": 1, "x": 2})
    with pytest.raises(BadArguments, match="does not take these arguments"):
        bind_input(Task(lambda a: a, name="other", namespace="n"), [1, 2], {})
