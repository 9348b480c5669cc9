"""The object store of a repository: own journal, other writers' journals, packs and large contents as one.

The invariant: what was put is found at every moment until ``store/maintain`` deletes it, while this and other processes
put, seal and merge.  Journals are therefore listed before packs (an object moves from the first to the second), and a
pack that is gone when it is read for the first time makes the store list packs anew.

Sources are asked in the order of what they cost and how likely they are: own journal, packs, other journals, blobs, and
what lies beyond the store (``store/beyond.py``), which is not put again.  A damaged copy is passed over as long as
another source has the object, and does not keep it from being put again: so a run heals what it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from itertools import chain
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, BinaryIO

from redun.errors import StoreError
from redun.hashing import Oid, hash_blob
from redun.objects.codec import Node, decode_node
from redun.objects.kinds import Kind
from redun.objects.oid import prefix_range
from redun.store.absent import Absence, ObjectAbsent
from redun.store.base import Candidate, ObjectCorrupt, ObjectMissing, ObjectStore, ReadOnlyStore
from redun.store.blobs import LARGE_SIZE_BYTES, Blobs
from redun.store.journal import DURABILITIES
from redun.store.journals import Journals
from redun.store.liveness import Clock, is_writer_alive, now_us
from redun.store.lookups import newest_first
from redun.store.own_journal import OwnJournal
from redun.store.packset import PackSet
from redun.store.promised import Promises
from redun.store.seal import LivenessCheck, OrphanSealed, Sealer
from redun.store.storage import NameMissing, Storage

if TYPE_CHECKING:
    from redun.store.beyond import Beyond

REFRESH_SECONDS = 0.5
MAX_NODE_SIZE_BYTES = 512 << 20  # half of what a pack's reader agrees to decompress at once
_BLOB = int(Kind.BLOB)


class NodeTooLarge(StoreError):
    """A node is larger than any pack may hold."""


class ObjectDb(ObjectStore):
    """Objects under a storage."""

    def __init__(
        self,
        storage: Storage,
        *,
        journals: Path | None,
        durability: str = "commit",
        clock: Clock = now_us,
        is_writable: bool = True,
        is_alive: LivenessCheck = is_writer_alive,
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        """Open a store, and list what is there.

        Args:
            storage: holds ``objects/pack`` and ``objects/blob``.
            journals: the local folder of journals; None where there is none, as under a URL: then nothing can be put.
            durability: one of DURABILITIES, see docs/format/journal.md.
            clock: gives microseconds since 1970 UTC.
            is_writable: False to read journals but put nothing.
            is_alive: tells whether a journal's writer lives.
            on_warning: told of each damaged pack as it is found; ``warnings`` keeps them as well.
        """
        if durability not in DURABILITIES:
            raise ValueError(f"expected a durability of {', '.join(DURABILITIES)}, found {durability!r}")
        self.storage = storage
        self.warnings: list[str] = []
        self.packs = PackSet(storage, self.warn, clock)
        self.journals = Journals(journals, clock=clock, durability=durability, is_writable=is_writable)
        self._own = self.journals.own
        self.blobs = Blobs(storage)
        self.beyond: Beyond | None = None  # what can be read and is not here
        self.promises = Promises(self)
        self.sealer = Sealer(storage, self.packs, durability != "off", self.warn)
        self._clock = clock
        self._is_alive = is_alive
        self._on_warning = on_warning
        self._damaged: set[Oid] = set()
        self._refresh_lock = RLock()
        self._refreshed_us: int | None = None
        self.refresh()

    @property
    def writer(self) -> str:
        """The name of this writer's journal, for the ref of a running execution; asking begins the journal.

        Raises:
            ReadOnlyStore: nothing can be put here.
        """
        return self._get_own().writer

    def put(self, oid: Oid, data: bytes, kind: int) -> None:
        own = self._own or self._get_own()
        if own.has(oid):
            return
        if len(data) >= LARGE_SIZE_BYTES:
            if kind == _BLOB:
                if self.beyond is None or not self.beyond.holds_content(oid, len(data)):
                    self.blobs.put(oid, data, is_anew=oid in self._damaged or self.packs.condemns_blob(oid))
                return
            if len(data) > MAX_NODE_SIZE_BYTES:
                raise NodeTooLarge(f"expected a node of at most {MAX_NODE_SIZE_BYTES} bytes, found {len(data)}")
        if self._is_packed(oid) and oid not in self._damaged:
            return
        with own.lock:
            own.put(oid, data, kind)
        if own.is_full:
            self.sealer.roll_over(own, self.blobs)

    def put_file(self, path: Path) -> tuple[Oid, int]:
        own = self._get_own()
        with path.open("rb") as stream:
            content = stream.read(LARGE_SIZE_BYTES)
            if len(content) == LARGE_SIZE_BYTES:
                beyond = {} if self.beyond is None else {"is_elsewhere": self.beyond.holds_content}
                return self.blobs.put_stream(stream, path, is_doomed=self.packs.condemns_blob, **beyond)
        oid = hash_blob(content)
        if oid in self._damaged or not (own.has(oid) or self._is_packed(oid)):
            # It never seals, as ``put`` does: no task's thread shall wait for that.
            with own.lock:
                own.put(oid, content, _BLOB)
        return oid, len(content)

    def get(self, oid: Oid) -> bytes:
        # Nearly always a pack has it: that case in few steps (4 us against 10 by way of every source).
        if self._own is None or not self._own.has(oid):
            try:
                data = self.packs.read(oid)
                if data is not None:
                    return data
            except (ObjectCorrupt, NameMissing):
                pass  # what follows finds out what is wrong, and looks elsewhere
        return self._get_anywhere(oid)

    def get_node(self, oid: Oid) -> Node:
        if self._own is None or not self._own.has(oid):
            try:
                node = self.packs.read_node(oid)
                if node is not None:
                    return node
            except (ObjectCorrupt, NameMissing):
                pass  # as in ``get``
        return decode_node(self._get_anywhere(oid))

    def _get_anywhere(self, oid: Oid) -> bytes:
        if self.beyond is not None and (nearest := self.beyond.read(oid)) is not None:
            return nearest
        errors: list[ObjectCorrupt] = []
        data = self._find_data(oid, errors)
        if data is None and not errors:
            self.refresh()
            data = self._find_data(oid, errors)
        if data is None and self.bring((oid,)):
            data = self._find_data(oid, errors)
        if data is not None:
            return data
        absence = self.find_absence(oid)
        if absence is not None:
            raise ObjectAbsent(absence)
        raise errors[0] if errors else ObjectMissing(oid)

    def find_absence(self, oid: Oid) -> Absence | None:
        return self.packs.notes.absent.get(oid)

    def open(self, oid: Oid) -> BinaryIO:
        try:
            return self.blobs.open(oid)
        except NameMissing:
            stream = None if self.beyond is None else self.beyond.open(oid)
            if stream is None and self.bring((oid,)):
                return self.open(oid)
            return BytesIO(self.get(oid)) if stream is None else stream

    def blob_size(self, oid: Oid) -> int | None:
        """Return the size in bytes of a content that is a file of its own; None for any other object."""
        size = self.blobs.size(oid)
        if size is None and self.beyond is not None:
            size = self.beyond.blob_size(oid)
        return self.promises.blob_size(oid) if size is None else size

    def is_elsewhere(self, oid: Oid) -> bool:
        return self.beyond is not None and not self.blobs.has(oid) and self.beyond.blob_size(oid) is not None

    def bring(self, oids: Iterable[Oid]) -> bool:
        return self.promises.bring(oids)

    def expect(self, find: Callable[[], Iterable[Oid]]) -> None:
        self.promises.expect(find)

    def has(self, oid: Oid) -> bool:
        return (self._own is not None and self._own.has(oid)) or self._is_packed(oid) or self.kind_of(oid) is not None

    def kind_of(self, oid: Oid) -> int | None:
        kind = self.find_kind(oid)
        return _BLOB if kind is None and oid in self.packs.notes.promised else kind

    def find_kind(self, oid: Oid) -> int | None:
        """Return the kind of an object that can be read at once: here, or beyond."""
        kind = None if self._own is None else self._own.kind_of(oid)
        if kind is None:
            kind = next((reader.idx.kind_at(ordinal) for reader, ordinal in self.packs.iter_holding(oid)), None)
        if kind is None:
            kind = self.journals.others.kind_of(oid)
        if kind is None and self.blobs.has(oid):
            kind = _BLOB
        if kind is None and self.beyond is not None:
            kind = self.beyond.kind_of(oid)
        return kind

    def iter_oids(self, kind: int | None = None) -> Iterator[tuple[Oid, int]]:
        seen: set[Oid] = set()
        beyond = () if self.beyond is None else self.beyond.iter_oids(kind)
        blobs = ((oid, _BLOB) for oid in self.blobs.iter_oids()) if kind in (None, _BLOB) else ()
        for oid, own_kind in chain(self.journals.iter_oids(), self.packs.iter_oids(kind), blobs, beyond):
            if (kind is None or own_kind == kind) and oid not in seen:
                seen.add(oid)
                yield oid, own_kind

    def find_prefix(self, prefix: str, limit: int = 20) -> list[tuple[Oid, int]]:
        low, high = prefix_range(prefix)
        rows = self.packs.find_prefix(low, high, limit)
        loose = chain(self.journals.iter_oids(), ((oid, _BLOB) for oid in self.blobs.iter_oids(prefix[:2].lower())))
        rows.update(row for row in loose if low <= row[0] <= high)
        rows.update((oid, _BLOB) for oid in self.promises.find_prefix(prefix))
        rows |= set() if self.beyond is None else self.beyond.find_prefix(prefix, limit)
        return sorted(rows)[:limit]

    def find_candidates(self, eval_oid: Oid) -> list[Candidate]:
        found = self.packs.find_candidates(eval_oid)
        if self.beyond is not None:
            found += self.beyond.find_candidates(eval_oid)
        own = self._own
        # An eval that nobody has put has no outcome.  Asked first, a cold run never has to gather its own outcomes,
        # which takes 250 bytes a job.
        if own is not None and (found or own.has(eval_oid) or self._is_packed(eval_oid)):
            found += own.lookups.find_candidates(eval_oid)
        if self.journals.others:
            found += self.journals.others.find_candidates(eval_oid)
        forgotten = self.packs.notes.forgotten
        return newest_first(found if forgotten is None else forgotten.filter(eval_oid, found))

    def find_producers(self, file_oid: Oid) -> list[Oid]:
        found = self.packs.find_producers(file_oid) | self.journals.find_producers(file_oid)
        if self.beyond is not None:
            found |= self.beyond.find_producers(file_oid)
        return sorted(found)

    def flush(self) -> None:
        if self._own is not None:
            with self._own.lock:
                self._own.flush()

    def touch(self) -> None:
        """Tell processes on other hosts that this writer lives: at least once in an hour, better each minute."""
        if self._own is not None:
            with self._own.lock:
                self._own.touch()

    def refresh(self, *, force: bool = False) -> None:
        """Notice what other processes have written, at most twice a second unless forced.

        It costs a listing of the packs (100 us for twenty) and the hashing of what is new in journals (2 us a record).
        """
        now = self._clock()
        last = self._refreshed_us
        if not force and last is not None and 0 <= now - last < REFRESH_SECONDS * 1_000_000:
            return
        with self._refresh_lock:
            self._refreshed_us = now
            self.journals.refresh()
            self.packs.refresh()
            self.journals.others.drop_gone()
            if self.beyond is not None:
                self.beyond.refresh(force=force)

    def seal(self) -> list[Oid]:
        """Write what was put as a pack; its journal stays until ``finish``, so that a crash in between loses nothing.

        Returns:
            The names of all packs written since the last ``finish``: several when journals grew full meanwhile.

        Raises:
            ReadOnlyStore: nothing can be put here.
            OSError, StoreError: the storage cannot be written; everything is in the journal still.
        """
        own = self._get_own()
        with own.lock:
            self.sealer.seal_own(own, self.blobs)
            return list(own.packs)

    def finish(self) -> None:
        """Remove the sealed journal: the ref that names its packs is written.  The next put and ``close`` do so too."""
        own = self._get_own()
        with own.lock:
            own.finish()

    def seal_orphans(self) -> list[OrphanSealed]:
        """Seal the journals of dead writers and remove them; report those that held anything.

        A journal that cannot be sealed, for want of space say, is left with a warning.  It is read all the same.

        Raises:
            ReadOnlyStore: nothing can be put here.
        """
        self._get_own()
        self.refresh(force=True)
        sealed = self.sealer.seal_orphans([one.reader for one in self.journals.others], self._clock, self._is_alive)
        self.refresh(force=True)
        return sealed

    def close(self) -> None:
        if self._own is not None:
            with self._own.lock:
                self._own.close()

    def _find_data(self, oid: Oid, errors: list[ObjectCorrupt]) -> bytes | None:
        """Ask each source; remember what is wrong with damaged copies."""
        for find in (self.journals.get, self.packs.read_whole, self._find_in_blobs):
            try:
                data = find(oid)
            except ObjectCorrupt as error:
                self._damaged.add(oid)
                errors.append(error)
                continue
            if data is not None:
                return data
        return None

    def _find_in_blobs(self, oid: Oid) -> bytes | None:
        try:
            return self.blobs.get(oid)
        except NameMissing:
            return None if self.beyond is None else self.beyond.find(oid)

    def _is_packed(self, oid: Oid) -> bool:
        """Tell whether a pack has an object to stay, here or beyond."""
        return self.packs.has(oid) or (self.beyond is not None and self.beyond.holds(oid))

    def _get_own(self) -> OwnJournal:
        if self._own is None:
            raise ReadOnlyStore(f"{self.storage.location} is open for reading only")
        return self._own

    def warn(self, message: str) -> None:
        """Tell of damage that was passed over, or of what could not be done and can wait."""
        self.warnings.append(message)
        if self._on_warning is not None:
            self._on_warning(message)
