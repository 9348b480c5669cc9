"""A value with everything it needs in one byte string: for a pipe, a queue, or a hook that wants bytes.

The string is the msgpack array of the canonical bytes (or contents) of its objects, the value itself last, each with
its kind in front: ``[kind, bytes, kind, bytes, ...]``.
"""

from __future__ import annotations

from typing import Any

import msgpack

from redun.hashing import Oid, hash_blob, hash_node
from redun.value.encoder import BLOB_KIND
from redun.value.encoding import decode_value, encode_value
from redun.value.errors import InvalidValueError


def dump_value(value: Any) -> bytes:
    """Return a value as one byte string.

    Raises:
        ValueNotEncodable: the value has no form.
    """
    encoded = encode_value(value)
    flat: list[int | bytes] = []
    for _, data, kind in encoded.parts:
        flat += (int(kind), data)
    flat += (encoded.kind, encoded.data)
    dumped: bytes = msgpack.packb(flat, use_bin_type=True)
    return dumped


def load_value(dumped: bytes) -> Any:
    """Return the value that ``dump_value`` wrote.

    Raises:
        InvalidValueError: these are no such bytes, or the value cannot be read back.
    """
    try:
        flat = msgpack.unpackb(dumped)
        objects: dict[Oid, bytes] = {}
        for kind, data in zip(flat[::2], flat[1::2]):
            oid = hash_blob(data) if kind == BLOB_KIND else hash_node(data)
            objects[oid] = data
    except (TypeError, ValueError, IndexError, msgpack.exceptions.UnpackException) as error:
        raise InvalidValueError(f"expected a dumped value, found other bytes: {error}") from None
    if not objects:
        raise InvalidValueError("expected a dumped value, found nothing")
    try:
        return decode_value(oid, objects.__getitem__)
    except KeyError:
        raise InvalidValueError("a dumped value lacks an object that it links to") from None
