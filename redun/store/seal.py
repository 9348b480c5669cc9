"""Sealing: from a journal to a pack.  Order of writing: docs/format/pack.md, section *Sealing*.

The invariant: whichever step a crash comes after, every object is in the journal or in a whole pack, and doing it all
again is harmless: the pack is named by its content, so a second sealer of the same journal writes the same files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from redun.errors import StoreError
from redun.hashing import Oid
from redun.objects.kinds import Kind
from redun.store.blobs import Blobs
from redun.store.journal_reader import JournalReader
from redun.store.liveness import UNSEEN_WRITER_TIMEOUT_SECONDS, Clock, JournalHeader
from redun.store.own_journal import OwnJournal
from redun.store.pack import SealedPack, write_pack
from redun.store.pack_format import idx_name, pack_name
from redun.store.packset import PackSet
from redun.store.storage import Storage

LivenessCheck = Callable[[JournalHeader, int, int], bool]
"""From a header, the time of the journal's last change and the time now (microseconds): is the writer alive?"""

_JOBS = int(Kind.JOBS)
_TAG = int(Kind.TAG)


@dataclass(frozen=True, slots=True)
class OrphanSealed:
    """What was found in the journal of a dead writer."""

    writer: str
    header: JournalHeader
    packs: list[Oid]  # those its writer had sealed before, oldest first, and the one made of the journal
    jobs: list[Oid]  # the *jobs* nodes in them, in order
    tags: list[Oid]  # the *tag* nodes in them, in order


@dataclass(frozen=True, slots=True)
class Sealer:
    """Where sealed objects go."""

    storage: Storage
    packs: PackSet
    syncs: bool  # force each step to the disk before the next
    warn: Callable[[str], None]

    def write(self, objects: Iterable[tuple[Oid, int, bytes]], also: Iterable[str] = ()) -> SealedPack | None:
        """Write a pack and take it in; None when there are no objects.

        Args:
            objects: as ``write_pack`` takes them.
            also: names that must be on the disk together with it.

        Raises:
            OSError, StoreError: the storage cannot be written.
        """
        sealed = write_pack(objects, self.storage)
        if self.syncs:
            names = [] if sealed is None else [pack_name(sealed.name), idx_name(sealed.name)]
            self.storage.sync([*also, *names])
        if sealed is not None:
            self.packs.add(sealed.name)
        return sealed

    def seal_own(self, own: OwnJournal, blobs: Blobs) -> None:
        """Seal the own journal and take in the pack; the journal's file stays.  The caller holds its lock.

        Raises:
            OSError, StoreError: the storage cannot be written.
        """
        # Large contents lie in files of their own since they were put: they too must be there before the ref.
        unsynced = list(blobs.unsynced)
        sealed = self.write(own.iter_objects(), unsynced)
        del blobs.unsynced[: len(unsynced)]
        self._compare(sealed, own.count, own.begun_writer)
        if sealed is not None:
            own.packs.append(sealed.name)
        own.mark_sealed()

    def roll_over(self, own: OwnJournal, blobs: Blobs) -> None:
        """Seal a full journal in the middle of a run.  That it cannot be sealed now is no reason to stop the run."""
        with own.lock:
            if not own.is_full:
                return  # another thread that puts has done it
            try:
                self.seal_own(own, blobs)
                own.roll_over()
            except (OSError, StoreError) as error:
                own.postpone()
                self.warn(f"the journal is full and cannot be sealed now: {error}")

    def seal_orphans(
        self, journals: Iterable[JournalReader], clock: Clock, is_alive: LivenessCheck
    ) -> list[OrphanSealed]:
        """Seal the journals whose writers are dead, and remove them; one that cannot be sealed is warned of."""
        found: list[OrphanSealed] = []
        for journal in journals:
            if not _is_orphan(journal, clock(), is_alive):
                continue
            try:
                orphan = self.seal_orphan(journal)
                remove_journal(journal)
            except (OSError, StoreError) as error:
                self.warn(f"the journal {journal.path.name} cannot be sealed: {error}")
                continue
            if orphan is not None:
                found.append(orphan)
        return found

    def seal_orphan(self, journal: JournalReader) -> OrphanSealed | None:
        """Seal the journal of a dead writer; the journal stays.  Return None when there is nothing in it.

        Raises:
            OSError, StoreError: the storage cannot be written.
        """
        header = journal.header
        if header is None or not (journal.index or journal.packs):
            return None
        sealed = self.write(journal.iter_objects())
        self._compare(sealed, len(journal.index), header.writer)
        found: dict[int, list[Oid]] = {_JOBS: [], _TAG: []}
        for name in journal.packs:
            reader = self.packs.find_reader(name)
            if reader is None:
                self.warn(f"pack {name.hex()[:8]}, sealed by {header.writer}, is gone: jobs in it are not listed")
                continue
            for kind, oids in found.items():
                oids += [reader.idx.oid_at(ordinal) for ordinal in reader.idx.ordinals_of(kind)]
        for oid, kind in journal.index.kinds().items():
            if kind in found:
                found[kind].append(oid)
        packs = [*journal.packs, *([] if sealed is None else [sealed.name])]
        return OrphanSealed(header.writer, header, packs, found[_JOBS], found[_TAG])

    def _compare(self, sealed: SealedPack | None, count: int, writer: str | None) -> None:
        found = 0 if sealed is None else sealed.count
        if found != count:
            self.warn(f"{count - found} of {count} records in the journal of {writer} are damaged and were left out")


def _is_orphan(journal: JournalReader, now_us: int, is_alive: LivenessCheck) -> bool:
    """Tell whether a journal's writer is dead; of one without a header, only its age tells."""
    if journal.header is None:
        return now_us - journal.modified_us > UNSEEN_WRITER_TIMEOUT_SECONDS * 1_000_000
    return not is_alive(journal.header, journal.modified_us, now_us)


def remove_journal(journal: JournalReader) -> None:
    """Delete a sealed journal, unless its writer lives after all and has begun another under the name."""
    if not journal.is_replaced:
        journal.path.unlink(missing_ok=True)
