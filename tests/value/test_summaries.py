"""Objects of foreign packages are shown in one line, from their payload alone."""

from __future__ import annotations

import pytest

from redun.value.summaries import summarize

TEXTS = [25, "numpy.ndarray", [2, "|O", [2, 2], [2, "texts", b"\1\0\0\0\1\0\0\0", b"ab"]]]
INDEX = [25, "pandas.Index", [2, TEXTS, None]]


@pytest.mark.parametrize(
    ("codec", "state", "text"),
    [
        ("numpy.ndarray", [2, "<i8", [2, 3], b""], "numpy.ndarray(dtype='<i8', shape=(3,))"),
        ("numpy.generic", [2, "<f4", b"\0\0\x80?"], "numpy.float32(1.0)"),
        ("pandas.DataFrame", [2, [2, 3, 2], None, INDEX], "pandas.DataFrame(3 rows x 2 columns: a, b)"),
        (
            "pandas.DataFrame",
            [2, [2, 3, 2], None, [25, "pandas.RangeIndex", 1]],
            "pandas.DataFrame(3 rows x 2 columns)",
        ),
        ("pandas.Series", [2, 3, None, "x"], "pandas.Series(3 rows, name='x')"),
        ("pandas.Series", [2, 3, None, [2, "x"]], "pandas.Series(3 rows)"),
        ("pyarrow.Table", [2, 3, [2, [2, "a", "int64"]]], "pyarrow.Table(3 rows x 1 columns: a)"),
        ("pyarrow.Array", [2, [2, "timestamp", "s", None], [2, 5, None, b""]], "pyarrow.Array(timestamp, 5 elements)"),
    ],
)
def test_known_codecs_have_a_line(codec, state, text):
    """Shape, dtype and the names of columns stand in the line."""
    assert summarize(codec, state) == text


@pytest.mark.parametrize(
    ("codec", "state"),
    [
        ("test.meter", [2, 1]),
        ("numpy.ndarray", 5),
        ("numpy.ndarray", [2, "<i8"]),
        ("numpy.generic", [2, "<f8", b"short"]),
        ("pandas.DataFrame", [2, [2, 3], None, INDEX]),
    ],
)
def test_other_states_have_none(codec, state):
    """An unknown codec and a state of another form are left to be shown as they are."""
    assert summarize(codec, state) is None
