"""Codecs of Arrow's tables, batches, arrays, scalars, schemas and types.

The invariant: equal arrays have one form, however they are sliced and chunked and whatever lies under their nulls.
Normative page: docs/format/foreign-value.md.  How the contents of an array are written stands in ``arrow_arrays.py``.
Loaded, and with it pyarrow, only where somebody has such an object.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from redun.value.arrow_arrays import decode_array, encode_array
from redun.value.arrow_types import decode_field, decode_type, encode_field, encode_type
from redun.value.errors import NoPlainForm
from redun.value.objects import Codec


def list_codecs() -> Iterator[tuple[type, Codec]]:
    """Yield each type with its codec."""
    import pyarrow as pa

    for name, encode, decode in (
        ("Table", _encode_table, _decode_table),
        ("RecordBatch", _encode_batch, _decode_batch),
        ("ChunkedArray", _encode_chunked, _decode_chunked),
        ("Schema", _encode_schema, _decode_schema),
        ("Field", lambda field: (encode_field(field),), lambda state: decode_field(*state)),
    ):
        yield getattr(pa, name), Codec(f"pyarrow.{name}", encode, decode, f"pyarrow.{name}")
    families: tuple[Any, ...] = (
        (pa.Array, _encode_array, _decode_array),
        (pa.Scalar, _encode_scalar, _decode_scalar),
        (pa.DataType, lambda data_type: (encode_type(data_type),), lambda state: decode_type(*state)),
    )
    for base, encode, decode in families:
        for cls in _iter_family(base):
            yield cls, Codec(f"pyarrow.{base.__name__}", encode, decode, f"pyarrow.{cls.__name__}")


def _iter_family(base: Any) -> Iterator[Any]:
    yield base
    for cls in base.__subclasses__():
        if cls.__module__.partition(".")[0] == "pyarrow":
            yield from _iter_family(cls)


def _encode_schema(schema: Any) -> Any:
    return tuple(map(encode_field, schema)), schema.metadata


def _decode_schema(state: Any) -> Any:
    import pyarrow as pa

    fields, metadata = state
    return pa.schema(list(map(decode_field, fields)), metadata)


def _encode_table(table: Any) -> Any:
    columns = tuple(encode_array(_combined(column)) for column in table.columns)
    return table.num_rows, *_encode_schema(table.schema), columns


def _decode_table(state: Any) -> Any:
    import pyarrow as pa

    return pa.table(*_decode_columns(state))


def _encode_batch(batch: Any) -> Any:
    return batch.num_rows, *_encode_schema(batch.schema), tuple(map(encode_array, batch.columns))


def _decode_batch(state: Any) -> Any:
    import pyarrow as pa

    columns, schema = _decode_columns(state)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _decode_columns(state: Any) -> tuple[list[Any], Any]:
    n_rows, fields, metadata, contents = state
    schema = _decode_schema((fields, metadata))
    if len(contents) != len(schema) or any(content[0] != n_rows for content in contents):
        raise ValueError(f"expected {len(schema)} columns of {n_rows} rows")
    return [decode_array(field.type, content) for field, content in zip(schema, contents)], schema


def _combined(chunked: Any) -> Any:
    import pyarrow as pa

    made = chunked.combine_chunks()
    if isinstance(made, pa.ChunkedArray):
        raise NoPlainForm("its texts are too long for one chunk")
    return made


def _encode_array(array: Any) -> Any:
    return encode_type(array.type), encode_array(array)


def _decode_array(state: Any) -> Any:
    data_type, content = state
    return decode_array(decode_type(data_type), content)


def _encode_chunked(chunked: Any) -> Any:
    return _encode_array(_combined(chunked))


def _decode_chunked(state: Any) -> Any:
    import pyarrow as pa

    array = _decode_array(state)
    return pa.chunked_array([array], array.type)


def _encode_scalar(scalar: Any) -> Any:
    import pyarrow as pa

    return encode_type(scalar.type), encode_array(pa.repeat(scalar, 1))


def _decode_scalar(state: Any) -> Any:
    array = _decode_array(state)
    if len(array) != 1:
        raise ValueError(f"expected one element, found {len(array)}")
    return array[0]
