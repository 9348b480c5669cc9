"""Codecs of pandas: frames, series, indexes, the arrays they hold, and scalars.

The invariant: dtypes, names, order, levels, categories and frequencies are part of the form; how the columns lie in
memory is not.  Normative page: docs/format/foreign-value.md.  Loaded, and with it pandas, only where somebody has such
an object.

An array is given to the encoder as it is, which finds its codec here or in ``arrays.py``, or pickles that one alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from redun.value.objects import Codec

_MASKED = ("IntegerArray", "FloatingArray", "BooleanArray")


def list_codecs() -> Iterator[tuple[type, Codec]]:
    """Yield each type with its codec."""
    import pandas as pd

    yield from _list_arrays()
    for name, encode, decode in (
        ("DataFrame", _encode_frame, _decode_frame),
        ("Series", _encode_series, _decode_series),
        ("RangeIndex", _encode_range, _decode_range),
        ("MultiIndex", _encode_multi, _decode_multi),
        ("DatetimeIndex", _encode_timed, _decode_datetimes),
        ("TimedeltaIndex", _encode_timed, _decode_timedeltas),
        ("Timestamp", _encode_timestamp, _decode_timestamp),
        ("Timedelta", lambda value: (value.asm8,), lambda state: pd.Timedelta(*state)),
        ("Period", lambda value: (value.ordinal, value.freqstr), _decode_period),
        ("Interval", lambda value: (value.left, value.right, value.closed), lambda state: pd.Interval(*state)),
    ):
        yield getattr(pd, name), Codec(f"pandas.{name}", encode, decode, f"pandas.{name}")
    for name in ("Index", "CategoricalIndex", "IntervalIndex", "PeriodIndex"):
        yield getattr(pd, name), Codec("pandas.Index", _encode_index, _decode_index, f"pandas.{name}")
    yield type(pd.NaT), Codec("pandas.NaT", lambda _value: (), lambda _state: pd.NaT, "pandas.NaT")
    yield type(pd.NA), Codec("pandas.NA", lambda _value: (), lambda _state: pd.NA, "pandas.NA")


def _list_arrays() -> Iterator[tuple[type, Codec]]:
    import pandas as pd

    arrays = pd.arrays
    for name, encode, decode in (
        ("DatetimeArray", _encode_instants, _decode_instants),
        ("TimedeltaArray", lambda array: (array.to_numpy(),), lambda state: pd.array(*state)),
        ("PeriodArray", _encode_periods, _decode_periods),
        ("IntervalArray", _encode_intervals, _decode_intervals),
        ("ArrowExtensionArray", _encode_arrow, _decode_arrow),
    ):
        yield getattr(arrays, name), Codec(f"pandas.{name}", encode, decode, f"pandas.{name}")
    yield pd.Categorical, Codec("pandas.Categorical", _encode_categorical, _decode_categorical, "pandas.Categorical")
    for name in _MASKED:
        yield getattr(arrays, name), Codec("pandas.MaskedArray", _encode_masked, _decode_masked, f"pandas.{name}")
    for cls in (arrays.StringArray, arrays.ArrowStringArray):
        yield cls, Codec("pandas.StringArray", _encode_strings, _decode_strings, f"pandas.{cls.__name__}")
    yield (
        arrays.NumpyExtensionArray,
        Codec(
            "pandas.NumpyExtensionArray",
            lambda array: (array.to_numpy(),),
            lambda state: arrays.NumpyExtensionArray(*state),
            "pandas.NumpyExtensionArray",
        ),
    )


# Frames and series


def _encode_frame(frame: Any) -> Any:
    columns = tuple(_array_of(frame.iloc[:, i]) for i in range(frame.shape[1]))
    return frame.shape, frame.index, frame.columns, columns, frame.attrs, frame.flags.allows_duplicate_labels


def _decode_frame(state: Any) -> Any:
    import pandas as pd

    shape, index, names, columns, attrs, allows_duplicates = state
    # By number first: names may be there twice.  As series, so that pandas guesses no dtype.
    made = pd.DataFrame({i: _to_series(array, index) for i, array in enumerate(columns)}, index=index)
    if shape != made.shape or len(names) != len(columns):
        raise ValueError(f"expected a frame of {shape}, found {made.shape} and {len(names)} names")
    made.columns = names
    return _finish(made, attrs, allows_duplicates)


def _encode_series(series: Any) -> Any:
    allows_duplicates = series.flags.allows_duplicate_labels
    return len(series), series.index, series.name, _array_of(series), series.attrs, allows_duplicates


def _decode_series(state: Any) -> Any:
    length, index, name, array, attrs, allows_duplicates = state
    made = _to_series(array, index)
    if len(made) != length:
        raise ValueError(f"expected a series of {length}, found {len(made)}")
    made.name = name
    return _finish(made, attrs, allows_duplicates)


def _finish(made: Any, attrs: Any, allows_duplicates: bool) -> Any:
    made.attrs = attrs
    return made if allows_duplicates else made.set_flags(allows_duplicate_labels=False)


def _array_of(held: Any) -> Any:
    """Return the array of a series or index: numpy's own where pandas only wraps one."""
    import pandas as pd

    array = held.array
    return array.to_numpy() if type(array) is pd.arrays.NumpyExtensionArray else array


def _to_series(array: Any, index: Any) -> Any:
    import pandas as pd

    return pd.Series(array, index=index, dtype=array.dtype, copy=False)


# Indexes


def _encode_index(index: Any) -> Any:
    return _array_of(index), index.name


def _decode_index(state: Any) -> Any:
    import pandas as pd

    array, name = state
    return pd.Index(array, dtype=array.dtype, name=name, copy=False, tupleize_cols=False)


def _encode_range(index: Any) -> Any:
    return index.start, index.stop, index.step, index.name


def _decode_range(state: Any) -> Any:
    import pandas as pd

    start, stop, step, name = state
    return pd.RangeIndex(start, stop, step, name=name)


def _encode_multi(index: Any) -> Any:
    import numpy as np

    # Levels and their order are part of the value: unstack and groupby show them.
    return tuple(index.levels), tuple(np.asarray(codes) for codes in index.codes), tuple(index.names)


def _decode_multi(state: Any) -> Any:
    import pandas as pd

    levels, codes, names = state
    return pd.MultiIndex(levels, codes, names=names, verify_integrity=True)


def _encode_timed(index: Any) -> Any:
    return index.array, index.freqstr, index.name


def _decode_datetimes(state: Any) -> Any:
    import pandas as pd

    array, frequency, name = state
    return pd.DatetimeIndex(array, freq=frequency, name=name)


def _decode_timedeltas(state: Any) -> Any:
    import pandas as pd

    array, frequency, name = state
    return pd.TimedeltaIndex(array, freq=frequency, name=name)


# Arrays


def _encode_instants(array: Any) -> Any:
    import numpy as np

    return np.asarray(array.view(f"M8[{array.unit}]") if array.tz is None else array.tz_convert(None)), array.tz


def _decode_instants(state: Any) -> Any:
    import pandas as pd

    instants, zone = state
    index = pd.DatetimeIndex(instants)
    return (index if zone is None else index.tz_localize("UTC").tz_convert(zone)).array


def _encode_periods(array: Any) -> Any:
    return array.asi8, array.freqstr


def _decode_periods(state: Any) -> Any:
    import pandas as pd

    ordinals, frequency = state
    return pd.PeriodIndex.from_ordinals(ordinals, freq=frequency).array


def _encode_intervals(array: Any) -> Any:
    return array.left, array.right, array.closed


def _decode_intervals(state: Any) -> Any:
    import pandas as pd

    left, right, closed = state
    return pd.arrays.IntervalArray.from_arrays(left, right, closed)


def _encode_categorical(array: Any) -> Any:
    import numpy as np

    return np.asarray(array.codes), array.categories, bool(array.ordered)


def _decode_categorical(state: Any) -> Any:
    import pandas as pd

    codes, categories, is_ordered = state
    return pd.Categorical.from_codes(codes, categories, ordered=is_ordered)


def _encode_masked(array: Any) -> Any:
    mask = array.isna()
    values = array.to_numpy(dtype=array.dtype.numpy_dtype, na_value=array.dtype.numpy_dtype.type(0))
    return type(array).__name__, values, mask if mask.any() else None


def _decode_masked(state: Any) -> Any:
    import numpy as np
    import pandas as pd

    name, values, mask = state
    if name not in _MASKED:
        raise ValueError(f"no class of masked arrays: {name!r}")
    return getattr(pd.arrays, name)(values, np.zeros(values.shape, bool) if mask is None else mask)


def _encode_strings(array: Any) -> Any:
    import pandas as pd

    return array.dtype.storage, array.dtype.na_value is not pd.NA, array.to_numpy(dtype=object, na_value=None)


def _decode_strings(state: Any) -> Any:
    import numpy as np
    import pandas as pd

    storage, is_nan, texts = state
    dtype = pd.StringDtype(storage, na_value=np.nan) if is_nan else pd.StringDtype(storage)
    return pd.array(texts, dtype=dtype)


def _encode_arrow(array: Any) -> Any:
    import pyarrow as pa

    made = pa.array(array)
    return (made if isinstance(made, pa.ChunkedArray) else pa.chunked_array([made]),)


def _decode_arrow(state: Any) -> Any:
    import pandas as pd

    (chunked,) = state
    return pd.arrays.ArrowExtensionArray(chunked)


# Scalars


def _encode_timestamp(value: Any) -> Any:
    return (value if value.tz is None else value.tz_convert(None)).asm8, value.tz


def _decode_timestamp(state: Any) -> Any:
    import pandas as pd

    instant, zone = state
    made = pd.Timestamp(instant)
    return made if zone is None else made.tz_localize("UTC").tz_convert(zone)


def _decode_period(state: Any) -> Any:
    import pandas as pd

    ordinal, frequency = state
    return pd.Period(ordinal=ordinal, freq=frequency)
