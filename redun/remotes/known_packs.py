"""What the packs of a remote hold, told by their idx files: these never change, and are kept in the cache for ever.

The invariant: what a remote has follows from its idx files alone; what was sent or seen earlier proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from redun.hashing import Buffer, Oid
from redun.remotes.listing import read_listing
from redun.remotes.reach import Reach
from redun.remotes.sketch import Sketch
from redun.store.base import ObjectCorrupt
from redun.store.condemned import read_condemned
from redun.store.idx import Idx, check_idx
from redun.store.notes import Notes
from redun.store.pack_format import FOLDER, IDX_SUFFIX, idx_name
from redun.store.storage import Storage

_MAPPED_BYTES = 1 << 20
"""So large tables are not held in memory, where there is no cache to map them from."""


class KnownPacks:
    """The packs of one remote, as they were listed last."""

    def __init__(self, reach: Reach, cache: Storage | None) -> None:
        """``cache``: where idx files are kept; None keeps them in memory."""
        self._reach = reach
        self.notes = Notes(reach.storage, lambda _warning: None)  # fsck over there tells of it
        self._cache = cache
        self.idxs: dict[Oid, Idx] = {}
        self.contents: dict[Oid, Buffer] = {}  # of the idxs
        self._latest: list[tuple[Oid, Idx]] = []  # the pack that answered last comes first
        self.sizes: dict[Oid, int] = {}  # bytes of each pack that was listed
        self.doomed: set[Oid] = set()  # packs that are condemned
        self.doomed_blobs: set[Oid] = set()
        self._sketch: Sketch | None = None
        self._n_misses = 0  # packs that were searched for nothing since the last listing

    def load(self, is_new: bool) -> None:
        """Learn which packs there are, reading each idx that was not seen before; ``is_new``: nothing is there yet.

        Raises:
            RemoteChanged: a file is gone that was listed a moment ago.
            RemoteDamaged: an idx is not what its checksum says.
        """
        with self._reach.reaching():
            self._load(is_new)

    def _load(self, is_new: bool) -> None:
        listing = read_listing(() if is_new else self._reach.storage.iter_entries(FOLDER))
        listed, self.sizes = listing.times, listing.sizes
        self.notes.update(listing.notes)
        condemned = self._reach.map(lambda entry: read_condemned(self._reach.storage, entry), listing.condemned)
        names = [pack for pack in listed if pack not in self.idxs]
        fresh = dict(zip(names, self._reach.map(self._load_idx, names)))
        self.idxs = {pack: self.idxs[pack] if pack in self.idxs else fresh[pack] for pack in listed}
        self.contents = {pack: self.contents[pack] for pack in listed}
        self.doomed = {pack for pack in listed if any(one.dooms_pack(pack, listed[pack]) for one in condemned)}
        self.doomed_blobs = {oid for one in condemned for oid in one.blobs}
        # Last, and for reading alone: what is about to be deleted there.
        self._latest = sorted(self.idxs.items(), key=lambda item: item[0] in self.doomed)
        self._sketch, self._n_misses = None, 0

    def find_pack(self, oid: Oid) -> Oid | None:
        """Return a pack that holds an object, None when there is none."""
        place = self.locate(oid)
        return None if place is None else place[0]

    def locate(self, oid: Oid) -> tuple[Oid, int] | None:
        """Return a pack that holds an object, and the ordinal there; None when there is none."""
        latest = self._latest
        if self._sketch is not None and not self._sketch.may_hold(oid):
            return None
        for at, (pack, idx) in enumerate(latest):
            ordinal = idx.find(oid)
            if ordinal is not None:
                if at:
                    latest.insert(0, latest.pop(at))
                    self._count_misses(at)
                return pack, ordinal
        if latest:
            self._count_misses(len(latest) - 1)
        return None

    def may_be_doubled(self, oid: Oid) -> bool:
        """Tell whether several packs may hold an object; of most that only one holds, it is known."""
        return len(self.idxs) > 1 and self._get_sketch().may_be_doubled(oid)

    def _count_misses(self, count: int) -> None:
        """Make a sketch once that is cheaper than to go on without: a miss costs what adding three objects does."""
        self._n_misses += count
        if self._sketch is None and 2 * self._n_misses > sum(idx.count for idx in self.idxs.values()):
            self._get_sketch()

    def _get_sketch(self) -> Sketch:
        if self._sketch is None:
            self._sketch = Sketch(sum(idx.count for idx in self.idxs.values()))
            for idx in self.idxs.values():
                self._sketch.add(idx.prefixes)
        return self._sketch

    def has(self, oid: Oid) -> bool:
        """Tell whether a pack holds an object, and with it everything that the object's hard links lead to.

        What is condemned there does not count: it may be gone before anything that is built on it is seen.
        """
        pack = self.find_pack(oid)
        if pack is None or pack not in self.doomed:
            return pack is not None
        return any(idx.find(oid) is not None for pack, idx in self.idxs.items() if pack not in self.doomed)

    def note_idx(self, pack: Oid, pieces: Iterable[bytes]) -> None:
        """Take the idx of a pack that was written just now, as if it had been read."""
        if self._cache is None:
            content = map_unnamed(pieces)
        else:
            self._cache.write(_cached_name(pack), pieces)
            content = self._cache.view(_cached_name(pack))
        self.contents[pack] = content
        self.idxs[pack] = Idx(content, idx_name(pack), pack)
        self._latest.insert(0, (pack, self.idxs[pack]))
        if self._sketch is not None:
            self._sketch.add(self.idxs[pack].prefixes)
            if self._sketch.count > self._sketch.capacity:
                self._sketch = None  # a larger one, when it is asked next

    def _load_idx(self, pack: Oid) -> Idx:
        content = self._read_cached(pack)
        self.contents[pack] = content = self._read_new(pack) if content is None else content
        return Idx(content, idx_name(pack), pack)

    def _read_cached(self, pack: Oid) -> Buffer | None:
        name = _cached_name(pack)
        if self._cache is None or self._cache.size(name) is None:
            return None
        content = self._cache.view(name)
        return content if check_idx(content) else None

    def _read_new(self, pack: Oid) -> Buffer:
        """Return the content of an idx that was not seen before, and keep it; memory does not hold a large one."""
        content = self._reach.storage.read(idx_name(pack))
        try:
            Idx(content, idx_name(pack), pack)
        except ObjectCorrupt as error:
            raise self._reach.damaged(f"{idx_name(pack)}: {error}") from error
        if not check_idx(content):
            raise self._reach.damaged(f"{idx_name(pack)}: its checksum does not fit")
        if self._cache is None:
            return content if len(content) < _MAPPED_BYTES else map_unnamed([content])
        self._cache.write(_cached_name(pack), content)
        return self._cache.view(_cached_name(pack))


def map_unnamed(pieces: Iterable[bytes]) -> Buffer:
    """Return content as a file that has no name, so that it takes no memory; its pieces are not all empty."""
    from mmap import ACCESS_READ, mmap
    from tempfile import TemporaryFile

    with TemporaryFile() as file:
        file.writelines(pieces)
        file.flush()
        return memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))


def _cached_name(pack: Oid) -> str:
    return f"{pack.hex()}{IDX_SUFFIX}"
