"""Which classes an encoded value says it holds objects of."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from redun.value import Value
from redun.value.encoding import encode_value


@dataclass
class Data:
    x: Any


class Pair(NamedTuple):
    x: Any


class Choice(enum.Flag):
    ONE = 1
    TWO = 2


class Plain:
    def __init__(self, x):
        self.x = x


class Own(Value):
    def __init__(self, x):
        self.x = x

    def __getstate__(self):
        return {"x": self.x}


@pytest.mark.parametrize(
    ("value", "classes"),
    [
        (1, set()),
        ({"a": [1, ("b", {2})]}, set()),
        (Data(1), {Data}),
        ([Data(1), Data(2)], {Data}),
        (Data(Pair(1)), {Data, Pair}),
        (Choice.ONE | Choice.TWO, {Choice}),
        ({Choice.ONE: {Pair(1)}}, {Choice, Pair}),
        (Own([Data(1)]), {Own, Data}),
        ([Own(Own(Pair(1)))], {Own, Pair}),
        (Plain([Data(1), Own(Pair(1))]), {Plain, Data, Own, Pair}),
    ],
)
def test_a_value_tells_the_classes_of_its_objects(value, classes):
    """However deep they lie: in containers, in other objects, in pickles."""
    found = encode_value(value).classes
    assert classes <= set(found)
    assert len(found) == len(set(found))
    assert {cls for cls in found if cls.__module__ == __name__} == classes
