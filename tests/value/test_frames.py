"""pandas' frames, series, indexes and scalars as values: by what they hold, without pickle, exactly as they were."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import pandas as pds

from redun import task
from redun.file.file_cache import FileCache
from redun.pytest import scheduler
from redun.value import ValueUndecodable, encode_value, find_pickled_types, preview_value
from redun.value.objects import find_codec
from redun.value.tags import LARGE_SIZE

__all__ = ["scheduler"]

BERLIN = ZoneInfo("Europe/Berlin")  # by name, pandas 2 takes pytz

PAIRS = pd.MultiIndex.from_product([["b", "a"], [1, 2]], names=["letter", None])
DAYS = pd.date_range("2020", periods=3, freq="D", name="day")

FRAMES = {
    "mixed": pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [1.5, np.nan], "d": [True, False]}),
    "empty": pd.DataFrame(),
    "no columns": pd.DataFrame(index=["r", "s"]),
    "no rows": pd.DataFrame({"a": np.array([], "i4")}),
    "twice the same name": pd.DataFrame([[1, 2.5], [3, 4.5]], columns=["a", "a"], index=["r", "r"]),
    "objects": pd.DataFrame(
        {"a": pd.Series(["x", None, [1]], dtype=object), 5: pd.Series(["x", "y", "z"], dtype=object)}
    ),
    "levels": pd.DataFrame(np.arange(8).reshape(4, 2), PAIRS, pd.MultiIndex.from_tuples([("u", 1), ("v", 2)])),
    "days": pd.DataFrame({"n": [1, 2, 3]}, DAYS),
    "one label each": pd.DataFrame({"a": [1]}).set_flags(allows_duplicate_labels=False),
    "numbered columns": pd.DataFrame(np.zeros((2, 3))),
}

SERIES = {
    "categories": pd.Series(pd.Categorical(["a", "b", None], ["b", "a", "unused"], ordered=True)),
    "instants": pd.Series(DAYS),
    "zone": pd.Series(pd.date_range("2020", periods=3, tz=BERLIN)),
    "seconds in UTC": pd.Series(pd.date_range("2020", periods=3, tz=dt.timezone.utc, unit="s")),
    "spans": pd.Series(pd.to_timedelta([1, None], unit="s")),
    "periods": pd.Series(pd.period_range("2020-01", periods=2, freq="M")),
    "intervals": pd.Series(pd.interval_range(0, 3, closed="left")),
    "integers with gaps": pd.Series([1, None], dtype="Int64"),
    "floats with gaps": pd.Series([1.5, None], dtype="Float32"),
    "floats with gaps and NaN": pd.Series(pd.arrays.FloatingArray(np.array([np.nan, 1]), np.array([False, True]))),
    "booleans with gaps": pd.Series([True, None], dtype="boolean"),
    "strings": pd.Series(["a", None, "\u00e9"], dtype="string[python]"),
    "strings of Arrow": pd.Series(["a", None], dtype="string[pyarrow]"),
    "strings with NaN": pd.Series(["a", None], dtype="str"),
    "numbers of Arrow": pd.Series([1, None], dtype="int32[pyarrow]"),
    "lists of Arrow": pd.Series(
        [[1], None], dtype=pd.ArrowDtype(__import__("pyarrow").list_(__import__("pyarrow").int8()))
    ),
    "named by a tuple": pd.Series([1], name=("a", 1)),
    "rows of anything": pd.Series([[1, 2], {"a": 1}]),
}

INDEXES = {
    "range": pd.RangeIndex(1, 9, 2, name="n"),
    "numbers": pd.Index([1, 2], dtype="u1"),
    "objects": pd.Index(["a", 1, (1, 2)], dtype=object, name=("q", 1)),
    "tuples": pd.Index([(1, 2), (3, 4)], tupleize_cols=False),
    "texts": pd.Index(["a", "b"]),
    "days": DAYS,
    "weeks in a zone": pd.date_range("2020", periods=3, freq="W", tz=BERLIN),
    "irregular": pd.DatetimeIndex(["2020", "2022"]),
    "spans": pd.timedelta_range("1s", periods=3),
    "quarters": pd.period_range("2020-01", periods=2, freq="Q"),
    "categories": pd.CategoricalIndex(["a", "b"]),
    "intervals": pd.interval_range(0, 2, closed="both"),
    "intervals of days": pd.IntervalIndex.from_breaks(DAYS),
    "levels": PAIRS,
    "levels with a gap": pd.MultiIndex.from_arrays([["a", None], DAYS[:2]]),
}

SCALARS = [
    pd.Timestamp("2020-01-01 00:00:00.123456789"),
    pd.Timestamp("2020-10-25 02:30").tz_localize(BERLIN, ambiguous=False),
    pd.Timestamp("2020-10-25 02:30").tz_localize(BERLIN, ambiguous=True),
    pd.Timestamp("2020").as_unit("s"),
    pd.Timedelta("1 days 2ns"),
    pd.Timedelta("1 days").as_unit("ms"),
    pd.Period("2020-01", freq="M"),
    pd.Interval(0, 1.5, closed="neither"),
]


def is_data(value):
    return find_pickled_types(encode_value(value)) == ()


@pytest.mark.parametrize("name", FRAMES)
def test_frames_come_back_as_data(name, round_trip):
    """A frame is read back with its dtypes, index, names, frequency and flags, and without pickle."""
    frame = FRAMES[name]
    again = round_trip(frame)
    pd.testing.assert_frame_equal(again, frame, check_column_type=True, check_flags=True, check_exact=True)
    assert again.dtypes.tolist() == frame.dtypes.tolist()
    assert is_data(frame)


@pytest.mark.parametrize("name", SERIES)
def test_series_come_back_as_data(name, round_trip):
    """A series of each sort of array is read back with its dtype, and without pickle."""
    series = SERIES[name]
    again = round_trip(series)
    pd.testing.assert_series_equal(again, series, check_exact=True)
    assert again.dtype == series.dtype
    assert type(again.array) is type(series.array)
    assert is_data(series)


@pytest.mark.parametrize("name", INDEXES)
def test_indexes_come_back_as_data(name, round_trip):
    """An index of each class is read back with names, levels and frequency, and without pickle."""
    index = INDEXES[name]
    again = round_trip(index)
    pd.testing.assert_index_equal(again, index, exact=True)
    assert getattr(again, "freq", None) == getattr(index, "freq", None)
    assert is_data(index)


@pytest.mark.parametrize("scalar", SCALARS, ids=repr)
def test_scalars_come_back_as_data(scalar, round_trip):
    """A timestamp, span, period or interval is read back with unit, zone and fold."""
    again = round_trip(scalar)
    assert (type(again), repr(again)) == (type(scalar), repr(scalar))
    assert again == scalar
    assert getattr(again, "unit", None) == getattr(scalar, "unit", None)
    assert is_data(scalar)


def test_missing_values_come_back_as_themselves(round_trip):
    """NaT and NA are single objects, and are read back as those."""
    assert round_trip([pd.NaT, pd.NA]) == [pd.NaT, pd.NA]
    assert round_trip(pd.NaT) is pd.NaT
    assert round_trip(pd.NA) is pd.NA


def test_arrays_of_pandas_are_values_too(round_trip):
    """An array without its series is read back by itself."""
    for series in SERIES.values():
        again = round_trip(series.array)
        assert type(again) is type(series.array)
        assert is_data(series.array)


def test_attributes_of_a_frame_are_part_of_it(round_trip):
    """What stands in attrs is kept, and tells frames apart."""
    frame = pd.DataFrame({"a": [1]})
    before = encode_value(frame).oid
    frame.attrs["unit"] = ["m"]
    assert encode_value(frame).oid != before
    assert round_trip(frame).attrs == {"unit": ["m"]}


def test_how_columns_lie_in_memory_makes_no_difference():
    """Equal frames are one value, made of columns, of a block, by a slice or with a column added later."""
    whole = pd.DataFrame({"a": [1, 2, 3, 4], "b": [5, 6, 7, 8]})
    block = pd.DataFrame(np.array([[1, 5], [9, 9], [2, 6]]), columns=["a", "b"]).iloc[::2].reset_index(drop=True)
    later = pd.DataFrame({"a": [1, 2]})
    later["b"] = [5, 6]
    assert encode_value(whole.iloc[:2]).oid == encode_value(block).oid == encode_value(later).oid


def test_what_lies_under_a_gap_makes_no_difference():
    """Integers with gaps are equal whatever number stands where there is none."""
    one, other = (pd.arrays.IntegerArray(np.array([1, x]), np.array([False, True])) for x in (5, 7))
    assert encode_value(one).oid == encode_value(other).oid


def test_what_a_task_can_see_tells_frames_apart():
    """Names, their dtypes, index, order, dtypes of columns, categories and zones tell frames apart."""
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    variants: list[Any] = [
        *(frame, frame[["b", "a"]], frame.iloc[::-1], frame.rename(columns={"a": "c"}), frame.set_index("a")),
        *(frame.rename_axis("n"), frame.rename_axis("n", axis=1), frame.astype({"a": "i4"}), frame.astype({"a": "f8"})),
        *(
            frame.astype({"a": "Int64"}),
            frame.astype({"b": "string[python]"}),
            frame.astype({"b": "category"}),
            frame["a"],
        ),
        *(frame["a"].rename("b"), frame["a"].to_numpy(), frame["a"].tolist(), frame.set_axis(pd.Index([0, 1]))),
        *(frame.set_axis(pd.Index([0.0, 1.0])), frame.astype({"b": pd.CategoricalDtype(["y", "x"])}), frame.to_dict()),
        *(pd.Series(DAYS), pd.Series(DAYS.tz_localize("UTC")), pd.Series(DAYS.as_unit("s")), DAYS, DAYS[[0, 1, 2]]),
        *(
            pd.Timestamp("2020"),
            pd.Timestamp("2020").as_unit("ms"),
            dt.datetime(2020, 1, 1),
            np.datetime64("2020", "us"),
        ),
    ]
    assert len({encode_value(variant).oid for variant in variants}) == len(variants)


def test_large_columns_are_blobs():
    """Columns of many numbers and of many texts are blobs beside a small node."""
    n = LARGE_SIZE
    frame = pd.DataFrame(
        {"n": np.arange(n), "t": [f"text {i}" for i in range(n)], "o": pd.Series(["x"] * n, dtype=object)}
    )
    encoded = encode_value(frame)
    assert len(encoded.data) < 1000
    assert len(encoded.parts) >= 3


def test_only_an_unknown_column_is_pickled(round_trip):
    """A sparse column is left to pickle, and the rest of its frame is data."""
    frame = pd.DataFrame({"n": [1, 2, 3], "s": pd.arrays.SparseArray([0, 0, 1])})
    (pickled,) = find_pickled_types(encode_value(frame))
    assert pickled.endswith("SparseArray")
    pd.testing.assert_frame_equal(round_trip(frame), frame)


def test_subclasses_of_frames_are_pickled(round_trip):
    """A user's own class of frames keeps its class."""
    assert type(round_trip(Ledger({"a": [1]}))) is Ledger


class Ledger(pd.DataFrame):
    pass


COLUMNS = st.lists(
    st.sampled_from([int, float, bool, "u1", "f4", "M8[ns]", "m8[ns]", "c16", str]), min_size=0, max_size=4
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_frame_comes_back(data, shelf):
    """A frame of columns of any dtype is read back equal, without pickle, and with the same oid."""
    kinds = data.draw(COLUMNS)
    columns = [
        pds.column(f"c{i}", elements=st.text() if kind is str else None, dtype=object if kind is str else kind)
        for i, kind in enumerate(kinds)
    ]
    frame = data.draw(pds.data_frames(columns, index=pds.range_indexes(max_size=5)))
    oid = shelf.put(frame)
    again = shelf.get_value(oid, allow_pickle=False)
    pd.testing.assert_frame_equal(again, frame, check_exact=True)
    assert encode_value(again).oid == encode_value(frame.copy(deep=True)).oid == oid


@pytest.mark.parametrize(
    ("cls", "state"),
    [
        (pd.DataFrame, ((2, 1), pd.RangeIndex(2), pd.Index(["a", "b"]), (np.arange(2),), {}, True)),
        (pd.DataFrame, ((3, 1), pd.RangeIndex(2), pd.Index(["a"]), (np.arange(2),), {}, True)),
        (pd.DataFrame, ((2, 1), pd.RangeIndex(3), pd.Index(["a"]), (np.arange(2),), {}, True)),
        (pd.Series, (3, pd.RangeIndex(2), None, np.arange(2), {}, True)),
        (pd.arrays.IntegerArray, ("DataFrame", np.arange(2), None)),
        (pd.MultiIndex, ((pd.Index([1]),), (np.array([5]),), ("a",))),
    ],
)
def test_a_state_that_does_not_fit_is_refused(cls, state):
    """Lengths that do not match, codes beyond their level and another class raise ValueError."""
    with pytest.raises(ValueError):
        find_codec(cls).decode(state)


def test_frames_are_shown_by_their_size(shelf):
    """A preview tells rows, columns and the first names."""
    shown = preview_value(shelf.put([FRAMES["mixed"]]), shelf.__getitem__).text
    assert shown == "[pandas.DataFrame(2 rows x 4 columns: a, b, c, d)]"


redun_namespace = "test_frames"
runs: list[str] = []


@task(version="1")
def load(people: int, attempt: int = 1) -> pd.DataFrame:
    runs.append("load")
    return pd.DataFrame({"city": ["Ulm", "Bonn"], "people": [people, 336_000]})


@task(version="1")
def total(frame: pd.DataFrame) -> np.int64:
    runs.append("total")
    return frame["people"].sum()


def test_tasks_take_and_return_frames(scheduler):
    """A frame that was computed anew and is equal answers what was asked of it before; another one does not."""
    runs.clear()
    first = scheduler.run(total(load(128_000)))
    assert (type(first), first) == (np.int64, 464_000)
    assert scheduler.run(total(load(128_000))) == 464_000
    assert scheduler.run(total(load(128_000, attempt=2))) == 464_000
    assert runs == ["load", "total", "load"]
    assert scheduler.run(total(load(1))) == 336_001
    assert runs == ["load", "total", "load", "load", "total"]


def test_a_file_cache_speaks_for_frames(tmp_path, round_trip, shelf):
    """A user's FileCache of frames comes before the codec: the frame lies in a file, and without it is a miss."""
    from redun.value.classify import plans
    from redun.value.value import proxies

    class FrameCache(FileCache):
        type = pd.DataFrame
        base_path = str(tmp_path)

        def _serialize(self) -> bytes:
            return self.instance.to_csv(index=False).encode()

        @classmethod
        def _deserialize(cls, data: bytes) -> Any:
            import io

            return pd.read_csv(io.BytesIO(data))

    frame = pd.DataFrame({"a": [1, 2]})
    try:
        pd.testing.assert_frame_equal(round_trip(frame), frame)
        oid = shelf.put(frame)
        (path,) = tmp_path.iterdir()
        path.unlink()
        with pytest.raises(ValueUndecodable):
            shelf.get_value(oid)
    finally:
        del proxies[pd.DataFrame]
        plans.forget()
