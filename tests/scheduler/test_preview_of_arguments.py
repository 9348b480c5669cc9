"""What the run's log shows of a value is short, cheap and never an error."""

from __future__ import annotations

import pytest

from redun import task
from redun.scheduler.preview import MAX_CHARS, format_arguments, message_of, preview


@task(version="1", namespace="test_preview")
def echo(value, x):
    """Return the first argument."""
    return value


class Refusing:
    def __repr__(self):
        raise RuntimeError("no")


class Leaving:
    def __repr__(self):
        raise SystemExit(1)


class Mute(Exception):
    def __str__(self):
        raise ValueError("no words")


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -1,
        1.5,
        "it's",
        b"x",
        (1,),
        (1, 2),
        (),
        [],
        {},
        set(),
        {1},
        frozenset(),
        frozenset({1}),
        {"a": [{"b": ()}]},
        Exception("x"),
    ],
    ids=repr,
)
def test_a_small_value_is_shown_as_python_writes_it(value):
    """Nothing is cut and nothing is added."""
    assert preview(value) == repr(value)


@pytest.mark.parametrize(
    "value",
    ["x" * 10_000, b"x" * 10_000, bytearray(10_000), 10**2_000, list(range(10_000)), {n: n for n in range(10_000)}],
    ids=lambda value: type(value).__name__,
)
def test_a_large_value_is_cut(value):
    """The text is about as long as allowed, begins as the value does, and says that there is more."""
    text = preview(value)
    assert len(text) <= MAX_CHARS + 10
    assert "..." in text
    assert text[:8] == repr(value)[:8]


def test_an_integer_that_python_refuses_to_write_is_no_error():
    """Some thousand digits are too many for it."""
    assert preview(10**10_000) == preview([10**10_000])[1:-1]


def test_deep_nesting_is_cut():
    """A cycle, too, which would otherwise have no end."""
    cycle = []
    cycle.append(cycle)
    assert preview(cycle) == "[[[[...]]]]"
    assert preview([[[[[1]]]]]) == "[[[[...]]]]"


def test_a_value_whose_repr_raises_is_named_by_its_type():
    """Alone and within another; whatever it raises."""
    assert preview(Refusing()) == "<Refusing whose repr raises RuntimeError>"
    assert preview([Leaving(), 1]) == "[<Leaving whose repr raises SystemExit>, 1]"


def test_an_error_whose_message_raises_is_named_by_its_type():
    """The error itself is what matters."""
    assert message_of(Mute()) == "<Mute whose message raises ValueError>"
    assert message_of(KeyError("x")) == "'x'"


def test_arguments_are_written_as_they_would_be_typed():
    """By name; those of ``*args``, which have a number for a name, without."""
    assert format_arguments(["x", 0, "y"], [1, "a", [2]]) == "x=1, 'a', y=[2]"


class Counting:
    """Counts how often it is shown."""

    n_shown = 0

    def __repr__(self):
        Counting.n_shown += 1
        return "counted"


def test_what_is_behind_the_cut_is_not_looked_at():
    """Forty lists of forty lists of forty would be 64 000 texts."""
    nested = [[[Counting()] * 40 for _ in range(40)] for _ in range(40)]
    assert preview(nested).endswith("...")
    assert Counting.n_shown < MAX_CHARS


def test_an_expression_is_shown_with_a_bound():
    """A part that stands in many places would be written as often: forty doublings are a million million texts."""
    call = echo(1, x=[2])
    assert preview(call) == "test_preview.echo(1, x=[2])"
    doubled = call
    for _ in range(40):
        doubled = doubled + doubled
    assert len(preview([doubled])) <= MAX_CHARS


def test_a_value_of_several_lines_is_shown_in_one():
    """The repr of a table, or of an array, stays in the line of its job."""

    class Table:
        def __repr__(self):
            return "   city  people\n0   Ulm      128"

    assert preview([Table()]) == "[city people 0 Ulm 128]"
    assert preview(["a\nb"]) == r"['a\nb']"
