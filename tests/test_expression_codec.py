"""Expressions as nodes."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun import expression_codec
from redun.expression import Expression, SchedulerExpression, SimpleExpression, TaskExpression, ValueExpression
from redun.expression_codec import ExpressionUndecodable, decode_expression, encode_expression, is_concrete
from redun.objects.call_records import ExpressionRecord
from redun.objects.codec import decode_node
from redun.value.encoding import decode_value

Pair = namedtuple("Pair", "left right")


@dataclass
class Box:
    """A container of the user's own."""

    content: Any
    label: str = ""


def round_trip(value):
    """Encode and decode through bytes."""
    encoded = encode_expression(value)
    objects = {part.oid: part.data for part in encoded.values}
    for part in encoded.values:
        objects.update({oid: data for oid, data, _ in part.parts})
    record = ExpressionRecord.decode(decode_node(encoded.data))
    return decode_expression(record, lambda oid: decode_value(oid, objects.__getitem__))


def same(left, right):
    """Compare two values that may hold expressions, whose == builds an expression."""
    if isinstance(left, Expression):
        if type(left) is not type(right):
            return False
        slots = [name for cls in type(left).__mro__ for name in cls.__dict__.get("__slots__", ())]
        names = [name for name in slots if name not in ("call_hash", "evaluated", "upstreams")]
        return all(same(getattr(left, name), getattr(right, name)) for name in names)
    if isinstance(left, dict):
        return same(list(left.items()), list(right.items()))
    if isinstance(left, (list, tuple)):
        return type(left) is type(right) and len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


plain = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5))
expressions = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.builds(lambda args: TaskExpression("t", tuple(args), {}), st.lists(inner, max_size=3)),
        st.builds(lambda x: TaskExpression("t", (), {"x": x}, {"memory": 4}, length=2), inner),
        st.builds(lambda x: SchedulerExpression("form", (x,), {"y": x}, {"a": 1}, length=1), inner),
        st.builds(lambda a, b: SimpleExpression("add", (a, b)), inner, inner),
        st.builds(ValueExpression, inner),
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
    ),
    max_leaves=20,
)


@given(expressions)
def test_any_expression_comes_back_as_it_was(expression):
    """Decoding what was encoded gives an equal expression, at any nesting."""
    assert same(round_trip([TaskExpression("t", (), {}), expression]), [TaskExpression("t", (), {}), expression])


@given(expressions)
def test_encoding_again_gives_the_same_oid(expression):
    """One expression has one node."""
    wrapped = [TaskExpression("t", (), {}), expression]
    assert encode_expression(wrapped).oid == encode_expression(round_trip(wrapped)).oid


def test_a_shared_part_is_one_step():
    """A call that appears twice is stored once, and is one object again."""
    shared = TaskExpression("t", (1,), {})
    left, right = round_trip([shared, shared])
    assert left is right


def test_named_tuples_and_dataclasses_keep_their_class():
    """Containers of the user's own come back as themselves."""
    lazy = TaskExpression("t", (), {})
    pair, box = round_trip([Pair(lazy, 2), Box(lazy, "x")])
    assert type(pair) is Pair
    assert pair.right == 2
    assert type(box) is Box
    assert box.label == "x"


def test_sets_and_frozensets_of_expressions_come_back():
    """Expressions are hashable by identity, so they can stand in sets."""
    lazy = TaskExpression("t", (), {})
    assert {type(part) for part in round_trip([{lazy}, frozenset([lazy])])} == {set, frozenset}


def test_a_chain_of_100_000_calls_round_trips():
    """Depth costs no stack."""
    chain = TaskExpression("t", (), {})
    for _ in range(100_000):
        chain = TaskExpression("t", (chain,), {})
    again, depth = round_trip(chain), 0
    while again.args:
        (again,) = again.args
        depth += 1
    assert depth == 100_000


def test_a_class_that_is_gone_is_a_typed_error():
    """A stored container of a class that no longer exists is a miss with a reason."""
    steps = [[1, "t", [], [], [], None, None, None], [3, "namedtuple", ["gone_module:Pair"], [0]]]
    with pytest.raises(ExpressionUndecodable, match="gone_module"):
        decode_expression(ExpressionRecord(steps, []), lambda _: None)


@given(st.lists(st.lists(st.one_of(st.integers(-2, 9), st.text(max_size=4), st.lists(st.integers(0, 3))), max_size=8)))
def test_senseless_steps_are_a_typed_error(steps):
    """Whatever the bytes say, decoding gives an expression or ExpressionUndecodable, nothing else."""
    try:
        decode_expression(ExpressionRecord(steps, []), lambda _: None)
    except ExpressionUndecodable as error:
        assert "cannot be rebuilt" in str(error)


def test_concrete_values_hold_no_expression():
    """is_concrete looks into containers and dataclasses."""
    lazy = TaskExpression("t", (), {})
    assert is_concrete([1, {"a": (2, Box(3))}])
    assert not is_concrete({"a": [Box(lazy)]})
    assert not is_concrete({lazy: 1})


@given(st.lists(plain | st.tuples(plain) | st.floats() | st.binary(max_size=80), max_size=4), st.booleans())
def test_a_call_of_plain_arguments_is_encoded_like_any_other(args, is_twice):
    """The short way for calls whose parts are all atoms gives the bytes of the long one."""
    call = TaskExpression("ns.task", (*args, *args[:1]), {})
    tree = [call, call, SimpleExpression("add", (call, 1))] if is_twice else call
    encoded = encode_expression(tree)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expression_codec._Flattener, "_write_plain_call", lambda *_: False)
        assert encode_expression(tree) == encoded
