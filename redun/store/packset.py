"""All packs of a storage, as one.

The invariant: a damaged pack is treated as absent, with one warning, and never stops a run; one whose idx alone is
missing or damaged is read through an idx made anew in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from threading import RLock
from typing import TypeVar

from redun.hashing import Oid, hash_blob
from redun.objects.codec import Node
from redun.objects.oid import is_file_stem
from redun.once import once
from redun.store.base import Candidate, ObjectCorrupt
from redun.store.block_cache import BlockCache
from redun.store.condemned import SUFFIX, Condemned, is_condemned_list, read_condemned
from redun.store.liveness import Clock
from redun.store.notes import Notes, is_note
from redun.store.pack import PackReader, rebuild_idx
from redun.store.pack_filter import PackFilter, Place
from redun.store.pack_format import FOLDER, PACK_SUFFIX, idx_name, pack_name
from redun.store.storage import Entry, NameMissing, Storage

IDX_DELAY_SECONDS = 10
MAX_TRAIL = 1000


_Answer = TypeVar("_Answer")


class _View:
    """The packs at one moment, newest first.  Never changes, so threads that hold one need no lock."""

    def __init__(self, readers: tuple[PackReader, ...]) -> None:
        self.readers = readers
        # Where objects stand that will be asked for next: what was just read names them, and knows their places.
        # Taken out when asked for, so it stays small; wrong at worst in a damaged pack, which the hash then tells.
        self.trail: dict[Oid, tuple[PackReader, int]] = {}
        self.nowhere: Oid | None = None  # the eval last asked for that no pack names: a cold job asks twice again

    @once
    def holding(self) -> PackFilter:
        """Tells which packs may hold an object."""
        return PackFilter.of_held(self.readers)

    @once
    def naming(self) -> PackFilter:
        """Tells which packs may name an object in their tables, whether they hold it or not."""
        return self.holding.with_named()

    def find(self, oid: Oid) -> tuple[PackReader, int] | None:
        """Return a pack that holds an object, and its ordinal there.  Raises ObjectCorrupt."""
        for reader, at in self.holding.iter_places(oid):
            ordinal = reader.idx.find(oid, at)
            if ordinal is not None:
                return reader, ordinal
        return None


class PackSet:
    """The packs of a storage.  All of it may be used from any thread."""

    def __init__(self, storage: Storage, warn: Callable[[str], None], clock: Clock) -> None:
        """Make an empty set; ``refresh`` fills it.  ``warn`` is told of each damaged pack once."""
        self._storage = storage
        self._warn = warn
        self._clock = clock
        self._cache = BlockCache()
        self._lock = RLock()
        self._absent: set[Oid] = set()  # damaged ones; a pack never changes, so they are not tried again
        self._lists: dict[str, Condemned] = {}  # by name; a list never changes
        self._view = _View(())
        self.notes = Notes(storage, warn)
        self.condemned: tuple[PackReader, ...] = ()
        """Packs that gc will delete: they are read where nothing else has an object, and nothing new builds on them."""

    @property
    def readers(self) -> tuple[PackReader, ...]:
        """The packs, newest first."""
        return self._view.readers

    def refresh(self) -> None:
        """List the packs anew: open those that came, let go of those that went."""
        with self._lock:
            open_already = {reader.name: reader for reader in (*self.readers, *self.condemned)}
            listed = self._list()
            self._storage.prefetch(idx_name(name) for name, _ in listed if name not in open_already)
            lists = self._lists.values()
            readers: list[PackReader] = []
            condemned: list[PackReader] = []
            for name, modified_us in listed:
                reader = open_already.get(name) or self._open(name, modified_us)
                if reader is not None:
                    is_doomed = any(one.dooms_pack(name, modified_us) for one in lists)
                    (condemned if is_doomed else readers).append(reader)
            self.condemned = tuple(condemned)
            if tuple(readers) != self.readers:
                self._view = _View(tuple(readers))

    def condemns_blob(self, oid: Oid) -> bool:
        """Tell whether gc may delete a large content that is there: put again, it is written again."""
        return any(oid in one.blobs for one in self._lists.values())

    def add(self, name: Oid) -> None:
        """Take in a pack that this process has just written, as the newest."""
        with self._lock:
            self._absent.discard(name)  # written over a damaged one
            reader = self._open(name, 0)
            others = tuple(reader for reader in self.readers if reader.name != name)
            if reader is not None:
                self._view = _View((reader, *others))

    def find_reader(self, name: Oid) -> PackReader | None:
        """Return the pack of a name."""
        return next((reader for reader in self.readers if reader.name == name), None)

    def has(self, oid: Oid) -> bool:
        """Tell whether any pack holds an object."""
        view = self._view
        if oid == view.nowhere:
            return False
        for reader, at in view.holding.iter_places(oid):
            try:
                if reader.idx.find(oid, at) is not None:
                    return True
            except ObjectCorrupt:
                return next(self.iter_holding(oid), None) is not None
        return False

    def read(self, oid: Oid) -> bytes | None:
        """Return an object's bytes; None when no pack holds it.

        The usual case in few steps: ``read_whole`` looks further when something is wrong.

        Raises:
            ObjectCorrupt, NameMissing: as ``PackReader.read`` does.
        """
        view = self._view
        place = view.trail.pop(oid, None) or view.find(oid)
        return None if place is None else place[0].read(place[1], oid)

    def read_node(self, oid: Oid) -> Node | None:
        """Return an object decoded as a node; as ``read`` otherwise.  Raises NotCanonical too, for what is no node."""
        view = self._view
        trail = view.trail
        place = trail.pop(oid, None) or view.find(oid)
        return None if place is None else place[0].read_node(place[1], oid, trail)

    def iter_holding(self, oid: Oid) -> Iterator[tuple[PackReader, int]]:
        """Yield (pack, ordinal) of each place of an object."""
        places = chain(self._view.holding.iter_places(oid), _places(self.condemned))
        for reader, ordinal in self._ask(places, lambda reader, at: reader.idx.find(oid, at)):
            if ordinal is not None:
                yield reader, ordinal

    def read_whole(self, oid: Oid) -> bytes | None:
        """Return an object's bytes from whichever pack has it whole; None when none has it.  Raises ObjectCorrupt."""
        failure: ObjectCorrupt | None = None
        for _ in range(2):
            lost = False
            for reader, ordinal in self.iter_holding(oid):
                try:
                    return reader.read(ordinal)
                except NameMissing:
                    lost = True
                    self.refresh()  # merged into another pack since it was listed
                except ObjectCorrupt as error:
                    failure = ObjectCorrupt(oid, error.where, str(error)) if error.oid is None else error
                    if error.oid is None:
                        lost = self.replace(reader, error) is not None
            if not lost:
                break
        if failure is not None:
            raise failure
        return None

    def find_candidates(self, eval_oid: Oid) -> list[Candidate]:
        """Return the outcomes of an eval that any pack records, in no order, some more than once."""
        found: list[Candidate] = []
        view = self._view
        places = list(view.naming.iter_places(eval_oid))
        if not places:
            view.nowhere = eval_oid
            return found
        try:
            for reader, at in places:
                for candidate, ordinal in reader.idx.list_outcomes(eval_oid, at):
                    found.append(candidate)
                    if ordinal is not None:
                        view.trail[candidate.target] = reader, ordinal
            if len(view.trail) > MAX_TRAIL:
                view.trail.clear()
        except ObjectCorrupt:
            answers = self._ask(places, lambda reader, at: reader.idx.list_outcomes(eval_oid, at))
            return [candidate for _, rows in answers for candidate, _ in rows]
        return found

    def find_producers(self, file_oid: Oid) -> set[Oid]:
        """Return the calls and reductions in any pack that produced a file."""
        places = self._view.naming.iter_places(file_oid)
        answers = self._ask(places, lambda reader, _: reader.idx.find_producers(file_oid))
        return {maker for _, found in answers for maker in found}

    def find_prefix(self, low: bytes, high: bytes, limit: int) -> set[tuple[Oid, int]]:
        """Return (oid, kind) with low <= oid <= high: the first ``limit`` of each pack."""
        answers = self._ask(_places(self.readers), lambda reader, _: reader.find_prefix(low, high, limit))
        return {row for _, found in answers for row in found}

    def iter_oids(self, kind: int | None) -> Iterator[tuple[Oid, int]]:
        """Yield (oid, kind) of all or of one kind, the newest pack and the last put first; some more than once."""
        for reader in self.readers:
            idx = reader.idx
            try:
                for ordinal in reversed(idx.ordinals_of(kind)):
                    yield idx.oid_at(ordinal), idx.kind_at(ordinal)
            except ObjectCorrupt as error:
                self.replace(reader, error)

    def replace(self, reader: PackReader, error: ObjectCorrupt) -> PackReader | None:
        """Give up a pack whose tables are damaged; return it with its idx made anew where the pack itself is whole."""
        with self._lock:
            current = next((other for other in self.readers if other.name == reader.name), None)
            if current is not reader:
                return current  # another thread was here before
            other = self._open_rebuilt(reader.name, error)
            kept = (other if one is reader else one for one in self.readers)
            self._view = _View(tuple(one for one in kept if one is not None))
            return other

    def _ask(
        self, places: Iterable[Place], question: Callable[[PackReader, int | None], _Answer]
    ) -> Iterator[tuple[PackReader, _Answer]]:
        """Put a question to each pack; one that turns out to be damaged is asked again once its idx is made anew."""
        for reader, at in places:
            try:
                yield reader, question(reader, at)
            except ObjectCorrupt as error:
                other = self.replace(reader, error)
                if other is not None:
                    yield other, question(other, None)

    def _list(self) -> list[tuple[Oid, int]]:
        """Return name and time of writing of all packs, newest first: by time, then by name."""
        found = []
        lists: list[Entry] = []
        notes: list[str] = []
        for entry in self._storage.iter_entries(FOLDER):
            if entry.name.endswith(SUFFIX) and is_condemned_list(entry.name):
                lists.append(entry)
                continue
            if is_note(entry.name):
                notes.append(entry.name)
                continue
            stem = entry.name[len(FOLDER) + 1 :].removesuffix(PACK_SUFFIX)
            if is_file_stem(stem) and entry.name.endswith(PACK_SUFFIX):
                found.append((entry.modified_us, Oid(bytes.fromhex(stem))))
        self.notes.update(notes)
        self._lists = {one.name: self._lists.get(one.name) or read_condemned(self._storage, one) for one in lists}
        return [(name, modified_us) for modified_us, name in sorted(found, reverse=True)]

    def _open(self, name: Oid, modified_us: int) -> PackReader | None:
        if name in self._absent:
            return None
        try:
            return PackReader(name, self._storage, cache=self._cache)
        except NameMissing as error:
            if error.name == pack_name(name):
                return None  # merged into another since the listing
            if abs(self._clock() - modified_us) < IDX_DELAY_SECONDS * 1_000_000:
                return None  # its writer is about to write the idx; its journal is there until then
            return self._open_rebuilt(name, ObjectCorrupt(None, idx_name(name), "it is missing"))
        except ObjectCorrupt as error:
            return self._open_rebuilt(name, error)

    def _open_rebuilt(self, name: Oid, error: ObjectCorrupt) -> PackReader | None:
        try:
            content = self._storage.view(pack_name(name))
            if hash_blob(content) == name:
                reader = PackReader(name, self._storage, cache=self._cache, idx=rebuild_idx(content))
                self._warn(f"{error}; its lookup table was made anew in memory")
                return reader
        except NameMissing:
            return None
        except ObjectCorrupt as deeper:
            error = deeper
        self._absent.add(name)
        self._warn(f"{error}; pack {name.hex()[:8]} is left out")
        return None


def _places(readers: Iterable[PackReader]) -> Iterator[Place]:
    return ((reader, None) for reader in readers)
