"""Walking expressions, with calls answered by the test."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass

import pytest

from redun.expression import TaskExpression, ValueExpression
from redun.scheduler.evaluate import SLICE, Evaluator, iter_calls

Pair = namedtuple("Pair", "left right")


@dataclass
class Box:
    """A container of the user's own."""

    content: object


class Answerer:
    """Collects calls, and answers them when told to; is itself the waiter of the whole."""

    def __init__(self) -> None:
        self.foreign: list = []
        self.evaluator = Evaluator(self.on_call, self.on_form, self.foreign.append)
        self.asked: list = []
        self.value = self.error = None

    def on_call(self, expression, parent, waiter, slot):
        self.asked.append((expression, waiter, slot))

    def on_form(self, expression, parent, waiter):
        self.on_call(expression, parent, waiter, 0)

    def deliver(self, slot, value):
        self.value = value

    def fail(self, slot, error):
        self.error = self.error or error

    def evaluate(self, part):
        self.evaluator.start(part, None, self, 0)
        self.drain()
        return self

    def drain(self):
        while self.evaluator.run_deferred():
            pass

    def answer_all(self, func):
        while self.asked:
            expression, waiter, slot = self.asked.pop()
            waiter.deliver(slot, func(*expression.args))
            self.drain()
        return self.value


def call(*args):
    """A call of one task."""
    return TaskExpression("t", args, {})


def double(value):
    """Answer a call."""
    return 2 * value


def test_a_concrete_value_is_itself():
    """Nothing is asked for what holds no expression, and the very object is delivered."""
    value = [1, {"a": (2,)}]
    assert Answerer().evaluate(value).value is value


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (call(1), 2),
        ([call(1), 5, call(2)], [2, 5, 4]),
        ((call(1), "x"), (2, "x")),
        ({call(1), 7}, {2, 7}),
        ({"k": call(1), "j": [call(3)]}, {"k": 2, "j": [6]}),
        (call(1) + call(2), 6),
        (10 - call(1), 8),
        (ValueExpression(3) + call(1), 5),
        (ValueExpression("abc")[1:], "bc"),
        (Pair(call(1), 2), Pair(2, 2)),
        (Box([call(4)]), Box([8])),
        (call(3).bit_length(), 3),
    ],
)
def test_parts_are_replaced_by_their_values(part, expected):
    """Containers and operations are rebuilt from the values of their parts."""
    answerer = Answerer().evaluate(part)
    assert answerer.answer_all(double) == expected


def test_a_key_that_is_a_call_is_evaluated():
    """Both keys and values of a dict are walked."""
    assert Answerer().evaluate({call(1): call(2)}).answer_all(double) == {2: 4}


def test_the_first_failure_is_passed_on_and_later_answers_change_nothing():
    """A container fails as soon as one part does, once."""
    answerer = Answerer().evaluate([call(1), call(2)])
    (_, waiter, slot), (_, other, other_slot) = answerer.asked
    waiter.fail(slot, ValueError("first"))
    other.fail(other_slot, ValueError("second"))
    answerer.drain()
    assert str(answerer.error) == "first"
    assert answerer.value is None


def test_an_operation_that_raises_fails_its_waiter():
    """An error of user data in an operator is the error of the whole."""
    answerer = Answerer().evaluate(call(1) / 0)
    answerer.answer_all(double)
    assert isinstance(answerer.error, ZeroDivisionError)


def test_100_000_nested_operations_need_no_stack():
    """Depth costs memory only."""
    total = call(0)
    for _ in range(100_000):
        total = total + 1
    assert Answerer().evaluate(total).answer_all(double) == 100_000


def test_a_wide_list_is_started_in_slices():
    """The first jobs can be looked after while the last ones are still being started."""
    answerer = Answerer()
    answerer.evaluator.start([call(n) for n in range(10 * SLICE)], None, answerer, 0)
    assert answerer.evaluator.run_deferred(1)
    assert len(answerer.asked) == SLICE


def test_iter_calls_stops_at_calls():
    """The calls a value comes from directly, not those their arguments come from."""
    inner = call(1)
    outer = TaskExpression("t", (inner,), {})
    assert next(iter_calls([outer + 1, {"k": call(2)}])) is outer
    assert len(list(iter_calls([outer + 1, {"k": call(2)}]))) == 2
