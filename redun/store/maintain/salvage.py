"""What can still be read of a damaged pack.  Format: docs/format/pack.md.

The invariant: an object that is given out hashes to its name, whatever else is wrong with the pack.

Each block is found by the pack's directory, or, where that is damaged, by going from frame to frame up to the first one
that is damaged too.  Which objects a pack should hold, and under which names, its idx says.  Where there is none, names
are computed as far as they follow from what can be read: an object that links to a lost one by number has none.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

import msgpack
import zstandard

from redun.errors import ObjectError
from redun.hashing import Buffer, Oid, hash_blob, hash_node
from redun.objects.codec import decode_node
from redun.objects.kinds import Kind
from redun.store.idx import Idx
from redun.store.maintain.fsck_objects import RECORDS
from redun.store.pack_format import (
    HEAD,
    MAX_RAW_SIZE_BYTES,
    BlockRow,
    Directory,
    Record,
    decode_block,
    decode_directory,
    locate_directory,
    restore_object,
)

_WINDOW_BYTES = 1 << 16
_BLOB = int(Kind.BLOB)


class _Block(NamedTuple):
    """A block that can be read."""

    row: BlockRow
    n_objects: int


class Salvage:
    """A damaged pack, as far as it can be read."""

    def __init__(self, content: Buffer, idx: Idx | None, where: str) -> None:
        """Look for the blocks.

        Args:
            content: the pack as it is; empty where it is missing.
            idx: what it should hold; None where nobody knows.
            where: what to call the pack in messages.
        """
        self._view = memoryview(content)
        self._idx = idx
        self._where = where
        directory = self._find_directory()
        self._ends = idx.ends if idx is not None else [] if directory is None else directory.ends
        blocks = [] if directory is None else self._test(directory)
        if sum(block.n_objects for block in blocks) < self.count:
            covered = {block.row.first for block in blocks}
            blocks += [block for block in self._iter_frames() if block.row.first not in covered]
        self._blocks = sorted(blocks, key=lambda block: block.row.first)

    @property
    def count(self) -> int:
        """How many objects the pack should hold; 0 where nobody knows."""
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[tuple[int, Oid, int, bytes]]:
        """Yield (ordinal, oid, kind, bytes) of what can be read, in order of ordinal."""
        computed: dict[int, Oid] = {}
        name_of: Callable[[int], Oid] = computed.__getitem__ if self._idx is None else self._idx.oid_at
        following = 0
        for row, count in self._blocks:
            for ordinal, record in enumerate(self._decode(row, count), row.first):
                if not following <= ordinal < self.count:
                    continue  # what a damaged directory says of one block may run into the next
                following = ordinal + 1
                kind = bisect_right(self._ends, ordinal)
                with suppress(ValueError, TypeError, LookupError, ObjectError):
                    data = restore_object(kind, record, ordinal, name_of)
                    oid = hash_blob(data) if kind == _BLOB else hash_node(data)
                    if self._idx is None:
                        _check_kind(kind, data)
                        computed[ordinal] = oid
                    elif self._idx.oid_at(ordinal) != oid:
                        continue
                    yield ordinal, oid, kind, data

    def _find_directory(self) -> Directory | None:
        places = []
        with suppress(ObjectError):
            places.append(locate_directory(self._view, self._where))
        if self._idx is not None:  # it repeats where the directory is
            places.append((self._idx.directory_offset, self._idx.directory_size))
        for offset, size in places:
            with suppress(ObjectError):
                directory = decode_directory(self._view[offset : offset + size], self._where)
                if self._idx is None or directory.ends == self._idx.ends:
                    return directory
        return None

    def _test(self, directory: Directory) -> list[_Block]:
        """Return the blocks that a directory leads to and that can be read."""
        found: list[_Block] = []
        ends = [*(row.first for row in directory.rows[1:]), directory.ends[-1]]
        for row, end in zip(directory.rows, ends):
            with suppress(ObjectError):
                self._decode(row, end - row.first)
                found.append(_Block(row, end - row.first))
        return found

    def _decode(self, row: BlockRow, count: int) -> list[Record]:
        return decode_block(self._view[row.offset : row.offset + row.compressed_size], row, count, self._where)

    def _iter_frames(self) -> Iterator[_Block]:
        """Yield the blocks from the first on, up to one that cannot be read, without the directory's help."""
        at, first = len(HEAD), 0
        with suppress(ValueError, zstandard.ZstdError):
            while first < self.count:
                size, raw = self._read_frame(at)
                records = msgpack.unpackb(raw)
                if type(records) is not list or not records:
                    return
                yield _Block(BlockRow(at, size, len(raw), first), len(records))
                at, first = at + size, first + len(records)

    def _read_frame(self, at: int) -> tuple[int, bytes]:
        """Return the size of the frame at a place, and what it holds.  Raises ValueError, ZstdError."""
        declared = zstandard.get_frame_parameters(self._view[at : at + _WINDOW_BYTES]).content_size
        if declared > MAX_RAW_SIZE_BYTES:
            raise ValueError("expected a block")
        reader = zstandard.ZstdDecompressor().decompressobj()
        pieces: list[bytes] = []
        end = at
        while not reader.eof:
            window = self._view[end : end + _WINDOW_BYTES]
            if not window or sum(map(len, pieces)) > declared:
                raise ValueError("expected the end of a frame")
            pieces.append(reader.decompress(window))
            end += len(window)
        return end - len(reader.unused_data) - at, b"".join(pieces)


def _check_kind(kind: int, data: bytes) -> None:
    """Raise ObjectError for a node that is none of its kind: a damaged directory may tell a wrong one."""
    record = RECORDS.get(kind)
    if record is not None:
        record.decode(decode_node(data))
