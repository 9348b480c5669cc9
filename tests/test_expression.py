"""The lazy language."""

from __future__ import annotations

import copy

import pytest

from redun.expression import SimpleExpression, TaskExpression, ValueExpression
from redun.operators import LazyOperation, UnknownOperation, get_lazy_operation, iter_operations, lazy_operation


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
        (call().attr, "ns.f().attr"),
        (call().method(1, y=2), "ns.f().method(1, y=2)"),
        (ValueExpression(3), "ValueExpression(3)"),
    ],
)
def test_an_expression_shows_as_it_was_written(expression, text):
    """The repr of an expression is the code that builds it."""
    assert repr(expression) == text


def test_the_truth_of_an_expression_is_refused():
    """An if on an unevaluated call would always be taken, so it is an error that names the call."""
    with pytest.raises(TypeError, match=r"ns\.f\(\) has no truth value"):
        bool(call())


def test_iterating_without_a_known_length_is_refused():
    """A loop over an unevaluated call could not end."""
    with pytest.raises(TypeError, match=r"no known length.*nout=N"):
        list(call())


def test_a_call_with_nout_unpacks_into_items():
    """Unpacking a call of known length gives one item expression for each."""
    first, second = call(length=2)
    assert (repr(first), repr(second)) == ("ns.f()[0]", "ns.f()[1]")


def test_a_slice_of_known_length_is_a_list_of_items():
    """Slices become item expressions where the length is known, and one expression where it is not."""
    assert [repr(item) for item in call(length=3)[1:]] == ["ns.f()[1]", "ns.f()[2]"]
    assert isinstance(call()[1:], SimpleExpression)


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


def test_every_operation_computes_what_its_symbol_says():
    """The reflected forms swap their operands."""
    assert get_lazy_operation("sub").func(5, 3) == 2
    assert get_lazy_operation("rsub").func(5, 3) == -2
    assert get_lazy_operation("and").func(1, 0) == 0
    assert get_lazy_operation("ror").func(0, 7) == 7


def test_an_unknown_operation_is_named():
    """A stored expression of another program may hold one."""
    with pytest.raises(UnknownOperation, match="'frobnicate'"):
        get_lazy_operation("frobnicate")


def test_further_operations_can_be_registered():
    """lazy_operation adds to the table that iter_operations lists."""
    lazy_operation(LazyOperation("test_twice", "__test_twice__", "", lambda value: 2 * value))
    assert get_lazy_operation("test_twice").func(4) == 8
    assert any(operation.name == "test_twice" for operation in iter_operations())
