"""The journal of this process, over the life of a store: begun at the first put, sealed, begun again.

The invariant: at every moment each object that was put is in the journal or in a pack that is already found.  So a
sealed journal is dropped only after its pack was taken in, and the file is replaced at once by the next one, which
keeps the name: whoever looks for the writer named in a ref finds it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from threading import RLock

from redun.hashing import Oid
from redun.store.base import ObjectCorrupt, ReadOnlyStore
from redun.store.journal import Journal
from redun.store.liveness import Clock, JournalHeader
from redun.store.lookups import LOOKUP_KINDS, RecentLookups

SEAL_SIZE_BYTES = 64 << 20
SEAL_RECORDS = 200_000


class OwnJournal:
    """Reading needs no lock; whoever puts, flushes or seals holds ``lock`` (worker threads put files)."""

    def __init__(self, folder: Path, *, clock: Clock, durability: str) -> None:
        self.lock = RLock()
        self.packs: list[Oid] = []  # sealed since the last ``finish``
        self.lookups = RecentLookups(self._read)
        self._folder = folder
        self._clock = clock
        self._durability = durability
        self._header: JournalHeader | None = None
        self._journal: Journal | None = None
        self._is_sealed = False
        self.is_held = False  # its ref could not be written: it stays when this process ends, for the next one
        self._limits = SEAL_SIZE_BYTES, SEAL_RECORDS

    @property
    def writer(self) -> str:
        """The writer's name; the journal is begun by asking for it."""
        with self.lock:
            return self._open().header.writer

    @property
    def begun_writer(self) -> str | None:
        """The writer's name, None when nothing was begun."""
        return None if self._header is None else self._header.writer

    @property
    def count(self) -> int:
        """How many objects are here and not sealed."""
        return 0 if self._journal is None or self._is_sealed else len(self._journal.index)

    @property
    def is_full(self) -> bool:
        """Whether it is time to seal."""
        journal = self._journal
        size, records = self._limits
        return journal is not None and not self._is_sealed and (journal.size >= size or len(journal.index) >= records)

    def put(self, oid: Oid, data: bytes, kind: int) -> None:
        """Append an object unless it is here.  Raises as ``Journal.append`` does."""
        journal = self._journal
        if journal is None or self._is_sealed:
            journal = self._open()
        if oid in journal.index:
            return
        if kind in LOOKUP_KINDS:
            # First: should the append fail to write, the record is kept and must be found.
            self.lookups.note(oid, kind)
        journal.append(data, kind, oid)

    def has(self, oid: Oid) -> bool:
        """Tell whether an object is here."""
        journal = self._journal
        return journal is not None and oid in journal.index

    def kind_of(self, oid: Oid) -> int | None:
        """Return an object's kind, None when it is not here."""
        journal = self._journal
        return None if journal is None else journal.index.kind_of(oid)

    def get(self, oid: Oid) -> bytes | None:
        """Return an object's bytes, None when it is not here.  Raises ObjectCorrupt."""
        journal = self._journal
        return None if journal is None else journal.get(oid)

    def kinds(self) -> dict[Oid, int]:
        """Return the kind of each object, in order of putting."""
        journal = self._journal
        return {} if journal is None else journal.index.kinds()

    def iter_objects(self) -> Iterator[tuple[Oid, int, bytes]]:
        """Flush, and yield (oid, kind, bytes) of all that is not sealed, as a pack holds it."""
        self.flush()
        if self._journal is not None and not self._is_sealed:
            yield from self._journal.iter_objects()

    def flush(self) -> None:
        """Write out what is buffered.  Raises OSError."""
        if self._journal is not None:
            self._journal.flush()

    def touch(self) -> None:
        """Tell processes that cannot see this one that it lives."""
        if self._journal is not None:
            self._journal.touch()

    def postpone(self) -> None:
        """Double the limits: sealing did not work, and trying again at each put would take for ever."""
        size, records = self._limits
        self._limits = 2 * size, 2 * records

    def roll_over(self) -> None:
        """Replace the journal, all of which is sealed, by an empty one that names the packs so far."""
        self._begin()

    def mark_sealed(self) -> None:
        """Note that all of the journal is in a pack: it may go, but its file stays until the ref is written."""
        self._is_sealed = True

    def finish(self) -> None:
        """Remove the journal if it is sealed: its packs are named by a ref, or it has come too late for that."""
        if self._is_sealed:
            if self._journal is not None:
                self._journal.remove()
            self._journal = None
            self._forget()
            self.packs = []
            self.is_held = False

    def close(self) -> None:
        """Flush and release; a journal that is sealed, or says nothing, is removed.  Idempotent."""
        if not self.is_held:
            self.finish()
        journal = self._journal
        if journal is not None:
            if not journal.index and not self.packs:
                journal.remove()
            journal.close()

    def _open(self) -> Journal:
        """Return a journal that can be put to."""
        self.finish()
        return self._journal or self._begin()

    def _begin(self) -> Journal:
        try:
            journal = Journal.create(
                self._folder, clock=self._clock, durability=self._durability, header=self._header, packs=self.packs
            )
        except OSError as error:
            if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
                raise ReadOnlyStore(f"{self._folder} cannot be written: {error.strerror}") from error
            raise
        self._header = journal.header
        self._journal = journal
        self._forget()
        return journal

    def _forget(self) -> None:
        self.lookups = RecentLookups(self._read)
        self._is_sealed = False
        self._limits = SEAL_SIZE_BYTES, SEAL_RECORDS

    def _read(self, oid: Oid) -> bytes:
        """Give lookups the bytes of a node; a damaged one answers nothing, and is reported when it is read itself."""
        try:
            return self.get(oid) or b""
        except ObjectCorrupt:
            return b""
