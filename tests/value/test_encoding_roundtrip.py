"""Any nested value comes back equal, with exact types, and with the same oid."""

from __future__ import annotations

import datetime as dt
import struct
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redun.value import encode_value, find_pickled_types, iter_nested_value, map_nested_value, preview_value


@dataclass(frozen=True)
class Record:
    key: Any
    content: Any


class Row(NamedTuple):
    left: Any
    right: Any


ZONES = (
    st.none()
    | st.timezones()
    | st.just(dt.timezone.utc)
    | st.builds(
        dt.timezone,
        st.timedeltas(min_value=dt.timedelta(hours=-20), max_value=dt.timedelta(hours=20)),
    )
)
HASHABLE_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**63 - 2, max_value=2**64 + 1),
    st.floats(),
    st.complex_numbers(),
    st.text(),
    st.text(st.characters(categories=["Cs", "Lu"])),
    st.binary(),
    st.dates(),
    st.times(timezones=ZONES),
    st.datetimes(timezones=ZONES),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.fractions(),
    st.uuids(),
    st.builds(PurePosixPath, st.text()),
    st.builds(PureWindowsPath, st.text()),
    st.builds(range, st.integers(), st.integers(), st.integers(min_value=1)),
    st.just(...),
    st.sampled_from([int, len, dict]),
)
HASHABLE = st.recursive(
    HASHABLE_LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple)
        | st.frozensets(inner, max_size=3)
        | st.builds(Record, inner, inner)
        | st.builds(Row, inner, inner)
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    HASHABLE | st.binary().map(bytearray) | st.just(Decimal("NaN")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(deque)
        | st.sets(HASHABLE, max_size=4)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.dictionaries(HASHABLE, inner, max_size=3).map(OrderedDict)
        | st.dictionaries(HASHABLE, st.integers(), max_size=3).map(Counter)
        | st.builds(Record, inner, inner)
        | st.builds(Row, inner, inner)
        | st.builds(slice, inner, inner)
    ),
    max_leaves=10,
)


def same(one, other):
    """Tell whether two values are equal in every bit, types included; NaNs are equal when their bits are."""
    if type(one) is not type(other):
        return False
    if type(one) is float:
        return struct.pack("<d", one) == struct.pack("<d", other)
    if type(one) is complex:
        return same(one.real, other.real) and same(one.imag, other.imag)
    if type(one) is Record:
        return all(same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))
    if type(one) is slice:
        return same([one.start, one.stop], [other.start, other.stop])
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, (list, tuple, deque)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (set, frozenset)):
        return len(one) == len(other) and all(any(same(a, b) for b in other) for a in one)
    if isinstance(one, (dt.datetime, dt.time)):
        return str(one) == str(other) and one.fold == other.fold and one.tzinfo == other.tzinfo
    return repr(one) == repr(other) and (one == other or one != one)  # noqa: PLR0124  (a Decimal NaN)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(value=VALUES)
def test_any_value_comes_back(value, shelf):
    """Equal, type-exact, without pickle, and of the same oid when encoded again."""
    oid = shelf.put(value)
    again = shelf.get_value(oid, allow_pickle=False)
    assert same(value, again)
    encoded = encode_value(again)
    assert encoded.oid == oid
    assert find_pickled_types(encoded) == ()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(value=VALUES)
def test_any_value_can_be_shown(value, shelf):
    """Each value has a preview within the length that is asked for."""
    preview = preview_value(shelf.put(value), shelf.__getitem__, max_chars=80)
    assert 0 < len(preview.text) <= 80
    assert preview.codec == "data"


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(value=VALUES)
def test_mapping_identity_changes_nothing(value):
    """A nested value mapped by identity is the same value made anew, with the same leaves in the same order."""
    mapped = map_nested_value(lambda leaf: leaf, value)
    assert encode_value(mapped).oid == encode_value(value).oid
    before, after = list(iter_nested_value(value)), list(iter_nested_value(mapped))
    assert sorted(map(id, before)) == sorted(map(id, after))
