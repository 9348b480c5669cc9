"""Packs of a remote on their way: each is checked whole before anything is read from it.

The invariant: a pack that is given out has the hash that names it, and so has every object in it; of one that was
brought without its contents, each object is checked when it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from redun.hashing import Buffer, Oid
from redun.objects.codec import NotCanonical
from redun.objects.oid import short
from redun.remotes.pack_proof import is_proven
from redun.remotes.remote import Remote
from redun.remotes.staging_folder import StagingFolder
from redun.remotes.transfer import ContentChanged, OnProgress, checked
from redun.store.base import ObjectCorrupt
from redun.store.block_cache import BlockCache
from redun.store.idx import Idx
from redun.store.local_storage import LocalStorage
from redun.store.pack import PackReader, rebuild_idx
from redun.store.pack_format import idx_name, pack_name
from redun.store.storage import Storage

if TYPE_CHECKING:
    from redun.store.repository import Repository


class Staging:
    """Packs of a remote, each checked whole before anything is read from it.

    A pack that lies on this machine is read in place; another is first brought into a temporary folder of the cache, so
    that memory never holds a pack.
    """

    def __init__(
        self, repository: Repository, remote: Remote, on_progress: OnProgress, *, is_lazy: bool = False
    ) -> None:
        assert repository.cache_path is not None, "a repository that can be written has a cache"
        self.remote = remote
        self._folder = StagingFolder(repository.cache_path)
        self._on_progress = on_progress
        self._blocks = BlockCache(limit=64)
        self._readers: dict[Oid, PackReader] = {}
        self._idxs: dict[Oid, Buffer] = {}
        self._is_lazy = is_lazy
        self.partial: set[Oid] = set()
        """Packs whose contents were left over there; each of their other objects is checked when it is read."""
        self._own = LocalStorage(self._folder.path)
        self._is_here = isinstance(remote.storage, LocalStorage)
        self._storage = remote.storage if self._is_here else self._own
        self.taken_bytes = 0

    def __enter__(self) -> Staging:  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self._readers.clear()
        self._folder.close()

    @property
    def storage(self) -> Storage:
        """Where the checked packs are."""
        return self._storage

    def reader(self, pack: Oid) -> PackReader:
        """Return a pack, checked.

        Raises:
            RemoteDamaged: it is not what its name or its idx says.
        """
        if pack not in self._readers:
            reader = self._bring_part(pack) if self._is_lazy else None
            self._readers[pack] = reader or self._bring(pack)
        return self._readers[pack]

    def view_idx(self, pack: Oid) -> Buffer:
        """Return the idx of a checked pack: the one that the pack itself gives."""
        return self._idxs[pack]

    def drop(self, pack: Oid) -> None:
        """Let go of a pack, and of the room that it takes here."""
        self._readers.pop(pack, None)
        self._idxs.pop(pack, None)
        self.partial.discard(pack)
        for name in (pack_name(pack), idx_name(pack)):
            self._own.delete(name)

    def _bring_part(self, pack: Oid) -> PackReader | None:
        """Bring a pack without its contents, when these weigh enough."""
        from redun.remotes.packed import read_without_contents

        reader = read_without_contents(self.remote, pack, self._own, self._blocks)
        if reader is not None:
            self.partial.add(pack)
        return reader

    def _bring(self, pack: Oid) -> PackReader:
        name = pack_name(pack)
        if not self._is_here:
            self._folder.touch()
            pieces = checked(self.remote.iter_pieces(name), pack, name)
            try:
                self._storage.write(name, pieces)
            except ContentChanged as error:
                raise self.remote.damaged(str(error)) from error
        content = self.remote.read_file(name) if self._is_here else self._storage.view(name)
        try:
            idx = self._check(pack, content)
            reader = PackReader(pack, self._storage, cache=self._blocks, idx=idx)  # compares the pack's hash and name
        except (ObjectCorrupt, NotCanonical) as error:
            raise self.remote.damaged(str(error)) from error
        self.taken_bytes += len(content)
        self._on_progress(self.taken_bytes, 0, f"checked pack {short(pack)}")
        return reader

    def _check(self, pack: Oid, content: Buffer) -> Buffer | Idx:
        """Return the idx that a pack gives: the remote's, or one made anew where that is another.

        Raises:
            ObjectCorrupt, NotCanonical: the pack is damaged.
        """
        name, idx = pack_name(pack), self.remote.packs.get(pack)
        if idx is not None and is_proven(pack, content, idx, name):
            self._idxs[pack] = self.remote.view_idx(pack)
            return idx
        # It hashes the pack and each object in it.  Memory holds it no longer than it is made.
        self._own.write(idx_name(pack), rebuild_idx(content, name))
        self._idxs[pack] = self._own.view(idx_name(pack))
        return self._idxs[pack]
