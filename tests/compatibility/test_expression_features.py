"""Lazy expressions and forms, end to end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import pytest

from redun import Scheduler, catch, cond, task, throw
from redun.expression import quote
from redun.functools import compose, const, delay, eval_, flat_map, flatten, force, identity, map_, seq, starmap, zip_
from redun.promise import Promise, wait_promises

redun_namespace = "compat_expressions"


class Pair(NamedTuple):
    left: object
    right: object


@dataclass
class Box:
    content: object
    size: object = field(init=False, default=0)


class Names(list):
    """Not a list to redun: nobody knows what its constructor takes."""


@task(version="1")
def give(x):
    return x


@task(version="1")
def add(a, b=10):
    return a + b


@task(version="1")
def split(x):
    return [x, x + 1]


@task(version="1")
def fail(text):
    raise ValueError(text)


@task(version="1")
def boxed(x):
    box = Box(give(x))
    box.size = give(x + 1)
    return box


OPERATIONS = {
    "==": (lambda a, b: a == b, False),
    "!=": (lambda a, b: a != b, True),
    "<": (lambda a, b: a < b, False),
    "<=": (lambda a, b: a <= b, False),
    ">": (lambda a, b: a > b, True),
    ">=": (lambda a, b: a >= b, True),
    "+": (lambda a, b: a + b, 9),
    "-": (lambda a, b: a - b, 3),
    "*": (lambda a, b: a * b, 18),
    "/": (lambda a, b: a / b, 2.0),
    "and": (lambda a, b: (a > 0) & (b > 10), False),
    "or": (lambda a, b: (a > 0) | (b > 10), True),
}


@pytest.mark.parametrize("symbol", OPERATIONS)
def test_operators_of_two_calls(symbol):
    """Each operator of the language computes what Python computes."""
    operation, value = OPERATIONS[symbol]
    assert Scheduler().run(operation(give(6), give(3))) == value


def test_operators_with_the_call_on_the_right():
    """``+ - * /`` and ``& |`` work with a value on the left."""
    run = Scheduler().run
    assert run([1 + give(2), 1 - give(2), 3 * give(2), 1 / give(2)]) == [3, -1, 6, 0.5]
    assert run([True & give(0), False | give(5)]) == [0, 5]


def test_parts_of_values_to_come():
    """Attributes, items, slices of known length and calls of a value that is not there yet."""
    run = Scheduler().run
    assert run(give("ab").upper()) == "AB"
    assert run(give({"k": [1, 2]})["k"][1]) == 2
    assert run(give(Pair(1, 2)).right) == 2
    first, second = give.options(nout=2)([1, 2])
    assert run(first + second) == 3


def test_what_an_expression_cannot_do_is_told_with_the_way_out():
    """As a condition, in a loop of unknown length: a TypeError that names the task."""
    with pytest.raises(TypeError, match=r"compat_expressions\.give"):
        bool(give(1))
    with pytest.raises(TypeError, match=r"compat_expressions\.give"):
        list(give([1]))


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (lambda: [give(1), (give(2), 3)], [1, (2, 3)]),
        (lambda: {give("k"): give(1)}, {"k": 1}),
        (lambda: {give(1), give(2)}, {1, 2}),
        (lambda: Pair(give(1), [give(2)]), Pair(1, [2])),
    ],
    ids=["list", "dict", "set", "namedtuple"],
)
def test_calls_are_found_in_containers(make, value):
    """In results and in arguments, and the container keeps its type."""
    assert Scheduler().run(make()) == value
    assert Scheduler().run(give(make())) == value
    assert type(Scheduler().run(make())) is type(value)


def test_calls_are_found_in_dataclasses():
    """Also in fields that the constructor does not take."""
    box = Scheduler().run(boxed(1))
    assert (type(box), box.content, box.size) == (Box, 1, 2)


def test_subclasses_of_containers_are_leaves():
    """A subclass of list is handed on as it is."""
    names = Names([1])
    assert Scheduler().run(names) is names


def test_cond_takes_one_branch():
    """``cond`` is if, elif, else."""

    @task(version="1")
    def grade(x):
        return cond(x > 10, "high", x > 5, give("middle"), throw(ValueError("low")))

    assert [Scheduler().run(grade(x)) for x in (11, 6)] == ["high", "middle"]
    with pytest.raises(ValueError, match="low"):
        Scheduler().run(grade(1))


def test_catch_hands_the_error_to_its_handler():
    """The first pair that fits counts; an error that none takes goes on."""

    @task(version="1")
    def tell(error):
        return str(error)

    run = Scheduler().run
    assert run(catch(fail("x"), KeyError, give, (ValueError, OSError), tell)) == "x"
    with pytest.raises(ValueError, match="y"):
        run(catch(fail("y"), KeyError, give))


def test_functools_do_as_named():
    """Each of ``redun.functools`` on a small case."""
    run = Scheduler().run
    assert run(seq([give(1), give(2)])) == [1, 2]
    assert run(map_(add.partial(1), give([1, 2]))) == [2, 3]
    assert run(map_(add.partial(b=2), map_(add, [1, 2]))) == [13, 14]
    assert run(starmap(add, [{"a": 1}, {"a": 1, "b": 1}])) == [11, 2]
    assert run(flat_map(split, [1, 5])) == [1, 2, 5, 6]
    assert run(flatten([[give(1)], [2, 3]])) == [1, 2, 3]
    assert run(zip_(give([1, 2]), [3, 4])) == [(1, 3), (2, 4)]
    assert run(compose(split, add)(1)) == [11, 12]
    assert run([force(delay(give(3))), identity(give(4)), const(5, give(6))]) == [3, 4, 5]
    assert run(eval_("a + b", a=give(1), b=2)) == 3


def test_a_quoted_expression_is_a_plain_value():
    """``quote(expr)`` passes through tasks unevaluated; ``.eval()`` gives the expression back."""

    @task(version="1")
    def unquote(quoted):
        return quoted.eval()

    assert Scheduler().run(unquote(quote(give(1) + 1))) == 2


def test_promises_resolve_and_reject():
    """``then``, ``catch``, ``all`` and ``wait_promises``, as in JavaScript but at once."""
    first, second = Promise(), Promise()
    both = Promise.all([first, second]).then(sum)
    assert both.is_pending
    first.do_resolve(1)
    second.do_resolve(2)
    assert both.is_fulfilled
    assert both.value == 3
    failed = Promise()
    failed.do_reject(ValueError("no"))
    assert failed.is_rejected
    assert failed.catch(str).value == "no"
    done = []
    wait_promises([both, failed]).then(done.append)
    assert len(done) == 1
