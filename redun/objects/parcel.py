"""A parcel: some objects and a header, as one piece of bytes to be sent.  Normative page: docs/format/parcel.md.

The invariant: a parcel is opened whole or refused.  One that was cut short or changed on the way does not fit its
digest, and each object is checked against its name.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgpack
from blake3 import blake3

from redun.errors import ObjectError
from redun.hashing import OID_SIZE, Oid, hash_blob, hash_node
from redun.objects.kinds import Kind

MAGIC = b"redun-parcel 1\n\0"
_HEAD = struct.Struct(f"<{len(MAGIC)}sQ32s")
_BLOB = int(Kind.BLOB)


class ParcelDamaged(ObjectError):
    """Bytes that claim to be a parcel are cut short, changed, or none."""


class Parcel(NamedTuple):
    """A parcel that was opened."""

    header: Any  # plain data, as its writer put it
    objects: Mapping[Oid, tuple[int, bytes]]  # kind and bytes


def encode_parcel(header: Any, objects: Iterable[tuple[Oid, bytes, int]]) -> bytes:
    """Return a parcel.

    Args:
        header: None, booleans, ints of 64 bits, floats, texts, bytes and lists of these.
        objects: (oid, bytes, kind); one that comes again is left out.
    """
    rows: dict[Oid, list[Any]] = {}
    for oid, data, kind in objects:
        if oid not in rows:
            rows[oid] = [oid, int(kind), data]
    body: bytes = msgpack.packb([header, list(rows.values())], use_bin_type=True)
    return _HEAD.pack(MAGIC, len(body), blake3(body).digest()) + body


def decode_parcel(data: bytes) -> Parcel:
    """Open a parcel.

    Raises:
        ParcelDamaged: it is none, or not as it was made; it says what was expected and what was found.
    """
    if len(data) < _HEAD.size or not data.startswith(MAGIC):
        raise ParcelDamaged(f"expected a parcel, found {len(data)} bytes that begin with {data[: len(MAGIC)]!r}")
    _, length, digest = _HEAD.unpack_from(data)
    body = memoryview(data)[_HEAD.size :]
    if len(body) != length:
        raise ParcelDamaged(f"a parcel is cut short: expected {length} bytes, found {len(body)}")
    if blake3(body).digest() != digest:
        raise ParcelDamaged("a parcel was changed on the way: its bytes do not fit their digest")
    try:
        header, rows = msgpack.unpackb(body, strict_map_key=False)
        objects = {Oid(oid): (kind, content) for oid, kind, content in rows}
    except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise ParcelDamaged(f"the body of a parcel cannot be read: {error}") from None
    for oid, (kind, content) in objects.items():
        _check(oid, kind, content)
    return Parcel(header, objects)


def _check(oid: Any, kind: Any, content: Any) -> None:
    is_formed = type(oid) is bytes and len(oid) == OID_SIZE and type(kind) is int and type(content) is bytes
    if not is_formed or (hash_blob(content) if kind == _BLOB else hash_node(content)) != oid:
        raise ParcelDamaged("an object in a parcel does not hash to its name")
