"""What is in an Arrow array, as plain data: ``(length, validity, part, ...)``.

Normative page: docs/format/foreign-value.md.

Theory of operation.  Two equal arrays may differ in all their buffers: one is a slice, one has a validity buffer with
no null in it, one has other bytes under its nulls.  So nothing is taken over as it lies: each buffer is cut to the
slice, offsets are made to begin at 0, and what is under a null is zero or empty.  A null list or text gets no elements,
and a null struct gets nulls in its children.  Back, buffers of the form that Arrow specifies are made of the parts, so
that all types go one way: ``Array.from_buffers``, which ``validate`` then checks.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from redun.value.errors import NoPlainForm

if TYPE_CHECKING:
    import numpy as np


def encode_array(array: Any) -> Any:
    """Return the content of an array.  Raises NoPlainForm for types that the page does not list."""
    import pyarrow as pa

    if sys.byteorder != "little":
        raise NoPlainForm("its buffers are big-endian")
    length, data_type, types = len(array), array.type, pa.types
    if types.is_null(data_type):
        return length, None
    validity = None if array.null_count == 0 else _bits(_is_valid(array))
    if types.is_dictionary(data_type):
        return length, validity, encode_array(array.indices), encode_array(array.dictionary)
    if types.is_struct(data_type):
        # Flattened, a child is null where its parent is.
        return length, validity, *map(encode_array, array.flatten())
    if types.is_fixed_size_list(data_type):
        return length, validity, encode_array(array.flatten())
    if types.is_list(data_type) or types.is_large_list(data_type) or types.is_map(data_type):
        return length, validity, *_encode_lists(array)
    if types.is_boolean(data_type):
        return length, validity, _bits(_fixed(array.cast(pa.uint8()), 1))
    if types.is_string(data_type) or types.is_binary(data_type):
        return length, validity, *_encode_texts(array, "<i4")
    if types.is_large_string(data_type) or types.is_large_binary(data_type):
        return length, validity, *_encode_texts(array, "<i8")
    if types.is_primitive(data_type) or types.is_decimal(data_type) or types.is_fixed_size_binary(data_type):
        return length, validity, _fixed(array, data_type.bit_width // 8).tobytes()
    raise NoPlainForm(f"an Arrow array that has no form: {data_type}")


def _is_valid(array: Any) -> np.ndarray[Any, Any]:
    made: np.ndarray[Any, Any] = array.is_valid().to_numpy(zero_copy_only=False)
    return made


def _bits(flags: np.ndarray[Any, Any]) -> bytes:
    import numpy as np

    return np.packbits(flags.reshape(-1).astype(bool), bitorder="little").tobytes()


def _fixed(array: Any, width: int) -> np.ndarray[Any, Any]:
    """Return the bytes of elements of one width, a row for each, zero where null."""
    import numpy as np

    if len(array) == 0 or width == 0:
        return np.zeros((len(array), width), "u1")
    content = np.frombuffer(array.buffers()[1], "u1", len(array) * width, array.offset * width)
    rows = content.reshape(len(array), width)
    return rows if array.null_count == 0 else rows * _is_valid(array).astype("u1")[:, None]


def _encode_texts(array: Any, offset_type: str) -> tuple[bytes, bytes]:
    import numpy as np

    if len(array) == 0:
        return np.zeros(1, offset_type).tobytes(), b""
    if array.null_count:
        array = array.fill_null("" if _is_text(array.type) else b"")
    _, offsets, content = array.buffers()
    bounds = np.frombuffer(offsets, offset_type, len(array) + 1, array.offset * np.dtype(offset_type).itemsize)
    first, last = int(bounds[0]), int(bounds[-1])
    return (bounds - bounds[0]).tobytes(), b"" if content is None else content.slice(first, last - first).to_pybytes()


def _is_text(data_type: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(data_type) or pa.types.is_large_string(data_type))


def _encode_lists(array: Any) -> tuple[bytes, Any]:
    import numpy as np
    import pyarrow as pa

    if pa.types.is_map(array.type):
        # Arrow gives the elements of a map in pieces only; as a list of structs it is the same buffers.
        entries = pa.struct([array.type.key_field, array.type.item_field])
        bare = pa.list_(pa.field("entries", entries, nullable=False))
        array = pa.Array.from_buffers(
            bare, len(array), array.buffers()[:2], offset=array.offset, children=[_entries_of(array, entries)]
        )
    wide = pa.types.is_large_list(array.type)
    lengths = array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(array) + 1, "<i8" if wide else "<i4")
    np.cumsum(lengths, out=offsets[1:])
    return offsets.tobytes(), encode_array(array.flatten())


def _entries_of(array: Any, entries: Any) -> Any:
    import pyarrow as pa

    # Both are whole, not cut to the slice, as the offsets expect.
    return pa.StructArray.from_arrays([array.keys, array.items], fields=list(entries))


def decode_array(data_type: Any, content: Any) -> Any:
    """Return the array of a type and a content.  Raises ValueError, or Arrow's own, for a content that does not fit."""
    import pyarrow as pa

    length, validity, *parts = content
    if pa.types.is_dictionary(data_type):
        indices = decode_array(data_type.index_type, parts[0])
        dictionary = decode_array(data_type.value_type, parts[1])
        made = pa.DictionaryArray.from_arrays(indices, dictionary, ordered=data_type.ordered)
    else:
        buffers = [None if validity is None else pa.py_buffer(_checked(validity, (length + 7) // 8))]
        buffers += [pa.py_buffer(part) for part in parts if type(part) is bytes]
        children = _decode_children(data_type, [part for part in parts if type(part) is not bytes], length, validity)
        made = pa.Array.from_buffers(data_type, length, buffers, children=children)
    made.validate(full=True)
    return made


def _decode_children(data_type: Any, contents: list[Any], length: int, validity: bytes | None) -> list[Any] | None:
    import pyarrow as pa

    types = pa.types
    if types.is_struct(data_type):
        return [decode_array(data_type.field(i).type, content) for i, content in enumerate(contents)]
    if types.is_map(data_type):
        return [decode_array(pa.struct([data_type.key_field, data_type.item_field]), contents[0])]
    if types.is_fixed_size_list(data_type):
        return [_spread(decode_array(data_type.value_type, contents[0]), data_type.list_size, length, validity)]
    if types.is_list(data_type) or types.is_large_list(data_type):
        return [decode_array(data_type.value_type, contents[0])]
    return None


def _spread(elements: Any, size: int, length: int, validity: bytes | None) -> Any:
    """Return the elements of lists of one size with room for those of null lists, which are not in the content."""
    import numpy as np
    import pyarrow as pa

    if validity is None:
        return elements
    is_there = np.unpackbits(np.frombuffer(validity, "u1"), count=length, bitorder="little").astype(bool)
    places = np.zeros((length, size), "i8")
    places[is_there] = np.arange(is_there.sum() * size).reshape(-1, size)
    mask = np.repeat(~is_there, size)
    return elements.take(pa.array(places.reshape(-1), mask=mask))


def _checked(content: bytes, size: int) -> bytes:
    if len(content) != size:
        raise ValueError(f"expected {size} bytes, found {len(content)}")
    return content
