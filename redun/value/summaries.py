"""One line for an object of numpy, pandas or Arrow, made from its payload alone, without the package.

Normative page of the payloads: docs/format/foreign-value.md.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from redun.value.tags import BLOB_BYTES, FOREIGN, LIST, TUPLE, Payload

_MAX_NAMES = 8

_NUMBERS = {
    "|b1": ("bool", "?"),
    "|i1": ("int8", "b"),
    "|u1": ("uint8", "B"),
    "<i2": ("int16", "<h"),
    "<u2": ("uint16", "<H"),
    "<i4": ("int32", "<i"),
    "<u4": ("uint32", "<I"),
    "<i8": ("int64", "<q"),
    "<u8": ("uint64", "<Q"),
    "<f2": ("float16", "<e"),
    "<f4": ("float32", "<f"),
    "<f8": ("float64", "<d"),
}
"""Name and struct code of numpy's plain numbers, by dtype."""


def summarize(codec: str, state: Payload) -> str | None:
    """Return the line of a state, None when the codec is not one of those known or the state not of its form."""
    make = _SUMMARIES.get(codec)
    try:
        return None if make is None else make(codec, _members(state))
    except (TypeError, ValueError, IndexError, struct.error):
        return None


def _members(state: Payload) -> list[Payload]:
    """Return the members of a tuple or list; those that it has so far when it is cut."""
    if type(state) is not list or state[0] not in {TUPLE, LIST}:
        raise ValueError("expected a tuple")
    return state[1:]


def _scalar(_codec: str, fields: list[Payload]) -> str:
    dtype, content = fields
    if dtype in {"str", "bytes"}:
        return f"numpy.{dtype}_({content!r})"
    if dtype in _NUMBERS:
        name, code = _NUMBERS[dtype]
        return f"numpy.{name}({struct.unpack(code, content)[0]!r})"
    return f"numpy.generic(dtype={_dtype(dtype)})"


def _dtype(form: Payload) -> str:
    return repr(form) if type(form) is str else str(_members(form)[0])


def _array(codec: str, fields: list[Payload]) -> str:
    shape = tuple(_members(fields[1]))
    return f"{codec}(dtype={_dtype(fields[0])}, shape={shape})"


def _masked(codec: str, fields: list[Payload]) -> str:
    return _array(codec, _members(fields[0][2]))


def _frame(codec: str, fields: list[Payload]) -> str:
    n_rows, n_columns = _members(fields[0])
    names = _names(fields[2])
    return f"{codec}({n_rows} rows x {n_columns} columns{'' if names is None else f': {names}'})"


def _series(codec: str, fields: list[Payload]) -> str:
    name = "" if type(fields[2]) is list else f", name={fields[2]!r}"
    return f"{codec}({fields[0]} rows{name})"


def _names(index: Payload) -> str | None:
    """Return the texts of an Index of texts, as far as there is room."""
    if type(index) is not list or index[:2] != [FOREIGN, "pandas.Index"]:
        return None
    array = _members(index[2])[0]
    if array[:2] == [FOREIGN, "pandas.StringArray"]:
        array = _members(array[2])[2]
    content = _members(_members(array[2])[2])
    if content[0] != "texts" or type(content[2]) is not bytes or content[1][:1] == [BLOB_BYTES]:
        return None
    sizes = struct.unpack(f"<{len(content[1]) // 4}i", content[1])
    texts, start = [], 0
    for size in sizes[:_MAX_NAMES]:
        texts.append(content[2][start : start + max(size, 0)].decode("utf-8", "replace"))
        start += max(size, 0)
    return ", ".join(texts) + (", ..." if len(sizes) > _MAX_NAMES else "")


def _table(codec: str, fields: list[Payload]) -> str:
    names = [str(_members(field)[0]) for field in _members(fields[1])]
    shown = ", ".join(names[:_MAX_NAMES]) + (", ..." if len(names) > _MAX_NAMES else "")
    return f"{codec}({fields[0]} rows x {len(names)} columns: {shown})"


def _arrow_array(codec: str, fields: list[Payload]) -> str:
    return f"{codec}({_arrow_type(fields[0])}, {_members(fields[1])[0]} elements)"


def _arrow_type(form: Payload) -> str:
    return form if type(form) is str else str(_members(form)[0])


_SUMMARIES: dict[str, Callable[[str, list[Payload]], str]] = {
    "numpy.generic": _scalar,
    "numpy.ndarray": _array,
    "numpy.ma.MaskedArray": _masked,
    "pandas.DataFrame": _frame,
    "pandas.Series": _series,
    "pyarrow.Table": _table,
    "pyarrow.RecordBatch": _table,
    "pyarrow.Array": _arrow_array,
    "pyarrow.ChunkedArray": _arrow_array,
}
