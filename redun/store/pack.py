"""Packs: sealed objects that never change.  Normative page: docs/format/pack.md.

The invariant: a pack is named by the hash of its whole content, and its idx by the same name, so whoever seals the same
objects in the same order makes the same files, and writing them twice is harmless.

Hashes are half of what small nodes weigh and do not compress; a pack stores each one once, in the idx, and a link
inside the pack as a small number.  That, and grouping by kind so that like stands beside like, is most of what a pack
saves.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import zstandard
from blake3 import blake3

from redun.hashing import OID_SIZE, READ_SIZE_BYTES, Buffer, Oid, hash_blob, hash_node
from redun.objects.codec import Node, decode_body, decode_node
from redun.objects.kinds import Kind
from redun.store.base import ObjectCorrupt, ObjectMissing
from redun.store.block_cache import BlockCache
from redun.store.canonical import KIND_COUNT, join_node
from redun.store.idx import Idx, IdxBuilder, PackShape
from redun.store.pack_format import (
    BLOCK_SIZE_BYTES,
    HEAD,
    MAGIC,
    TRAILER,
    ZSTD_LEVEL,
    BlockEncoder,
    BlockRow,
    Directory,
    Record,
    decode_block,
    decode_directory,
    encode_directory,
    idx_name,
    locate_directory,
    pack_name,
    restore_object,
    restore_parts,
)
from redun.store.storage import NameMissing, Sliced, Storage

_SPOOL_SIZE_BYTES = 64 << 20
_BLOB = int(Kind.BLOB)
MAX_NOTED_LINKS = 4

OnIdx = Callable[[Oid, Iterable[bytes]], None]
"""Takes the name of a pack and the content of its idx, in pieces."""


@dataclass(frozen=True, slots=True)
class SealedPack:
    """What ``write_pack`` has written."""

    name: Oid
    count: int  # objects
    pack_size: int  # bytes
    idx_size: int  # bytes


def write_pack(
    objects: Iterable[tuple[Oid, int, bytes]], storage: Storage, *, on_idx: OnIdx | None = None
) -> SealedPack | None:
    """Write objects as one pack with its idx, pack first; return None and write nothing when there are none.

    Args:
        objects: (oid, kind, bytes), grouped by kind ascending and in order of first put inside a kind.  One that comes
            again is left out.  They are streamed: memory holds one block and 150 bytes an object.
        storage: where the files go.
        on_idx: given the idx too, once it is written, so that whoever writes elsewhere need not read it back.

    Raises:
        NotCanonical: a node's bytes are none.
        OSError, StoreError: the storage cannot be written.
    """
    from tempfile import SpooledTemporaryFile  # 4 ms of imports that only sealing needs

    # The name is known only at the end, so the pack is spooled: in memory up to what a journal usually gives.
    with SpooledTemporaryFile(max_size=_SPOOL_SIZE_BYTES) as spool:
        writer = _PackWriter(spool.write)
        for oid, kind, data in objects:
            if oid not in writer.builder.ordinals:
                writer.add(oid, kind, data)
        if not writer.builder.ordinals:
            return None
        shape = writer.finish()
        spool.seek(0)
        storage.write(pack_name(shape.name), iter(lambda: spool.read(READ_SIZE_BYTES), b""))
        if on_idx is None:
            storage.write(idx_name(shape.name), writer.builder.build(shape))
        else:
            spool.seek(0)
            spool.truncate()
            spool.writelines(writer.builder.build(shape))
            spool.seek(0)
            storage.write(idx_name(shape.name), iter(lambda: spool.read(READ_SIZE_BYTES), b""))
            spool.seek(0)
            on_idx(shape.name, iter(lambda: spool.read(READ_SIZE_BYTES), b""))
    return SealedPack(shape.name, len(writer.builder.ordinals), writer.offset, writer.builder.size)


class _PackWriter:
    """Makes the bytes of a pack, piece by piece."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._hasher = blake3()
        self._compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True)
        self._rows: list[BlockRow] = []
        self._kind = 0
        self._first = 0
        self.offset = 0
        self.builder = IdxBuilder()
        self._block = BlockEncoder(self.builder.ordinals)
        self._emit(HEAD)

    def add(self, oid: Oid, kind: int, data: bytes) -> None:
        if kind != self._kind:
            if kind < self._kind:
                raise ValueError(f"expected kinds in ascending order, found {kind} after {self._kind}")
            self._end_block()
            self._kind = kind
        # Encoded first: the object must not see itself among the ordinals, and a refused one must not be counted.
        self._block.add(kind, data, len(self.builder.ordinals))
        self.builder.add(oid, kind, data)
        if self._block.weight >= BLOCK_SIZE_BYTES:
            self._end_block()

    def finish(self) -> PackShape:
        self._end_block()
        directory = encode_directory(self.builder.ends, self._rows)
        offset = self.offset
        self._emit(directory)
        self._emit(TRAILER.pack(offset, len(directory), MAGIC))
        return PackShape(Oid(self._hasher.digest()), offset, len(directory))

    def _end_block(self) -> None:
        count = len(self.builder.ordinals)
        if count > self._first:
            raw = self._block.finish()
            frame = self._compressor.compress(raw)
            self._rows.append(BlockRow(self.offset, len(frame), len(raw), self._first))
            self._emit(frame)
            self._first = count
        self._block = BlockEncoder(self.builder.ordinals)

    def _emit(self, piece: bytes) -> None:
        self._hasher.update(piece)
        self._write(piece)
        self.offset += len(piece)


def rebuild_idx(content: Buffer, where: str = "a pack") -> bytes:
    """Make a pack's idx anew from the pack alone: one pass, since numbered links only point back.

    Raises:
        ObjectCorrupt: the pack is damaged.
    """
    view = memoryview(content)
    offset, size = locate_directory(view, where)
    directory = decode_directory(view[offset : offset + size], where)
    builder = IdxBuilder()
    oids: list[Oid] = []
    for index, row in enumerate(directory.rows):
        frame = view[row.offset : row.offset + row.compressed_size]
        records = decode_block(frame, row, _block_length(directory, index), where)
        for ordinal, record in enumerate(records, row.first):
            kind = bisect_right(directory.ends, ordinal)
            try:
                data = restore_object(kind, record, ordinal, oids.__getitem__)
            except (ValueError, TypeError, IndexError) as error:
                raise ObjectCorrupt(None, where, f"the object at ordinal {ordinal}: {error}") from None
            oids.append(_hash(kind, data))
            builder.add(oids[-1], kind, data)
    return b"".join(builder.build(PackShape(hash_blob(view), offset, size)))


class PackReader:
    """A pack open for reading.  All of it may be used from any thread."""

    def __init__(
        self,
        name: Oid,
        storage: Storage,
        *,
        cache: BlockCache | None = None,
        idx: Buffer | Idx | None = None,
    ) -> None:
        """Open a pack by its idx; the pack itself is mapped when something is read from it.

        Args:
            name: the pack's name.
            storage: where it lies.
            cache: decoded blocks, shared between packs; an own one when None.
            idx: the idx or its content, where it was made anew instead of read, or is open already.

        Raises:
            NameMissing: the pack or its idx is not there.
            ObjectCorrupt: one of them is cut short, or is not what its name says.
        """
        self.name = name
        self.where = pack_name(name)
        if not isinstance(idx, Idx):
            idx = Idx(storage.view(idx_name(name)) if idx is None else idx, idx_name(name), name)
        self.idx = idx
        self._storage = storage
        self._cache = cache or BlockCache()
        self._content: Sliced | None = None
        self._directory: Directory | None = None
        self._firsts: list[int] = []
        expected = self.idx.directory_offset + self.idx.directory_size + TRAILER.size
        size = storage.size(self.where)
        if size is None:
            raise NameMissing(self.where, storage.location)
        if size != expected:
            raise ObjectCorrupt(None, self.where, f"expected {expected} bytes, found {size}")
        self.size = size  # bytes

    def __len__(self) -> int:
        return self.idx.count

    def has(self, oid: Oid) -> bool:
        """Tell whether an object is in this pack."""
        return self.idx.find(oid) is not None

    def kind_of(self, oid: Oid) -> int | None:
        """Return an object's kind, None when it is not in this pack."""
        ordinal = self.idx.find(oid)
        return None if ordinal is None else self.idx.kind_at(ordinal)

    def get(self, oid: Oid) -> bytes:
        """Return an object's bytes, checked against its name.

        Raises:
            ObjectMissing: it is not in this pack.
            ObjectCorrupt: it is damaged; without an oid, the pack or its idx is damaged as a whole.
            NameMissing: the pack was removed before anything was read from it.
        """
        ordinal = self.idx.find(oid)
        if ordinal is None:
            raise ObjectMissing(oid)
        return self.read(ordinal)

    def read(self, ordinal: int, oid: Oid | None = None) -> bytes:
        """Return the bytes of the object at an ordinal, named ``oid`` where that is known.  Raises as ``get`` does."""
        if oid is None:
            oid = self.idx.oid_at(ordinal)
        try:
            record = self._record_at(ordinal)
        except (ValueError, TypeError, IndexError, ObjectCorrupt) as error:
            raise ObjectCorrupt(oid, self.where, error) from error
        return self._restore(oid, self.idx.kind_at(ordinal), ordinal, record)

    def read_node(self, ordinal: int, oid: Oid, trail: dict[Oid, tuple[PackReader, int]] | None = None) -> Node:
        """Return the node at an ordinal: what decoding its bytes gives, for the price of decoding its body.

        ``trail`` takes the places of the objects that it links to and that stand in this pack, when they are few.

        Raises:
            NotCanonical: it is a blob, or its bytes are not the one encoding of what they say.
            ObjectCorrupt, NameMissing: as ``get`` does.
        """
        idx = self.idx
        kind = idx.kind_at(ordinal)
        if kind == _BLOB:
            return decode_node(self.read(ordinal, oid))
        try:
            forms, body = record = self._record_at(ordinal)
            links: list[Oid] = []
            targets: list[int] = []
            try:
                for form in forms:
                    target = ordinal - form if form > 0 else -form
                    start = OID_SIZE * target
                    links.append(Oid(idx.oids[start : start + OID_SIZE].tobytes()))  # if it is none, the hash will tell
                    targets.append(target)
            except TypeError:  # not a number: a link that leads out of the pack
                targets = []
                links, body = restore_parts(record, ordinal, idx.oid_at)
            name = hash_node(join_node(kind, links, body))
        except (ValueError, TypeError, IndexError, ObjectCorrupt) as error:
            raise ObjectCorrupt(oid, self.where, error) from error
        if name != oid:
            raise ObjectCorrupt(oid, self.where, "the bytes do not hash to the name")
        if trail is not None and 1 < len(targets) <= MAX_NOTED_LINKS:
            for link, target in zip(links, targets):
                trail[link] = self, target
        return Node(kind, links, decode_body(body))

    def iter_objects(self, kind: int | None = None) -> Iterator[tuple[Oid, int, bytes]]:
        """Yield (oid, kind, bytes) in order of ordinal, of all or of one kind.  Raises as ``get`` does.

        Each block is decoded once, and none is kept: 2 us an object less than asking for one after the other.
        """
        name_of = self.idx.oid_at
        for each in range(KIND_COUNT) if kind is None else (kind,):
            for ordinal, record in self._iter_records(self.idx.ordinals_of(each)):
                oid = name_of(ordinal)
                yield oid, each, self._restore(oid, each, ordinal, record)

    def find_prefix(self, low: bytes, high: bytes, limit: int) -> list[tuple[Oid, int]]:
        """Return at most ``limit`` (oid, kind) with low <= oid <= high, in order."""
        found: list[tuple[Oid, int]] = []
        for oid, ordinal in self.idx.iter_between(low, high):
            if len(found) == limit:
                break
            found.append((oid, self.idx.kind_at(ordinal)))
        return found

    def _restore(self, oid: Oid, kind: int, ordinal: int, record: Record) -> bytes:
        """Return an object's bytes from its record, checked against its name."""
        try:
            data = restore_object(kind, record, ordinal, self.idx.oid_at)
        except (ValueError, TypeError, IndexError) as error:
            raise ObjectCorrupt(oid, self.where, error) from error
        if _hash(kind, data) != oid:
            raise ObjectCorrupt(oid, self.where, "the bytes do not hash to the name")
        return data

    def _record_at(self, ordinal: int) -> Record:
        directory = self._directory or self._open_content()
        index = bisect_right(self._firsts, ordinal) - 1
        records = self._cache.get(self.name, index)
        if records is None:
            records = self._decode_block(directory, index)
            self._cache.keep(self.name, index, records)
        return records[ordinal - self._firsts[index]]

    def _iter_records(self, ordinals: range) -> Iterator[tuple[int, Record]]:
        """Yield the records at successive ordinals with these."""
        at = ordinals.start
        while at < ordinals.stop:
            try:
                directory = self._directory or self._open_content()
                index = bisect_right(self._firsts, at) - 1
                records = self._decode_block(directory, index)
            except (ValueError, TypeError, IndexError, ObjectCorrupt) as error:
                raise ObjectCorrupt(self.idx.oid_at(at), self.where, error) from error
            first = self._firsts[index]
            end = min(first + len(records), ordinals.stop)
            yield from zip(range(at, end), islice(records, at - first, None))
            at = end

    def _decode_block(self, directory: Directory, index: int) -> list[Record]:
        row = directory.rows[index]
        assert self._content is not None
        frame = self._content[row.offset : row.offset + row.compressed_size]
        return decode_block(frame, row, _block_length(directory, index), self.where)

    def _open_content(self) -> Directory:
        content = self._storage.view_parts(self.where)
        offset, size = locate_directory(content, self.where)
        directory = decode_directory(content[offset : offset + size], self.where)
        if directory.ends != self.idx.ends:
            raise ObjectCorrupt(None, self.where, "the idx counts other objects than the pack")
        self._content = content
        self._firsts = [row.first for row in directory.rows]
        self._directory = directory  # last: other threads take it as the sign that all is there
        return directory


def _block_length(directory: Directory, index: int) -> int:
    """Return how many objects a block holds."""
    rows = directory.rows
    end = rows[index + 1].first if index + 1 < len(rows) else directory.ends[-1]
    return end - rows[index].first


def _hash(kind: int, data: bytes) -> Oid:
    return hash_blob(data) if kind == _BLOB else hash_node(data)
