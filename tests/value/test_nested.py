"""Walks over nested values."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from redun.value import Value, iter_nested_value, map_nested_value


class Row(NamedTuple):
    left: Any
    right: Any


@dataclass(frozen=True)
class Record:
    content: Any
    late: Any = field(init=False)


class Opaque(Value):
    def __init__(self, content: Any) -> None:
        self.content = content


class MyList(list):
    pass


def test_leaves_come_from_left_to_right():
    """Keys stand before their values, and each container at its place."""
    value = [1, (2, {"k": [3], (4, 5): Row(6, Record([7]))}), frozenset({8}), {9}]
    assert list(iter_nested_value(value)) == [1, 2, "k", 3, 4, 5, 6, 7, 8, 9]


def test_what_is_no_container_is_its_own_leaf():
    """Plain values, Values, and subclasses of list and dict are not looked into."""
    for leaf in (5, "text", b"bytes", Opaque([1]), MyList([1]), OrderedDict(a=1), Record, None):
        assert list(iter_nested_value(leaf)) == [leaf]
        assert map_nested_value(lambda value: [value], leaf) == [leaf]


def test_mapping_keeps_types_and_order():
    """Each container is made anew, of its exact type."""
    value = [1, (2,), {3: 4}, {5}, frozenset({6}), Row(7, [8]), Record([9])]
    mapped = map_nested_value(lambda leaf: leaf + 1, value)
    assert mapped[:6] == [2, (3,), {4: 5}, {6}, frozenset({7}), Row(8, [9])]
    assert mapped[6].content == [10]
    assert not hasattr(mapped[6], "late")
    assert [type(member) for member in mapped] == [type(member) for member in value]
    assert value[6].content == [9]


def test_fields_without_init_are_walked():
    """A field that was set later belongs to the value."""
    record = Record(1)
    object.__setattr__(record, "late", [2])
    assert list(iter_nested_value(record)) == [1, 2]
    assert map_nested_value(str, record).late == ["2"]


def test_depth_is_no_limit():
    """A list nested 100 000 deep is walked and mapped."""
    deep: Any = 0
    for _ in range(100_000):
        deep = [deep]
    assert list(iter_nested_value(deep)) == [0]
    mapped = map_nested_value(lambda leaf: leaf + 1, deep)
    assert list(iter_nested_value(mapped)) == [1]


def test_a_container_within_itself_is_not_entered_twice():
    """A cycle ends, and a container that stands twice side by side is walked twice."""
    loop: list[Any] = [1]
    loop.append({"loop": loop})
    assert list(iter_nested_value(loop)) == [1, "loop"]
    assert map_nested_value(str, loop)[0] == "1"
    shared = [1]
    assert list(iter_nested_value([shared, shared])) == [1, 1]
