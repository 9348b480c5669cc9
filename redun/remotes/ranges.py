"""Single objects out of packs at a remote, without the rest of the packs.

The invariant: what is returned hashes to the name that was asked for.  The blocks that hold the objects are read by
ranges, those that lie close together as one, several at once; with the directories of the packs that makes two round
trips, however many objects are wanted.  Formats: docs/format/pack.md.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from redun.hashing import Buffer, Oid, hash_blob, hash_node
from redun.objects.kinds import Kind
from redun.remotes.remote import Remote
from redun.store.base import ObjectCorrupt
from redun.store.idx import Idx
from redun.store.pack_format import BlockRow, Directory, decode_block, decode_directory, pack_name, restore_object

MERGE_GAP_BYTES = 256 << 10
"""Blocks no further apart are read as one: a request costs what moving so much costs."""
_BLOB = int(Kind.BLOB)


class _Range(NamedTuple):
    """Blocks that are read at once: numbers ``first`` to ``last`` of a pack."""

    pack: Oid
    first: int
    last: int


def read_objects(remote: Remote, wanted: Mapping[Oid, Collection[int]]) -> Iterator[tuple[Oid, int, bytes]]:
    """Yield (oid, kind, bytes) of objects at a remote whose ``load_packs`` was called.

    Args:
        remote: where they are.
        wanted: for each pack, the ordinals of its objects.

    Raises:
        RemoteDamaged: a pack is not what its idx says; which of the objects came before says nothing.
        RemoteUnreachable: it cannot be read.
    """
    packs = [pack for pack, ordinals in wanted.items() if ordinals]
    idxs = [remote.packs[pack] for pack in packs]
    raw = remote.read_ranges(
        [(pack_name(pack), idx.directory_offset, idx.directory_size) for pack, idx in zip(packs, idxs)]
    )
    try:
        directories = {pack: _read_directory(pack, idx, data) for pack, idx, data in zip(packs, idxs, raw)}
        ranges = [one for pack in packs for one in _merge(pack, directories[pack], wanted[pack])]
        rows = [(directories[one.pack].rows[one.first], directories[one.pack].rows[one.last]) for one in ranges]
        pieces = remote.read_ranges(
            [
                (pack_name(one.pack), start.offset, end.offset + end.compressed_size - start.offset)
                for one, (start, end) in zip(ranges, rows)
            ]
        )
        for one, piece in zip(ranges, pieces):
            yield from _restore(one, directories[one.pack], remote.packs[one.pack], piece, wanted[one.pack])
    except ObjectCorrupt as error:
        raise remote.damaged(str(error)) from error


def _read_directory(pack: Oid, idx: Idx, data: Buffer) -> Directory:
    directory = decode_directory(data, pack_name(pack))
    if directory.ends != idx.ends:
        raise ObjectCorrupt(None, pack_name(pack), "the idx counts other objects than the pack")
    return directory


def _block_of(directory: Directory, ordinal: int) -> int:
    return bisect_right(directory.rows, ordinal, key=lambda row: row.first) - 1


def _merge(pack: Oid, directory: Directory, ordinals: Collection[int]) -> list[_Range]:
    """Return the ranges to read, each no longer than it must be for the gaps between them to be wide."""
    merged: list[_Range] = []
    for block in sorted({_block_of(directory, ordinal) for ordinal in ordinals}):
        if merged:
            before = directory.rows[merged[-1].last]
            if directory.rows[block].offset - before.offset - before.compressed_size <= MERGE_GAP_BYTES:
                merged[-1] = merged[-1]._replace(last=block)
                continue
        merged.append(_Range(pack, block, block))
    return merged


def _restore(
    one: _Range, directory: Directory, idx: Idx, piece: Buffer, ordinals: Collection[int]
) -> Iterator[tuple[Oid, int, bytes]]:
    """Yield the wanted objects of the blocks in a range."""
    where, view = pack_name(one.pack), memoryview(piece)
    start = directory.rows[one.first].offset
    chosen = set(ordinals)
    for block in range(one.first, one.last + 1):
        row = directory.rows[block]
        end = _end_of(directory, block)
        mine = [ordinal for ordinal in range(row.first, end) if ordinal in chosen]
        if not mine:
            continue
        at = row.offset - start
        records = decode_block(view[at : at + row.compressed_size], row, end - row.first, where)
        for ordinal in mine:
            kind, oid = idx.kind_at(ordinal), idx.oid_at(ordinal)
            try:
                data = restore_object(kind, records[ordinal - row.first], ordinal, idx.oid_at)
            except (ValueError, TypeError, IndexError) as error:
                raise ObjectCorrupt(oid, where, str(error)) from error
            if (hash_blob(data) if kind == _BLOB else hash_node(data)) != oid:
                raise ObjectCorrupt(oid, where, "the bytes do not hash to the name")
            yield oid, kind, data


def _end_of(directory: Directory, block: int) -> int:
    """Return the ordinal after the last object of a block."""
    rows: list[BlockRow] = directory.rows
    return rows[block + 1].first if block + 1 < len(rows) else directory.ends[-1]
