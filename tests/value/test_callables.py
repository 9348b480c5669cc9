"""Partials, bound methods and cached functions as values: their code is part of them."""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass
from typing import Any

import pytest

from redun.value import ValueUndecodable, encode_value, find_pickled_types
from redun.value.classes import set_code_digest


def scale(x: int, factor: int = 2) -> int:
    return x * factor


@functools.lru_cache(maxsize=None)  # noqa: UP033  (what users write)
def cached(x: int) -> int:
    return x


@dataclass
class Counter:
    start: int

    def count(self, n: int) -> int:
        return self.start + n

    @classmethod
    def make(cls) -> Counter:
        return cls(1)


class Holder:
    """Has no codec, so it is pickled."""

    def __init__(self, func: Any) -> None:
        self.func = func


CALLABLES = {
    "partial": functools.partial(scale, factor=3),
    "partial of a partial": functools.partial(functools.partial(scale, 1), factor=2),
    "partial of a class": functools.partial(Counter, 5),
    "partial of a builtin": functools.partial(operator.add, 1),
    "method": Counter(3).count,
    "class method": Counter.make,
    "method of a builtin": functools.partial(str.upper, "a"),
    "cached": cached,
}


@pytest.mark.parametrize("name", CALLABLES)
def test_callables_come_back(name, round_trip):
    """A callable made of others is read back and returns what it did."""
    func = CALLABLES[name]
    again = round_trip(func)
    assert type(again) is type(func)
    arguments = (
        () if name in {"partial of a class", "class method", "method of a builtin", "partial of a partial"} else (4,)
    )
    assert again(*arguments) == func(*arguments)


@pytest.mark.parametrize("name", ["partial", "method", "class method", "cached"])
def test_they_are_data(name):
    """No pickle is needed."""
    assert find_pickled_types(encode_value(CALLABLES[name])) == ()


def test_what_is_bound_tells_them_apart():
    """Another argument, object or function is another value."""
    variants = [
        *(functools.partial(scale), functools.partial(scale, 1), functools.partial(scale, factor=1)),
        *(Counter(1).count, Counter(2).count, Counter.make, scale, cached),
    ]
    assert len({encode_value(variant).oid for variant in variants}) == len(variants)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (functools.partial(scale, 1), scale),
        (Counter(3).count, Counter.count),
        (Counter.make, Counter),
        (cached, cached.__wrapped__),
        (Holder(scale), scale),
        ([Holder([Holder(scale)])], scale),
    ],
)
def test_the_code_of_the_function_is_part_of_the_value(value, code, shelf):
    """When the code changes, the value is another one, and the stored one is not read back."""
    without = shelf.put(value)
    set_code_digest(lambda thing: b"one" if thing is code else None)
    oid = shelf.put(value)
    assert oid != without
    assert shelf.get_value(oid) is not None
    set_code_digest(lambda thing: b"two" if thing is code else None)
    assert encode_value(value).oid not in {oid, without}
    with pytest.raises(ValueUndecodable, match=r"the code of .* has changed"):
        shelf.get_value(oid)


def test_functions_that_are_not_the_projects_stay_in_the_pickle():
    """Without a digest a pickle is as it always was."""
    before = encode_value(Holder(scale))
    set_code_digest(lambda thing: b"one" if thing is cached else None)
    assert encode_value(Holder(scale)).oid == before.oid


def test_a_method_that_is_gone_is_undecodable(shelf, monkeypatch):
    """A bound method goes by its name, and its class must still have it."""
    oid = shelf.put([Counter(1).count])
    monkeypatch.delattr(Counter, "count")
    with pytest.raises(ValueUndecodable, match="count"):
        shelf.get_value(oid)


def test_a_partial_with_attributes_is_pickled(round_trip):
    """What else a partial carries is kept."""
    func = functools.partial(scale, 1)
    func.note = "mine"
    assert round_trip(func).note == "mine"
