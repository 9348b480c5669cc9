"""BLAKE3 digests and the node key.  Normative page: docs/format/hashing.md.

Two families of names never meet: a *blob* is named by the plain BLAKE3 of its bytes (what ``b3sum`` prints), a *node*
by BLAKE3 in keyed mode with one fixed public key.  So no file content can ever be passed off as a node.
"""

from __future__ import annotations

from typing import BinaryIO, NewType, Union

from blake3 import blake3

Oid = NewType("Oid", bytes)
"""The 32 raw bytes that name an object."""

Buffer = Union[bytes, bytearray, memoryview]

OID_SIZE = 32
NODE_KEY = b"redun/node/1".ljust(32, b"\0")
_NODES = blake3(key=NODE_KEY)  # never updated itself
READ_SIZE_BYTES = 1 << 20


def hash_blob(content: Buffer) -> Oid:
    """Return the oid of raw bytes: their plain BLAKE3-256 digest."""
    return Oid(blake3(content).digest())


def hash_node(canonical: Buffer) -> Oid:
    """Return the oid of a node, given its canonical bytes."""
    hasher = _NODES.copy()  # 0.1 us less than to take the key in again
    hasher.update(canonical)
    return Oid(hasher.digest())


def hash_stream(stream: BinaryIO) -> tuple[Oid, int]:
    """Hash a binary stream to its end in pieces of 1 MiB; return its blob oid and its size in bytes."""
    hasher = blake3()
    size = 0
    while piece := stream.read(READ_SIZE_BYTES):
        hasher.update(piece)
        size += len(piece)
    return Oid(hasher.digest()), size
