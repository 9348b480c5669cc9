"""The bytes of a pack: blocks, links in their short forms, directory, trailer.  Normative page: docs/format/pack.md.

The invariant: what goes in comes out byte for byte, and decompression never takes more memory than the directory
declares, nor more than 1 GiB.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgpack
import zstandard

from redun.hashing import OID_SIZE, Buffer, Oid
from redun.objects.kinds import Kind
from redun.store.base import ObjectCorrupt
from redun.store.canonical import KIND_COUNT, join_node, split_node
from redun.store.storage import Sliced

FOLDER = "objects/pack"
PACK_SUFFIX, IDX_SUFFIX = ".pack", ".idx"
MAGIC = b"RDNP"
VERSION = 1
HEAD = struct.pack("<4sI", MAGIC, VERSION)
TRAILER = struct.Struct("<QI4s")
BLOCK_SIZE_BYTES = 64 * 1024
LINK_WEIGHT_BYTES = 8
MAX_RAW_SIZE_BYTES = 1 << 30
ZSTD_LEVEL = 3  # level 9 saves 3 % and takes four times as long
_BLOB = int(Kind.BLOB)  # comparing with a member of an enum costs three times as much

Record = Any
"""A blob's content, or [links in their short forms, the body's canonical bytes]."""


class BlockRow(NamedTuple):
    """Where a block lies."""

    offset: int
    compressed_size: int
    raw_size: int
    first: int  # ordinal of its first object


class Directory(NamedTuple):
    """What the end of a pack says of it."""

    ends: list[int]  # of each kind, the ordinal after its last object
    rows: list[BlockRow]


def pack_name(oid: Oid) -> str:
    """Return where a pack lies in its storage."""
    return f"{FOLDER}/{oid.hex()}{PACK_SUFFIX}"


def idx_name(oid: Oid) -> str:
    """Return where a pack's idx lies in its storage."""
    return f"{FOLDER}/{oid.hex()}{IDX_SUFFIX}"


class BlockEncoder:
    """Gathers the records of one block."""

    def __init__(self, ordinals: dict[Oid, int]) -> None:
        """Start an empty block; ``ordinals`` names the objects of the pack so far and grows beside it."""
        self._ordinals = ordinals
        self._records: list[Record] = []
        self._previous: Sequence[int | None] = ()  # what the links of the record before lead to; None: elsewhere
        self.weight = 0  # what decides when the block ends

    def add(self, kind: int, data: bytes, ordinal: int) -> None:
        """Add an object.  Raises NotCanonical for a node that is none."""
        if kind == _BLOB:
            self._records.append(data)
            self.weight += len(data)
            return
        links, body = split_node(data)
        self._records.append([self._shorten(links, ordinal), body])
        self.weight += len(body) + LINK_WEIGHT_BYTES * len(links)

    def finish(self) -> bytes:
        """Return the block before compression."""
        raw: bytes = msgpack.packb(self._records)
        return raw

    def _shorten(self, links: list[Oid], ordinal: int) -> list[int | Oid]:
        if not links:
            self._previous = ()
            return []
        targets = list(map(self._ordinals.get, links))
        previous = self._previous
        self._previous = targets
        if len(previous) < len(targets):
            previous = [*previous, *[None] * (len(targets) - len(previous))]
        return [
            link if target is None else -target if target == before else ordinal - target
            for link, target, before in zip(links, targets, previous)
        ]


def restore_object(kind: int, record: Record, ordinal: int, name_of: Callable[[int], Oid]) -> bytes:
    """Return an object's bytes from its record.

    Args:
        kind: the object's kind.
        record: from a decoded block.
        ordinal: the object's place in its pack.
        name_of: gives the oid at an ordinal of the pack.

    Raises:
        ValueError, TypeError: this is no record of that kind.
    """
    if kind == _BLOB:
        if type(record) is not bytes:
            raise TypeError("expected a blob's content")
        return record
    links, body = restore_parts(record, ordinal, name_of)
    return join_node(kind, links, body)


def restore_parts(record: Record, ordinal: int, name_of: Callable[[int], Oid]) -> tuple[list[Oid], bytes]:
    """Return a node's links and the canonical bytes of its body from its record; as ``restore_object`` otherwise."""
    forms, body = record
    links: list[Oid] = []
    for form in forms:
        if type(form) is int:
            links.append(name_of(ordinal - form if form > 0 else -form))
        elif type(form) is bytes and len(form) == OID_SIZE:
            links.append(Oid(form))
        else:
            raise TypeError("expected a link")
    if type(body) is not bytes:
        raise TypeError("expected a body")
    return links, body


def decode_block(frame: Buffer, row: BlockRow, count: int, where: str) -> list[Record]:
    """Decompress a block and return its records.

    Raises:
        ObjectCorrupt: the checksum, the size or the number of records does not fit.
    """
    # The size is compared before anything is allocated: it bounds what a hostile frame can take.
    try:
        declared = zstandard.get_frame_parameters(frame).content_size
        if declared != row.raw_size or declared > MAX_RAW_SIZE_BYTES:
            raise ObjectCorrupt(None, where, f"a block declares {declared} bytes, the directory {row.raw_size}")
        records = msgpack.unpackb(zstandard.ZstdDecompressor().decompress(frame))
    except (ValueError, zstandard.ZstdError) as error:
        raise ObjectCorrupt(None, where, f"the block at byte {row.offset}: {error}") from None
    if type(records) is not list or len(records) != count:
        raise ObjectCorrupt(None, where, f"the block at byte {row.offset} does not hold {count} records")
    return records


def encode_directory(ends: list[int], rows: list[BlockRow]) -> bytes:
    """Return the directory of a pack."""
    data: bytes = msgpack.packb([ends, rows])
    return data


def decode_directory(data: Buffer, where: str) -> Directory:
    """Read a directory.

    Raises:
        ObjectCorrupt: it is none, or contradicts itself.
    """
    try:
        ends, raw_rows = msgpack.unpackb(data)
        rows = [BlockRow(*row) for row in raw_rows]
        numbers = [*ends, *(number for row in rows for number in row)]
        if len(ends) != KIND_COUNT or not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError("expected an end of each kind, and four numbers a block")
        firsts = [row.first for row in rows]
        if ends != sorted(ends) or firsts != sorted(set(firsts)) or firsts[:1] not in ([0], []):
            raise ValueError("ordinals do not ascend")
        if ends[-1] <= (firsts[-1] if firsts else -1) or (ends[-1] and not firsts):
            raise ValueError("objects and blocks do not match")
    except (ValueError, TypeError) as error:
        raise ObjectCorrupt(None, where, f"the directory: {error}") from None
    return Directory(ends, rows)


def locate_directory(content: Sliced, where: str) -> tuple[int, int]:
    """Return offset and size of a whole pack's directory, from its trailer.

    Raises:
        ObjectCorrupt: head or trailer are not those of a pack, or the size does not fit.
    """
    whole = len(content)
    if whole < len(HEAD) + TRAILER.size or bytes(content[: len(HEAD)]) != HEAD:
        raise ObjectCorrupt(None, where, f"expected a pack of version {VERSION}")
    offset, size, magic = TRAILER.unpack(content[whole - TRAILER.size : whole])
    if magic != MAGIC or offset < len(HEAD) or offset + size + TRAILER.size != whole:
        raise ObjectCorrupt(None, where, "the trailer does not fit the file")
    return offset, size
