"""Arrow's tables and arrays as values: by what they hold, without pickle, and exactly as they were."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redun.value import encode_value, find_pickled_types, preview_value
from redun.value.objects import find_codec
from redun.value.tags import LARGE_SIZE

ARRAYS: dict[str, Any] = {
    "integers": pa.array([1, None, 3]),
    "floats": pa.array([1.5, None], pa.float32()),
    "halves": pa.array(np.array([1.5], "f2")),
    "booleans": pa.array([True, None, False, True, *[True] * 9]),
    "strings": pa.array(["a", None, "\u00e9"]),
    "large strings": pa.array(["a", None], pa.large_string()),
    "bytes": pa.array([b"a", None]),
    "large bytes": pa.array([b"a"], pa.large_binary()),
    "nulls": pa.array([None, None]),
    "days": pa.array([dt.date(2020, 1, 1), None]),
    "instants": pa.array([1, None], pa.timestamp("us")),
    "instants in a zone": pa.array([1, None], pa.timestamp("ns", "Europe/Berlin")),
    "times": pa.array([1], pa.time32("s")),
    "spans": pa.array([1], pa.duration("ms")),
    "calendar spans": pa.array([(1, 2, 3), None], pa.month_day_nano_interval()),
    "decimals": pa.array([Decimal("1.5"), None]),
    "wide decimals": pa.array([Decimal("1.5")], pa.decimal256(50, 2)),
    "fixed bytes": pa.array([b"ab", None], pa.binary(2)),
    "lists": pa.array([[1, 2], None, [], [3]]),
    "large lists": pa.array([[1], None], pa.large_list(pa.int8())),
    "fixed lists": pa.array([[1, 2], None, [3, None]], pa.list_(pa.int32(), 2)),
    "fixed lists of such": pa.array([[[1, 2], None], None], pa.list_(pa.list_(pa.int8(), 2), 2)),
    "structs": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}]),
    "structs of nothing": pa.array([{}, None], pa.struct([])),
    "maps": pa.array([[("k", 1)], None, [], [("a", None), ("b", 2)]], pa.map_(pa.string(), pa.int64())),
    "dictionary": pa.array(["a", "b", None, "a"]).dictionary_encode(),
    "lists of structs": pa.array([[{"a": [1, None]}], None, [{"a": None}, None]]),
    "no integers": pa.array([], pa.int64()),
    "no strings": pa.array([], pa.string()),
    "no lists": pa.array([], pa.list_(pa.int8())),
    "no maps": pa.array([], pa.map_(pa.string(), pa.int8())),
    "a field that is never null": pa.StructArray.from_arrays(
        [pa.array([1, 2])], fields=[pa.field("a", pa.int64(), nullable=False)], mask=pa.array([True, False])
    ),
}

TABLE = pa.table({"n": [1, None], "t": ["a", "b"], "l": [[1], []]}).replace_schema_metadata({"k": "v"})
OTHERS = {
    "table": TABLE,
    "empty table": pa.table({}),
    "table without rows": TABLE.slice(0, 0),
    "batch": TABLE.to_batches()[0],
    "chunks": pa.chunked_array([[1], [2, 3]]),
    "no chunks": pa.chunked_array([], pa.int8()),
    "schema": pa.schema([pa.field("a", pa.int8(), nullable=False, metadata={"k": "v"})], metadata={b"m": b"n"}),
    "field": pa.field("a", pa.int8()),
}


def is_data(value):
    return find_pickled_types(encode_value(value)) == ()


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_types_and_scalars_come_back_as_data(name, round_trip):
    """An array of each type is read back equal and of that type, and so are its type and its first elements."""
    array = ARRAYS[name]
    for value in (array, array.type, *array[:2]):
        again = round_trip(value)
        assert type(again) is type(value)
        assert again.equals(value)
        assert is_data(value)
    assert round_trip(array).type.equals(array.type, check_metadata=True)


@pytest.mark.parametrize("name", OTHERS)
def test_tables_and_schemas_come_back_as_data(name, round_trip):
    """Tables, batches, chunked arrays, schemas and fields are read back with their metadata."""
    value = OTHERS[name]
    again = round_trip(value)
    assert type(again) is type(value)
    assert again.equals(value)
    if hasattr(value, "schema"):
        assert again.schema.equals(value.schema, check_metadata=True)
    assert is_data(value)


@pytest.mark.parametrize("name", ARRAYS)
def test_slices_are_the_value_that_they_show(name):
    """A part of a longer array is the same value as an array of that part alone."""
    array = ARRAYS[name]
    longer = pa.concat_arrays([array, array, array])
    part = longer.slice(len(array), len(array))
    assert part.equals(array)
    assert encode_value(part).oid == encode_value(array).oid


def test_chunks_make_no_difference():
    """A table is the same value however its rows are chunked."""
    chunked = pa.table({"x": pa.chunked_array([[1, 2], [], [3]])})
    assert encode_value(chunked).oid == encode_value(pa.table({"x": [1, 2, 3]})).oid


def test_what_lies_under_a_null_makes_no_difference():
    """Numbers, texts and lists under a null, and a validity without nulls, are no part of the value."""
    nulls = pa.py_buffer(b"\x05")
    numbers = pa.Array.from_buffers(pa.int8(), 3, [nulls, pa.py_buffer(b"\1\7\3")])
    assert encode_value(numbers).oid == encode_value(pa.array([1, None, 3], pa.int8())).oid
    offsets = pa.py_buffer(np.array([0, 1, 2, 3], "i4").tobytes())
    texts = pa.Array.from_buffers(pa.string(), 3, [nulls, offsets, pa.py_buffer(b"abc")])
    assert encode_value(texts).oid == encode_value(pa.array(["a", None, "c"])).oid
    lists = pa.Array.from_buffers(pa.list_(pa.int8()), 3, [nulls, offsets], children=[pa.array([1, 2, 3], pa.int8())])
    assert encode_value(lists).oid == encode_value(pa.array([[1], None, [3]], pa.list_(pa.int8()))).oid
    full = pa.Array.from_buffers(pa.int8(), 3, [pa.py_buffer(b"\x07"), pa.py_buffer(b"\1\2\3")])
    assert encode_value(full).oid == encode_value(pa.array([1, 2, 3], pa.int8())).oid


def test_what_a_task_can_see_tells_tables_apart():
    """Names, types, order, nullability, metadata and the class tell values apart."""
    variants = [
        *(
            TABLE,
            TABLE.select(["t", "n", "l"]),
            TABLE.rename_columns(["m", "t", "l"]),
            TABLE.slice(1),
            TABLE.to_pydict(),
        ),
        *(TABLE.replace_schema_metadata({"k": "w"}), TABLE.replace_schema_metadata(None), TABLE.to_batches()[0]),
        *(TABLE.set_column(0, "n", TABLE["n"].cast(pa.int32())), TABLE["n"], TABLE["n"].combine_chunks(), TABLE.schema),
        *(TABLE.set_column(1, "t", TABLE["t"].dictionary_encode()), TABLE.to_pandas(), TABLE["n"].to_pylist()),
        *(TABLE.set_column(1, pa.field("t", pa.string(), nullable=False), TABLE["t"]), pa.array([1, 2]), pa.scalar(1)),
        *(
            pa.array([1, 2], pa.timestamp("s")),
            pa.array([1, 2], pa.timestamp("s", "UTC")),
            pa.int8(),
            pa.field("a", pa.int8()),
        ),
        *(
            pa.array([None], pa.int8()),
            pa.array([0], pa.int8()),
            pa.array([None]),
            pa.array([""]),
            pa.array([None], pa.string()),
        ),
    ]
    assert len({encode_value(variant).oid for variant in variants}) == len(variants)


def test_large_columns_are_blobs():
    """The buffers of long columns are blobs beside a small node."""
    encoded = encode_value(pa.table({"n": np.arange(LARGE_SIZE), "t": ["x"] * LARGE_SIZE}))
    assert len(encoded.data) < 500
    assert len(encoded.parts) == 3


def test_types_without_a_form_are_pickled(round_trip):
    """Views, unions and the like come back, at the price of pickle."""
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])
    for value in (pa.array(["a", None], pa.string_view()), union, union.type):
        assert round_trip(value).equals(value)
        assert not is_data(value)


ELEMENTS = st.recursive(
    st.sampled_from(
        [
            (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
            (pa.string(), st.text()),
            (pa.large_binary(), st.binary()),
            (pa.bool_(), st.booleans()),
            (pa.float64(), st.floats(allow_nan=False)),
            (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(dt.timezone.utc))),
            (pa.null(), st.none()),
        ]
    ),
    lambda inner: (
        inner.map(lambda pair: (pa.list_(pair[0]), st.lists(pair[1] | st.none(), max_size=3)))
        | inner.map(lambda pair: (pa.list_(pair[0], 2), st.lists(pair[1] | st.none(), min_size=2, max_size=2)))
        | inner.map(lambda pair: (pa.struct([("f", pair[0])]), st.fixed_dictionaries({"f": pair[1] | st.none()})))
        | inner.map(
            lambda pair: (
                pa.map_(pa.string(), pair[0]),
                st.lists(st.tuples(st.text(), pair[1] | st.none()), max_size=3),
            )
        )
    ),
    max_leaves=3,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_array_comes_back(data, shelf):
    """An array of any nested type, sliced anywhere, is read back equal, without pickle, and has one oid."""
    data_type, elements = data.draw(ELEMENTS)
    rows = data.draw(st.lists(elements | st.none(), max_size=6))
    array = pa.array(rows, data_type)
    start = data.draw(st.integers(0, len(rows)))
    oid = shelf.put(array.slice(start))
    again = shelf.get_value(oid, allow_pickle=False)
    assert again.equals(array.slice(start))
    assert again.type == data_type
    assert encode_value(again).oid == encode_value(pa.array(rows[start:], data_type)).oid == oid


@pytest.mark.parametrize(
    ("cls", "state"),
    [
        (pa.Int64Array, ("int64", (2, None, b"short"))),
        (pa.Int64Array, ("int64", (2, b"", bytes(16)))),
        (pa.Int64Array, (("odd", 5), (2, None, bytes(16)))),
        (pa.Int64Array, ("string", (1, None, b"\0\0\0\0\x09\0\0\0", b"a"))),
        (pa.Int64Array, ("string", (1, None, b"\0\0\0\0\1\0\0\0", b"\xff"))),
        (pa.Int64Array, ("nothing", (0, None))),
        (pa.Int64Scalar, ("int64", (2, None, bytes(16)))),
        (pa.Table, (2, (("a", "int64", True, None),), None, ((1, None, bytes(8)),))),
        (pa.Table, (2, (("a", "int64", True, None),), None, ())),
    ],
)
def test_a_state_that_does_not_fit_is_refused(cls, state):
    """Buffers that are too short, offsets beyond the end, texts that are none and unknown types are errors."""
    with pytest.raises((ValueError, pa.ArrowException)):
        find_codec(cls).decode(state)


def test_tables_are_shown_by_their_size(shelf):
    """A preview tells rows and the names of the columns."""
    assert preview_value(shelf.put(TABLE), shelf.__getitem__).text == "pyarrow.Table(2 rows x 3 columns: n, t, l)"
