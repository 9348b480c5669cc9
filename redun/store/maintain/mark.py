"""What is reachable: marks on the objects of packs, a byte each, and names of large contents.

The invariant: a mark means that a walk from some root came to the object.  Which of several copies is marked does not
matter; one in a pack that stays is taken before one in a condemned pack.  Memory: one byte an object in packs, 100
bytes a large content, and the walk's own stack.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from redun.hashing import Oid
from redun.objects.codec import NotCanonical
from redun.objects.kinds import SOFT_LINK_KINDS, Kind
from redun.store.base import ObjectCorrupt
from redun.store.canonical import split_node
from redun.store.objectdb import ObjectDb
from redun.store.pack import PackReader
from redun.store.storage import NameMissing

_BLOB = int(Kind.BLOB)


class Marks:
    """The marks of one store, at the moment when its packs were last listed."""

    def __init__(self, store: ObjectDb, blob_sizes: dict[Oid, int]) -> None:
        """``blob_sizes``: the large contents there are, with their sizes in bytes."""
        self._store = store
        self._readers = (*store.packs.readers, *store.packs.condemned)
        self._marks = {reader.name: bytearray(len(reader)) for reader in self._readers}
        self._blob_sizes = blob_sizes
        self.blobs: set[Oid] = set()
        """The large contents that were reached."""
        self.promised: set[Oid] = set()
        """The contents that were reached and that a remote has promised, here or not."""
        self.lost: set[Oid] = set()
        """What must be there and is not, or cannot be read."""
        self.size = 0
        """Bytes of what was reached: of large contents exactly, of objects in packs as their packs are compressed."""

    def reach(self, roots: Iterable[Oid]) -> None:
        """Mark all that can be reached; what is missing or damaged on the way is noted in ``lost``."""
        stack = list(roots)
        while stack:
            stack += self._visit(stack.pop())

    def reach_known(self, roots: Iterable[Oid]) -> None:
        """Mark those of some roots that are here, and all that can be reached from them."""
        self.reach(oid for oid in roots if self._is_there(oid))

    def reach_journals(self) -> None:
        """Mark what the journals of running processes link to; what is in them stays anyhow."""
        for journal in self._store.journals.others:
            for oid in list(journal.reader.index.kinds()):
                try:
                    data = journal.reader.get(oid)
                except (ObjectCorrupt, OSError):
                    continue
                if data and journal.reader.index.kind_of(oid) != _BLOB:
                    self.reach(split_node(data)[0])

    def keep(self, reader: PackReader) -> None:
        """Mark all objects of a pack, and all that they lead to."""
        marks = self._marks[reader.name]
        for ordinal in range(len(reader)):
            if not marks[ordinal]:
                with suppress(ObjectCorrupt, NameMissing, NotCanonical):
                    self.reach(self._mark(reader, ordinal))

    def count(self, reader: PackReader) -> int:
        """Return how many objects of a pack are marked."""
        return sum(self._marks[reader.name])

    def is_marked(self, reader: PackReader, ordinal: int) -> bool:
        """Tell whether the object at an ordinal is marked."""
        return bool(self._marks[reader.name][ordinal])

    def _visit(self, oid: Oid) -> list[Oid]:
        """Mark one object; return what it links to, nothing when it was marked before."""
        for reader in self._readers:
            try:
                ordinal = reader.idx.find(oid)
                if ordinal is not None:
                    return [] if self._marks[reader.name][ordinal] else self._mark(reader, ordinal)
            except (ObjectCorrupt, NameMissing, NotCanonical):
                continue  # another pack may have it whole
        size = self._blob_sizes.get(oid)
        if size is None:
            if not (self._is_in_journal(oid) or self._is_beyond(oid) or self._store.find_absence(oid)):
                self.lost.add(oid)
        elif oid not in self.blobs:
            self.blobs.add(oid)
            self.size += size
        return []

    def _mark(self, reader: PackReader, ordinal: int) -> list[Oid]:
        marks = self._marks[reader.name]
        marks[ordinal] = 1
        self.size += reader.size // len(reader)
        kind = reader.idx.kind_at(ordinal)
        if kind == _BLOB:
            return []
        try:
            links = split_node(reader.read(ordinal))[0]
        except (ObjectCorrupt, NameMissing, NotCanonical):
            marks[ordinal] = 0
            self.lost.add(reader.idx.oid_at(ordinal))
            raise
        # Whether a content is kept is no part of the file that it belongs to.
        return [link for link in links if self._is_there(link)] if kind in SOFT_LINK_KINDS else links

    def _is_there(self, oid: Oid) -> bool:
        if oid in self._blob_sizes or any(reader.has(oid) for reader in self._readers) or self._is_in_journal(oid):
            return True
        self._is_promised(oid)  # which makes it needed, not there
        return False

    def _is_beyond(self, oid: Oid) -> bool:
        """Tell whether an alternate has an object, with all that it leads to, or a remote has promised it."""
        beyond = self._store.beyond
        return self._is_promised(oid) or (beyond is not None and beyond.kind_of(oid) is not None)

    def _is_promised(self, oid: Oid) -> bool:
        """Tell whether a remote has promised a content that was come to, and remember that it is needed."""
        if oid not in self._store.packs.notes.promised:
            return False
        self.promised.add(oid)
        return True

    def _is_in_journal(self, oid: Oid) -> bool:
        return self._store.journals.others.kind_of(oid) is not None
