"""Canonical bytes of a node: ``[kind, [links...], body]`` in msgpack.  Normative page: docs/format/object.md.

The invariant: one node has exactly one encoding.  The body holds only nil, booleans, integers of 64 bits, float64,
str, bin and arrays, never maps or extensions, so that msgpack's shortest forms are the only spelling; the decoder
refuses bytes that do not re-encode to themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgpack

from redun.errors import ObjectError
from redun.hashing import OID_SIZE, Oid, hash_node

Body = Any
"""None, bool, int (64 bits), float, str, bytes, or a list of these, nested at most MAX_DEPTH deep."""

Encoded = tuple[Oid, bytes]
"""A node's oid and its canonical bytes."""

MAX_DEPTH = 500
_KIND_LIMIT = 128
_LINK_TYPES = {bytes}
_SIZES = {OID_SIZE}


class Node(NamedTuple):
    """A decoded node."""

    kind: int
    links: list[Oid]
    body: Body


class NotCanonical(ObjectError):
    """Bytes that claim to be a node are not its canonical encoding."""


class NotEncodable(ObjectError):
    """A body holds something that canonical bytes have no form for."""


_pack = msgpack.Packer(use_bin_type=True, strict_types=True).pack


def encode_node(kind: int, links: Sequence[Oid], body: Body) -> Encoded:
    """Encode a node; return its oid and its canonical bytes.

    Raises:
        NotEncodable: the body holds another type, an integer beyond 64 bits, a lone surrogate, or nests too deep.
    """
    try:
        data: bytes = _pack([int(kind), list(links), body])
    except (TypeError, ValueError, OverflowError) as error:
        raise NotEncodable(f"the body of a node of kind {kind} cannot be encoded: {error}") from error
    return hash_node(data), data


def decode_node(data: bytes) -> Node:
    """Decode canonical bytes.

    Raises:
        NotCanonical: the bytes are not msgpack, not of a node's form, or not the one encoding of what they say.
    """
    try:
        # Timestamps pass by ext_hook; as datetimes, the packer below has no form for them.
        fields = msgpack.unpackb(data, object_pairs_hook=_refuse_map, ext_hook=_refuse_extension, timestamp=3)
    except (ValueError, OverflowError, msgpack.exceptions.UnpackException, RecursionError) as error:
        raise NotCanonical(f"not a node: {error}") from None
    if not isinstance(fields, list) or len(fields) != 3:
        raise NotCanonical("not a node: expected an array of kind, links and body")
    kind, links, body = fields
    if type(kind) is not int or not 0 < kind < _KIND_LIMIT:
        raise NotCanonical(f"not a node: expected a kind from 1 to {_KIND_LIMIT - 1}, found {kind!r}")
    if type(links) is not list or (links and (set(map(type, links)) != _LINK_TYPES or set(map(len, links)) != _SIZES)):
        raise NotCanonical(f"not a node: expected links of {OID_SIZE} bytes each")
    try:
        canonical = _pack(fields) == data
    except (TypeError, ValueError, OverflowError) as error:
        raise NotCanonical(f"not a node: {error}") from None
    if not canonical:
        raise NotCanonical("not canonical: the bytes do not re-encode to themselves")
    return Node(kind, links, body)


def decode_body(data: bytes) -> Body:
    """Decode the canonical bytes of a body alone.  Raises NotCanonical as ``decode_node`` does."""
    try:
        body = msgpack.unpackb(data, object_pairs_hook=_refuse_map, ext_hook=_refuse_extension, timestamp=3)
        canonical = _pack(body) == data
    except (TypeError, ValueError, OverflowError, msgpack.exceptions.UnpackException, RecursionError) as error:
        raise NotCanonical(f"not a body: {error}") from None
    if not canonical:
        raise NotCanonical("not canonical: the body does not re-encode to itself")
    return body


def _refuse_map(_pairs: list[tuple[Any, Any]]) -> Any:
    raise ValueError("a map has no place in a node")


def _refuse_extension(code: int, _data: bytes) -> Any:
    raise ValueError(f"extension type {code} has no place in a node")
