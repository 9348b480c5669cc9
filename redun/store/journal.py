"""The log that one live writer appends to.  Normative page: docs/format/journal.md.

The invariant: a record, once flushed, is wholly readable or wholly absent.  Layout: 16 bytes of magic, then records of
type (1 byte), length (u32), CRC-32 of type and payload (u32), payload; little endian.

Theory of operation.  ``append`` only remembers the bytes and the offset that they will have; ``flush`` computes
checksums and writes all of them with one call at the offset where the last flush ended.  A write that fails or falls
short moves nothing: the records stay buffered, and the next flush writes the same bytes to the same place, so at any
moment the file is a prefix of one and the same stream.  (Truncating after a failure would only throw away whole
records that made it to the disk.)  What is flushed is kept as offset and kind in one integer and read back with
``pread``, so a journal of 200 000 records costs about 45 MB of memory whatever their size.

One thread appends and flushes at a time; ``get`` needs no lock and may run beside it: a record enters the buffer before
the index and leaves the buffer after it is written.

Durability: ``off`` and ``commit`` never call fsync here (sealing does, for the pack); ``job`` does at each flush, which
takes 2 to 4 ms on a local disk.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from redun.errors import StoreError
from redun.hashing import Oid
from redun.objects.kinds import Kind
from redun.store.base import ObjectCorrupt
from redun.store.canonical import KIND_COUNT
from redun.store.liveness import Clock, JournalHeader, describe_writer, now_us

MAGIC = b"redun-journal 1\n"
FOLDER = "objects/journal"
SUFFIX = ".journal"
RECORD_HEAD_SIZE = 9
HEADER, NODE, BLOB, PACK = 0, 1, 2, 3
FLUSH_SIZE_BYTES = 256 * 1024

_HEAD = struct.Struct("<BII")
_KIND_BITS = 8
_KIND_MASK = (1 << _KIND_BITS) - 1
_READ_AHEAD_BYTES = 4096 - RECORD_HEAD_SIZE
_WINDOW_BYTES = 1 << 20
_CRC_OF_TYPE = [crc32(bytes((type_,))) for type_ in (HEADER, NODE, BLOB, PACK)]

DURABILITIES = ("off", "commit", "job")


class UnknownKind(StoreError):
    """An object has a kind that the store has no room for."""

    def __init__(self, kind: int) -> None:
        super().__init__(f"expected a kind from 0 to {KIND_COUNT - 1}, found {kind}")
        self.kind = kind


def encode_record(type_: int, payload: bytes) -> bytes:
    """Return one record's bytes."""
    return _HEAD.pack(type_, len(payload), crc32(payload, _CRC_OF_TYPE[type_])) + payload


def decode_record(piece: bytes, at: int) -> tuple[int, bytes, int] | None:
    """Read the record that begins at ``at``: its type, its payload and where it ends.

    None: it is cut short, its checksum does not fit, or its type is unknown.
    """
    payload_at = at + RECORD_HEAD_SIZE
    if payload_at > len(piece):
        return None
    type_, length, checksum = _HEAD.unpack_from(piece, at)
    end = payload_at + length
    if end > len(piece) or type_ > PACK:
        return None
    payload = piece[payload_at:end]
    return (type_, payload, end) if crc32(payload, _CRC_OF_TYPE[type_]) == checksum else None


def peek_length(piece: bytes, at: int) -> int:
    """Return how long the whole record at ``at`` claims to be; at least its head must be there."""
    return RECORD_HEAD_SIZE + int(_HEAD.unpack_from(piece, at)[1])


class RecordIndex(dict[Oid, int]):
    """Where the records of a journal stand, by oid, in the order in which they were first put."""

    def add(self, oid: Oid, offset: int, kind: int) -> None:
        """Remember a record; the first of a name stays."""
        self.setdefault(oid, offset << _KIND_BITS | kind)

    def kind_of(self, oid: Oid) -> int | None:
        """Return the kind of an object, None when it is not in the journal."""
        place = self.get(oid)
        return None if place is None else place & _KIND_MASK

    def offset_of(self, oid: Oid) -> int:
        """Return where an object's record begins."""
        return self[oid] >> _KIND_BITS

    def kinds(self) -> dict[Oid, int]:
        """Return the kind of each object, in the order of putting: a copy, since other threads may put meanwhile."""
        return {oid: place & _KIND_MASK for oid, place in self.copy().items()}

    def iter_by_kind(self) -> Iterator[tuple[int, list[tuple[Oid, int]]]]:
        """Yield each kind that is there, ascending, with its (oid, offset) in the order of putting."""
        groups: list[list[tuple[Oid, int]]] = [[] for _ in range(KIND_COUNT)]
        for oid, place in self.items():
            groups[place & _KIND_MASK].append((oid, place >> _KIND_BITS))
        return ((kind, group) for kind, group in enumerate(groups) if group)


def read_payload(descriptor: int, offset: int, oid: Oid, where: str) -> bytes:
    """Read one record back from an open journal.

    Raises:
        ObjectCorrupt: the record is not there any more, or damaged.
    """
    piece = os.pread(descriptor, RECORD_HEAD_SIZE + _READ_AHEAD_BYTES, offset)
    if len(piece) >= RECORD_HEAD_SIZE and (length := peek_length(piece, 0)) > len(piece):
        piece = os.pread(descriptor, length, offset)
    record = decode_record(piece, 0)
    if record is None:
        raise ObjectCorrupt(oid, where, "the record's checksum does not fit")
    return record[1]


def iter_payloads(descriptor: int, group: Iterable[tuple[Oid, int]], where: str) -> Iterator[tuple[Oid, bytes]]:
    """Yield (oid, payload) of records in ascending order of offset, reading the file in windows of 1 MiB.

    Damaged ones are passed over: one bad record must not keep all others from being sealed.
    """
    window, base = b"", 0
    for oid, offset in group:
        at = offset - base
        record = decode_record(window, at) if at >= 0 else None
        if record is None:  # most often: it reaches beyond the window
            window, base = os.pread(descriptor, _WINDOW_BYTES, offset), offset
            record = decode_record(window, 0)
        if record is not None:
            yield oid, record[1]
            continue
        with suppress(ObjectCorrupt):  # or it is longer than a window
            yield oid, read_payload(descriptor, offset, oid, where)


class Journal:
    """A journal being written by this process."""

    def __init__(self, path: Path, descriptor: int, header: JournalHeader, *, size: int, durability: str) -> None:
        """Take over an open file whose header is written; ``Journal.create`` makes one."""
        self.path = path
        self.header = header
        self.index = RecordIndex()
        self.size = size  # bytes, buffered ones included
        self._descriptor = descriptor
        self._written = size
        self._buffer: dict[Oid, bytes] = {}
        self._buffered = 0  # bytes
        self._syncs = durability == "job"

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        clock: Clock = now_us,
        durability: str = "commit",
        header: JournalHeader | None = None,
        packs: Iterable[Oid] = (),
    ) -> Journal:
        """Start a journal in a folder, which is made when it is missing.

        Args:
            folder: where journals lie.
            clock: gives microseconds since 1970 UTC.
            durability: one of DURABILITIES.
            header: the writer; made from this process when None.  A journal of that name is replaced.
            packs: what the same writer has sealed earlier in its execution.

        Raises:
            OSError: the file cannot be made.
        """
        header = header or describe_writer(clock(), token=os.urandom(4))
        records = [encode_record(HEADER, header.encode()), *(encode_record(PACK, name) for name in packs)]
        path = folder / f"{header.writer}{SUFFIX}"
        start = MAGIC + b"".join(records)
        folder.mkdir(parents=True, exist_ok=True)
        return cls(path, _create_file(path, [start]), header, size=len(start), durability=durability)

    def append(self, data: bytes, kind: int, oid: Oid) -> None:
        """Add an object; nothing happens when it is here already.

        Raises:
            UnknownKind: the format has no such kind.
            OSError: the buffer was full and could not be written; the record is kept and written with the next flush.
        """
        if not 0 <= kind < KIND_COUNT:
            raise UnknownKind(kind)
        if oid in self.index:
            return
        self._buffer[oid] = data
        self.index[oid] = self.size << _KIND_BITS | kind
        length = RECORD_HEAD_SIZE + len(data)
        self.size += length
        self._buffered += length
        if self._buffered >= FLUSH_SIZE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write out what is buffered.

        Raises:
            OSError: the disk is full or fails; everything stays buffered.
        """
        if not self._buffer:
            return
        place = self.index
        pieces: list[bytes] = []
        for oid, data in self._buffer.items():
            type_ = NODE if place[oid] & _KIND_MASK != Kind.BLOB else BLOB
            pieces += (_HEAD.pack(type_, len(data), crc32(data, _CRC_OF_TYPE[type_])), data)
        try:
            _write_at(self._descriptor, b"".join(pieces), self._written)
            if self._syncs:
                os.fsync(self._descriptor)
        except OSError as error:
            error.filename = str(self.path)  # of a full disk the system does not say which file it was
            raise
        self._written = self.size
        self._buffered = 0
        self._buffer = {}  # a new one: readers in other threads may hold the old

    def get(self, oid: Oid) -> bytes | None:
        """Return an object's bytes, None when it is not here.

        Raises:
            ObjectCorrupt: its record is damaged.
        """
        place = self.index.get(oid)
        if place is None:
            return None
        data = self._buffer.get(oid)
        if data is None:
            return read_payload(self._descriptor, place >> _KIND_BITS, oid, str(self.path))
        return data

    def iter_objects(self) -> Iterator[tuple[Oid, int, bytes]]:
        """Yield (oid, kind, bytes) of all that is flushed, by kind and then in order of putting, as a pack holds it."""
        for kind, group in self.index.iter_by_kind():
            for oid, data in iter_payloads(self._descriptor, group, str(self.path)):
                yield oid, kind, data

    def touch(self) -> None:
        """Tell processes that cannot see this one that it lives; put the file back if one of them removed it.

        That happens to a process which slept for more than an hour.  Nothing was lost, but what is appended now would
        be if this process died, as the open file has no name any more.
        """
        try:
            os.utime(self.path)
        except FileNotFoundError:
            restored = _create_file(self.path, _iter_file(self._descriptor))
            os.dup2(restored, self._descriptor, inheritable=False)  # at once: other threads read through this number
            os.close(restored)

    def close(self) -> None:
        """Flush and close.  The file stays.  Idempotent."""
        if self._descriptor >= 0:
            try:
                self.flush()
            finally:
                os.close(self._descriptor)
                self._descriptor = -1

    def remove(self) -> None:
        """Delete the file: everything in it is sealed, or there is nothing in it."""
        self.path.unlink(missing_ok=True)

    def __del__(self) -> None:
        # Other threads may still read from a journal that was sealed; the last one to let go closes it.  It does not
        # flush: whoever means to keep what was put has called flush or close.
        if self._descriptor >= 0:
            os.close(self._descriptor)


_write = os.pwrite


def _write_at(descriptor: int, content: bytes, offset: int) -> None:
    rest = memoryview(content)
    while rest:
        written = _write(descriptor, rest, offset)
        offset += written
        rest = rest[written:]


def _create_file(path: Path, pieces: Iterable[bytes]) -> int:
    """Make a file whole at once, in place of an old one, and return it open for reading and writing."""
    temporary = path.with_name(f".tmp-{os.urandom(8).hex()}")
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        offset = 0
        for piece in pieces:
            _write_at(descriptor, piece, offset)
            offset += len(piece)
        temporary.replace(path)
    except BaseException:
        os.close(descriptor)
        with suppress(OSError):
            temporary.unlink()
        raise
    return descriptor


def _iter_file(descriptor: int) -> Iterator[bytes]:
    offset = 0
    while piece := os.pread(descriptor, _WINDOW_BYTES, offset):
        yield piece
        offset += len(piece)
