"""The sketch of what packs hold: never wrong about what was added."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from redun.hashing import hash_blob
from redun.remotes.sketch import Sketch

NUMBERS = st.sets(st.integers(0, 400), max_size=60)


def _name(number):
    return hash_blob(b"%d" % number)


def _prefixes(numbers):
    return sorted(int.from_bytes(_name(number)[:4], "big") for number in numbers)


@given(packs=st.lists(NUMBERS, max_size=5))
def test_what_was_added_may_be_held(packs):
    """Of what is in a pack it is never told that none holds it, nor of what is in two that one does."""
    sketch = Sketch(sum(map(len, packs)))
    for numbers in packs:
        sketch.add(_prefixes(numbers))
    for number in range(401):
        count = sum(number in numbers for numbers in packs)
        assert sketch.may_hold(_name(number)) or count == 0
        assert sketch.may_be_doubled(_name(number)) or count < 2
    assert sketch.count == sum(map(len, packs))


def test_most_of_what_was_not_added_is_known():
    """At its capacity a sketch is unsure about no more than one object in eight."""
    sketch = Sketch(10_000)
    sketch.add(_prefixes(range(sketch.capacity)))
    others = range(sketch.capacity, sketch.capacity + 5_000)
    assert sketch.capacity >= 10_000
    assert sum(sketch.may_hold(_name(number)) for number in others) < len(others) / 7
    assert not any(sketch.may_be_doubled(_name(number)) for number in others)
