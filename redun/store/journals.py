"""The journals of a store as one: the own one, and those of other writers.

The invariant: an object that some journal holds is found, and was in a pack before its journal is let go of.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from redun.hashing import Oid
from redun.store.live_journals import LiveJournals
from redun.store.liveness import Clock
from redun.store.own_journal import OwnJournal


class Journals:
    """All journals in a folder; none where there is no folder, as under a URL.  Read from any thread."""

    def __init__(self, folder: Path | None, *, clock: Clock, durability: str, is_writable: bool) -> None:
        """Nothing is listed yet: ``refresh`` does.  A journal of its own is for who may write."""
        self.others = LiveJournals(folder)
        self.own: OwnJournal | None = None
        if folder is not None and is_writable:
            self.own = OwnJournal(folder, clock=clock, durability=durability)

    def get(self, oid: Oid) -> bytes | None:
        """Return an object's bytes, None when no journal has it whole.  Raises ObjectCorrupt for the own one's."""
        data = None if self.own is None else self.own.get(oid)
        return self.others.get(oid) if data is None else data

    def iter_oids(self) -> Iterator[tuple[Oid, int]]:
        """Yield (oid, kind) of all objects, the own ones and what was put last first; some more than once."""
        if self.own is not None:
            yield from _newest_first(self.own.kinds())
        for journal in self.others:
            yield from _newest_first(journal.reader.index.kinds())

    def find_producers(self, file_oid: Oid) -> set[Oid]:
        """Return the calls and reductions in any journal that produced a file."""
        found = self.others.find_producers(file_oid)
        return found if self.own is None else found.union(self.own.lookups.find_producers(file_oid))

    def pinned_packs(self) -> set[Oid]:
        """Return the packs that some journal names: whoever seals it looks into them, so they must stay."""
        pinned = {name for journal in self.others for name in journal.reader.packs}
        return pinned if self.own is None else pinned.union(self.own.packs)

    def refresh(self) -> None:
        """Notice what other writers have written; journals that went away stay until the packs are listed too."""
        self.others.refresh(None if self.own is None else self.own.begun_writer)


def _newest_first(kinds: dict[Oid, int]) -> Iterator[tuple[Oid, int]]:
    return reversed(kinds.items())
