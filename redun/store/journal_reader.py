"""Reading the journal of another writer, live or orphaned.  Normative page: docs/format/journal.md.

The invariant: what is taken from a journal is named by the hash of its bytes, never by what the file claims; and what
is taken once is never taken again, since the reader remembers where the last whole record ended.  It keeps the file
open, so what it has indexed stays readable after somebody seals and removes the journal.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from redun.hashing import OID_SIZE, Oid, hash_blob, hash_node
from redun.objects.codec import NotCanonical
from redun.objects.kinds import Kind
from redun.store.canonical import kind_of_node, locate_links
from redun.store.journal import (
    BLOB,
    HEADER,
    MAGIC,
    NODE,
    RECORD_HEAD_SIZE,
    RecordIndex,
    decode_record,
    iter_payloads,
    peek_length,
    read_payload,
)
from redun.store.liveness import BadHeader, JournalHeader

_WINDOW_BYTES = 1 << 20


class JournalReader:
    """Somebody else's journal."""

    def __init__(self, path: Path) -> None:
        """Open a journal; nothing is read before ``refresh``.

        Raises:
            OSError: the file is not there, or cannot be read.
        """
        self._descriptor = -1
        self.path = path
        self.header: JournalHeader | None = None  # None: not written yet, or this is no journal
        self.packs: list[Oid] = []  # what its writer sealed earlier in the same execution
        self.index = RecordIndex()
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.end = 0  # of the last whole record; what follows is a torn tail

    @property
    def modified_us(self) -> int:
        """When the journal was last written or touched, microseconds since 1970."""
        return os.fstat(self._descriptor).st_mtime_ns // 1000

    @property
    def is_replaced(self) -> bool:
        """Whether the path leads to another file by now, or to none."""
        try:
            found, own = self.path.stat(), os.fstat(self._descriptor)
        except OSError:
            return True
        return (found.st_ino, found.st_dev) != (own.st_ino, own.st_dev)

    def refresh(self) -> list[tuple[Oid, int]]:
        """Take the records written since the last call; return (oid, kind) of the new objects in order."""
        if not self.end:
            if os.pread(self._descriptor, len(MAGIC), 0) != MAGIC:
                return []
            self.end = len(MAGIC)
        fresh: list[tuple[Oid, int]] = []
        for offset, type_, payload in self._iter_records():
            if self.header is None:
                # Whatever comes before a header belongs to nobody, so it is not taken.
                if type_ != HEADER or not self._take_header(payload):
                    break
            elif type_ in (NODE, BLOB):
                self._take_object(offset, type_, payload, fresh)
            elif type_ != HEADER and len(payload) == OID_SIZE:
                self.packs.append(Oid(payload))
            self.end = offset + RECORD_HEAD_SIZE + len(payload)
        return fresh

    def get(self, oid: Oid) -> bytes | None:
        """Return an object's bytes, None when it is not here.

        Raises:
            ObjectCorrupt: its record is damaged.
        """
        if oid not in self.index:
            return None
        return read_payload(self._descriptor, self.index.offset_of(oid), oid, str(self.path))

    def iter_objects(self) -> Iterator[tuple[Oid, int, bytes]]:
        """Yield (oid, kind, bytes) of all that is taken and still whole, by kind and then in order of putting."""
        for kind, group in self.index.iter_by_kind():
            for oid, data in iter_payloads(self._descriptor, group, str(self.path)):
                yield oid, kind, data

    def close(self) -> None:
        """Release the file.  Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        # Other threads may hold a reader that was replaced in the meantime; the last one to let go closes it.
        self.close()

    def _iter_records(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield (offset, type, payload) from where the last call ended to the first record that is not whole."""
        base = self.end
        window = os.pread(self._descriptor, _WINDOW_BYTES, base)
        at = 0
        while True:
            record = decode_record(window, at)
            if record is None:
                length = peek_length(window, at) if at + RECORD_HEAD_SIZE <= len(window) else RECORD_HEAD_SIZE
                if at + length <= len(window):
                    return  # it is all here, and damaged
                left = os.fstat(self._descriptor).st_size - base - at
                if length > left:
                    return  # cut short
                base, at, seen = base + at, 0, len(window) - at
                window = os.pread(self._descriptor, max(length, _WINDOW_BYTES), base)
                if len(window) <= seen:
                    return
                continue
            type_, payload, end = record
            yield base + at, type_, payload
            at = end

    def _take_header(self, payload: bytes) -> bool:
        try:
            self.header = JournalHeader.decode(payload)
        except BadHeader:
            return False
        return True

    def _take_object(self, offset: int, type_: int, payload: bytes, fresh: list[tuple[Oid, int]]) -> None:
        if type_ == BLOB:
            oid, kind = hash_blob(payload), int(Kind.BLOB)
        else:
            try:
                locate_links(payload)
            except NotCanonical:
                return
            oid, kind = hash_node(payload), kind_of_node(payload)
        if oid not in self.index:
            self.index.add(oid, offset, kind)
            fresh.append((oid, kind))
