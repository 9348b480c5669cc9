"""The lazy language."""

from __future__ import annotations

import copy
import operator
import pickle
from dataclasses import dataclass

import pytest

from redun import Scheduler, operators, task
from redun.expression import (
    ApplyExpression,
    Expression,
    SchedulerExpression,
    SimpleExpression,
    TaskExpression,
    Unevaluated,
    ValueExpression,
    get_lazy_operation,
    iter_task_names,
    lazy_operation,
)
from redun.operators import UnknownOperation, get_operation
from redun.store.memory import MemoryStore
from redun.value.value import Value


def call(*args, length=None, **kwargs):
    """Make a call of a task that need not exist."""
    return TaskExpression("ns.f", args, kwargs, length=length)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (call(1, x=2), "ns.f(1, x=2)"),
        (call() + 1, "(ns.f() + 1)"),
        (1 - call(), "(1 - ns.f())"),
        (call() == call(), "(ns.f() == ns.f())"),
        (call() & True, "(ns.f() & True)"),
        (call()["k"], "ns.f()['k']"),
        (call()[1:], "ns.f()[1:]"),
        (call()[:4:2], "ns.f()[:4:2]"),
        (call().attr, "ns.f().attr"),
        (call().method(1, y=2), "ns.f().method(1, y=2)"),
        (ValueExpression(3), "ValueExpression(3)"),
    ],
)
def test_an_expression_shows_as_it_was_written(expression, text):
    """The repr of an expression is the code that builds it."""
    assert repr(expression) == text


UNSUPPORTED = {
    "floor division": lambda it: it // 2,
    "modulo": lambda it: it % 2,
    "power": lambda it: it**2,
    "matrix product": lambda it: it @ it,
    "inversion": lambda it: ~it,
    "minus": lambda it: -it,
    "plus": lambda it: +it,
    "not": lambda it: not it,
    "and": lambda it: it and 1,
    "if": lambda it: 1 if it else 2,
    "in": lambda it: 2 in it,
    "length": len,
    "abs": abs,
    "int": int,
    "shift": lambda it: it << 1,
    "xor": lambda it: it ^ 1,
    "for": lambda it: dict.fromkeys(it, 1),
    "star": lambda it: [*it],
    "sum": sum,
    "index": lambda it: [1, 2][it],
    "assignment": lambda it: exec("it[0] = 1", {"it": it}),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_only_a_value_has_is_refused_with_a_type_error(name):
    """Python would otherwise take the expression for the value, and go on with nonsense."""
    with pytest.raises(TypeError):
        UNSUPPORTED[name](call(1))


@pytest.mark.parametrize(
    ("name", "way_out"),
    [("if", "redun.cond"), ("not", "redun.cond"), ("for", "map_"), ("sum", "nout=N"), ("in", "in a task")],
)
def test_a_refusal_names_the_task_and_the_ways_out(name, way_out):
    """A task that takes it, a form, or await; the name stands there also when the expression is too long to show."""
    for lazy in (call(1), call(list(range(1000)))["key"] + 1, deep_chain(30)):
        with pytest.raises(Unevaluated) as caught:
            UNSUPPORTED[name](lazy)
        message = str(caught.value)
        assert "ns.f" in message
        assert way_out in message
        assert "await it" in message
        assert len(message) < 600
    assert str(pickle.loads(pickle.dumps(caught.value))) == message


def deep_chain(depth):
    """Nest operations."""
    lazy = call()
    for _ in range(depth):
        lazy = 1 + lazy
    return lazy


def test_a_search_is_refused_where_the_length_is_known_too():
    """Else its first comparison would be, with a message about something else."""
    with pytest.raises(Unevaluated, match="cannot be searched"):
        "x" in call(length=2)  # noqa: B015


def test_a_call_with_nout_unpacks_into_items():
    """Unpacking a call of known length gives one item expression for each."""
    first, second = call(length=2)
    assert (repr(first), repr(second)) == ("ns.f()[0]", "ns.f()[1]")


def test_a_slice_of_known_length_is_a_list_of_items():
    """Slices become item expressions where the length is known, and one expression where it is not."""
    assert [repr(item) for item in call(length=3)[1:]] == ["ns.f()[1]", "ns.f()[2]"]
    assert isinstance(call()[1:], SimpleExpression)


def test_a_slice_between_two_places_can_be_unpacked():
    """Its length is known though that of the whole is not; it stays one expression, which is what Python's slice is."""
    first, second = numbers = call()[1:3]
    assert (repr(numbers), repr(first), repr(second)) == ("ns.f()[1:3]", "ns.f()[1:3][0]", "ns.f()[1:3][1]")
    assert len(list(call()[:7:3])) == 3
    assert list(call()[0:0]) == []
    for key in (slice(1, None), slice(-2, 3), slice(0, -1), slice(0, call()), slice(None, None, -1)):
        with pytest.raises(Unevaluated):
            list(call()[key])
    assert Scheduler().run([list(echo([1, 2, 3])[1:3]), echo("text")[1:9]]) == [[2, 3], "ext"]


def test_special_names_are_no_lazy_attributes():
    """Copying and pickling probe for special names; those must not build expressions."""
    with pytest.raises(AttributeError):
        call().__deepcopy__  # noqa: B018
    assert isinstance(copy.copy(call() + 1), SimpleExpression)


def test_a_chain_of_100_000_calls_can_be_shown_and_freed():
    """Depth costs no stack, neither in the repr nor when the chain is dropped."""
    chain = call()
    for _ in range(100_000):
        chain = call(chain)
    assert repr(chain) == "ns.f(...)"
    total = call()
    for _ in range(100_000):
        total += 1
    assert repr(total) == "(... + 1)"


def test_a_part_that_stands_in_many_places_is_looked_at_once():
    """Forty doublings have 2**40 leaves, and one call."""
    total = call()
    for _ in range(40):
        total = total + total
    assert list(iter_task_names(total)) == ["ns.f"]
    assert repr(total) == "(... + ...)"
    with pytest.raises(Unevaluated, match=r"\(\.\.\. \+ \.\.\.\), which calls ns\.f, has no truth value"):
        bool(total)


def test_every_operation_computes_what_its_symbol_says():
    """The reflected forms swap their operands."""
    assert get_operation("sub").func(5, 3) == 2
    assert get_operation("rsub").func(5, 3) == -2
    assert get_operation("and").func(1, 0) == 0
    assert get_operation("ror").func(0, 7) == 7


def test_an_unknown_operation_is_named():
    """A stored expression of another program may hold one."""
    with pytest.raises(UnknownOperation, match="'frobnicate'"):
        get_operation("frobnicate")


def test_the_reflected_form_of_an_operator_is_built_where_the_left_operand_is_a_value():
    """Of + - * / & and |; comparisons turn round."""
    assert [repr(lazy) for lazy in (1 + call(), 1 - call(), 2 * call(), 1 / call(), True & call(), 0 | call())] == [
        "(1 + ns.f())",
        "(1 - ns.f())",
        "(2 * ns.f())",
        "(1 / ns.f())",
        "(True & ns.f())",
        "(0 | ns.f())",
    ]
    assert repr(operator.lt(1, call())) == "(ns.f() > 1)"


@task(namespace="test_expression", version="1")
def echo(value):
    """Return the argument."""
    return value


@dataclass
class Point:
    """Something with attributes and methods."""

    x: int

    def plus(self, other, *, times=1):
        """Add."""
        return self.x + other * times


@pytest.mark.parametrize(
    ("build", "value"),
    [
        (lambda it: [it + 1, 1 + it, it - 1, 1 - it, it * 2, 2 * it, it / 2, 12 / it], [7, 7, 5, -5, 12, 12, 3, 2]),
        (
            lambda it: [it == 6, it != 6, it < 6, it <= 6, it > 6, it >= 6, operator.eq(6, it)],
            [True, False, False, True, False, True, True],
        ),
        (lambda it: [it & 0, it & "b", 0 & it, it | "b", 0 | it, echo(0) | it], [0, "b", 0, 6, 6, 6]),
        (lambda it: echo([1, 2, 3])[1:], [2, 3]),
        (lambda it: echo([1, 2, 3])[echo(0)], 1),
        (lambda it: echo([1, 2, 3, 4])[echo(1) : it - 3], [2, 3]),
        (lambda it: echo.options(nout=3)([1, 2, 3])[echo(1) :], [2, 3]),
        (lambda it: echo({"a": 5})[echo("a")], 5),
        (lambda it: echo(Point(3)).x, 3),
        (lambda it: echo(Point(3)).plus(it, times=2), 15),
        (lambda it: echo(len)([it, it]), 2),
        (lambda it: list(echo.options(nout=2)((it, 7))), [6, 7]),
        (lambda it: echo.options(nout=3)([1, 2, it])[1:], [2, 6]),
        (lambda it: ValueExpression(1) + it, 7),
    ],
)
def test_operations_give_what_python_gives(build, value):
    """Each operator, index, attribute, call, slice and unpacking, evaluated."""
    assert Scheduler().run([build(echo(6))]) == [value]


def test_an_error_in_an_operation_is_raised_by_the_run():
    """As if it had been computed in a task."""
    with pytest.raises(ZeroDivisionError):
        Scheduler().run(1 / echo(0))
    with pytest.raises(KeyError):
        Scheduler().run(echo({})["gone"])


def test_operations_can_be_registered(monkeypatch):
    """lazy_operation makes a function one, and gives expressions the method that builds it."""

    @lazy_operation(method="__mod__", name="test_mod", symbol="%")
    def mod(left, right):
        return left % right

    @lazy_operation(method="__rmod__", name="test_rmod", symbol="%", reverse=True)
    def rmod(right, left):
        return left % right

    @lazy_operation()
    def test_pair(left, right=0):
        return (left, right)

    try:
        lazies = [echo(7) % 4, 7 % echo(4), test_pair(echo(1)), test_pair(1, right=echo(2))]
        assert [repr(lazy) for lazy in lazies] == [
            "(test_expression.echo(7) % 4)",
            "(7 % test_expression.echo(4))",
            "test_pair(test_expression.echo(1))",
            "test_pair(1, right=test_expression.echo(2))",
        ]
        assert Scheduler().run(lazies) == [3, 3, (1, 0), (1, 2)]
        assert get_lazy_operation("test_mod")(7, 4) == 3
        assert get_lazy_operation("test_gone") is None
    finally:
        del Expression.__mod__, Expression.__rmod__


def test_the_classes_tell_what_an_expression_is():
    """Calls and operations are applications; calls of scheduler tasks are calls; all are expressions."""
    assert isinstance(call(), ApplyExpression)
    assert isinstance(call() + 1, ApplyExpression)
    assert not isinstance(ValueExpression(1), ApplyExpression)
    assert issubclass(SchedulerExpression, TaskExpression)
    assert issubclass(ValueExpression, Expression)
    assert SimpleExpression("neg").args == ()


class Fading(Value):
    """A value that has had its time."""

    def is_valid(self):
        return False


def test_an_expression_is_valid_while_its_tasks_are_defined_and_its_values_valid():
    """At any depth."""
    assert echo([echo(1), {"a": Point(1)}]).is_valid()
    assert not echo([echo(1), {"a": Fading()}]).is_valid()
    assert not echo(call()).is_valid()
    assert not echo([call() + 1]).is_valid()
    assert not TaskExpression("test_expression.echo", (1,), {}, {"limits": call()}).is_valid()
    assert list(iter_task_names([echo(call(echo(1)))])) == ["test_expression.echo", "ns.f", "test_expression.echo"]


RAN: list = []
FACTOR = [2]


@lazy_operation(name="test_scale")
def scale(value):
    """Multiply by what no hash covers."""
    return value * FACTOR[0]


@task(namespace="test_expression", version="1")
def scaled(value):
    """Return an operation of a user's own."""
    RAN.append(value)
    return scale(echo(value))


@task(namespace="test_expression", version="1")
def above_scaled(value):
    """Stand above it."""
    return [scaled(value)]


def test_a_users_operation_is_computed_anew_in_each_run():
    """No hash covers its code, so a call above it is not reused in one step, and nothing runs again either."""
    store = MemoryStore()
    for factor in (2, 3):
        FACTOR[0] = factor
        assert Scheduler(backend=store).run(above_scaled(5)) == [5 * factor]
    assert RAN == [5]


OPERATIONS: list = []


@task(namespace="test_expression", version="1")
def fleeting(value):
    """Return an operation that is registered now and may be gone in the next run."""
    RAN.append(value)
    return SimpleExpression(OPERATIONS[-1], (echo(value),))


def test_an_operation_that_is_gone_is_told_and_does_not_serve():
    """A recorded expression that names it is a miss; one at hand fails by its name, and the run ends in order."""
    store, registered = MemoryStore(), dict(operators._operations)
    RAN.clear()
    lazy_operation(name="test_fleeting")(lambda value: value + 1)
    OPERATIONS.append("test_fleeting")
    assert Scheduler(backend=store).run(fleeting(5)) == 6
    del operators._operations["test_fleeting"]
    with pytest.raises(UnknownOperation, match="test_fleeting"):
        Scheduler(backend=store).run(fleeting(5))
    with pytest.raises(UnknownOperation, match="test_fleeting"):
        Scheduler(backend=store).run([echo(1), SimpleExpression("test_fleeting", (echo(2),))])
    lazy_operation(name="test_other")(lambda value: value + 2)
    OPERATIONS.append("test_other")
    assert Scheduler(backend=store).run(fleeting(5)) == 7
    assert RAN == [5, 5, 5]
    operators._operations.clear()
    operators._operations.update(registered)
