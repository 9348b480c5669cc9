"""One damaged pack: what of it can be read, what is lost, and writing it anew.

The invariant: a damaged pack goes only when a whole one, which was read back, has all that is to be had of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO

from redun.errors import ObjectError
from redun.hashing import Buffer, Oid, hash_blob, hash_node
from redun.objects.kinds import Kind
from redun.store.base import ObjectCorrupt
from redun.store.blobs import ContentDiffers, blob_name, iter_checked
from redun.store.canonical import kind_of_node
from redun.store.idx import Idx, check_idx
from redun.store.maintain.salvage import Salvage
from redun.store.objectdb import ObjectDb
from redun.store.pack import SealedPack
from redun.store.pack_format import idx_name, pack_name
from redun.store.storage import NameMissing, Storage

_BLOB = int(Kind.BLOB)


class DamagedPack:
    """A pack that is not what its name says, or is gone and left its idx."""

    def __init__(self, name: Oid, store: ObjectDb, listing: Idx | None) -> None:
        """Read what can be read; ``listing`` says what the pack should hold, None where nobody knows."""
        self.name = name
        self._store = store
        self._listing = listing
        self._salvage = Salvage(_view(store.storage, pack_name(name)), listing, pack_name(name))
        self.lost: set[Oid] = set()
        """What it should hold, cannot be read, and is nowhere else."""
        self.became: Oid | None = None
        """The pack that has all that it held."""
        self._is_known = self._find_lost()

    @property
    def files(self) -> tuple[str, str]:
        """The names of the pack and of its idx."""
        return pack_name(self.name), idx_name(self.name)

    def update(self) -> None:
        """Take note of what is elsewhere by now."""
        self.lost = {oid for oid in self.lost if not is_whole(self._store, oid)}

    def restore(self) -> bool:
        """Write the pack anew if all of it is to be had, most likely under the same name; tell whether it was.

        Raises:
            OSError, StoreError: the storage cannot be written; nothing was deleted.
        """
        if not self._is_known or self.lost:
            return False
        try:
            sealed = self._write(self._iter_all())
        except (ObjectError, NameMissing):  # what was elsewhere is gone again: others merge and collect
            return False
        if sealed is None:
            return False
        self.became = sealed.name
        if sealed.name != self.name:
            self.delete()
        return True

    def keep_readable(self) -> None:
        """Write what can be read and no other pack has into a new one.  Raises as ``restore`` does."""
        self._write((oid, kind, data) for _, oid, kind, data in self._salvage if not self._is_in_other(oid))

    def delete(self) -> None:
        """Delete the pack and its idx."""
        # The pack first: a reader takes one without an idx for damaged, one that is gone for merged.
        for name in self.files:
            self._store.storage.delete(name)

    def _find_lost(self) -> bool:
        """Fill ``lost``; tell whether it is known what the pack should hold."""
        readable = bytearray(self._salvage.count)
        for ordinal, _, _, _ in self._salvage:
            readable[ordinal] = 1
        if self._listing is None:
            return bool(readable) and all(readable)
        for ordinal, is_readable in enumerate(readable):
            if not is_readable:
                oid = self._listing.oid_at(ordinal)
                if not is_whole(self._store, oid):
                    self.lost.add(oid)
        return True

    def _iter_all(self) -> Iterator[tuple[Oid, int, bytes]]:
        """Yield everything in order of ordinal.  Raises ObjectError, NameMissing."""
        following = 0
        end: list[tuple[int, Oid, int, bytes]] = [(self._salvage.count, self.name, _BLOB, b"")]
        for ordinal, oid, kind, data in chain(self._salvage, end):
            for gap in range(following, ordinal):
                assert self._listing is not None, "without a listing, all of it was readable"
                yield self._get(self._listing.oid_at(gap), self._listing.kind_at(gap))
            if ordinal < self._salvage.count:
                yield oid, kind, data
            following = ordinal + 1

    def _get(self, oid: Oid, kind: int) -> tuple[Oid, int, bytes]:
        """Return an object that is elsewhere.  Raises ObjectError, NameMissing; also when it is of another kind."""
        data = self._store.get(oid)
        is_blob = kind == _BLOB
        if (hash_blob(data) if is_blob else hash_node(data)) != oid or not (is_blob or kind_of_node(data) == kind):
            raise ObjectCorrupt(oid, idx_name(self.name), f"it is not of kind {kind}")
        return oid, kind, data

    def _is_in_other(self, oid: Oid) -> bool:
        for reader in self._store.packs.readers:
            if reader.name != self.name and reader.has(oid):
                try:
                    reader.get(oid)
                except (ObjectError, NameMissing):
                    continue
                return True
        return False

    def _write(self, objects: Iterable[tuple[Oid, int, bytes]]) -> SealedPack | None:
        sealed = self._store.sealer.write(objects)
        if sealed is not None and hash_blob(self._store.storage.view(pack_name(sealed.name))) != sealed.name:
            raise ObjectCorrupt(None, pack_name(sealed.name), "it was written just now, and does not hash to its name")
        return sealed


def find_listing(storage: Storage, pack: Oid, offers: Iterable[Idx]) -> Idx | None:
    """Return what a pack should hold: by its idx here, by that of another place, or by what is left of the one here.

    ``offers`` are asked for only when the idx here is missing or damaged.
    """
    content = _view(storage, idx_name(pack))
    try:
        own: Idx | None = Idx(content, idx_name(pack), pack)
    except ObjectCorrupt:
        own = None
    if own is not None and check_idx(content):
        return own
    return next(iter(offers), own)


def is_whole(store: ObjectDb, oid: Oid) -> bool:
    """Tell whether an object can be read here, or in an alternate: what is there and damaged cannot."""
    kind = store.find_kind(oid)
    if kind is None:
        return False
    try:
        if kind == _BLOB and store.blobs.has(oid) and store.blobs.is_whole(oid):
            return True
        store.get(oid)
    except (ObjectError, NameMissing):
        return False
    return True


def write_content(storage: Storage, oid: Oid, stream: BinaryIO) -> bool:
    """Put a large content in its place; tell whether it was, which it is not when it does not hash to its name."""
    try:
        storage.write(blob_name(oid), iter_checked(stream, oid))
    except (ContentDiffers, ObjectCorrupt):
        return False
    return True


def _view(storage: Storage, name: str) -> Buffer:
    try:
        return storage.view(name)
    except NameMissing:
        return b""
