"""Writing what was found at a remote into a repository.

The invariant: whatever is in the store is there together with all that its hard links lead to, after each single
write.  So large contents come first, then packs in an order in which each one links only into what is there already.
A pack is taken over byte for byte when all of it is wanted or here; else what is wanted of it goes into a new pack.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from redun.hashing import Oid
from redun.objects.kinds import Kind
from redun.remotes.contents import get_contents
from redun.remotes.finder import Wanted
from redun.remotes.negotiate import order_packs
from redun.remotes.remote import Remote
from redun.remotes.staging import Staging
from redun.remotes.transfer import ContentChanged, OnProgress, checked
from redun.store.blobs import blob_name
from redun.store.canonical import split_node
from redun.store.idx import Idx
from redun.store.pack import write_pack
from redun.store.pack_format import idx_name, pack_name

if TYPE_CHECKING:
    from redun.store.repository import Repository


class Installer:
    """Writes what is wanted into a repository, in an order that never leaves a link dangling."""

    def __init__(self, repository: Repository, remote: Remote, staging: Staging, on_progress: OnProgress) -> None:
        self._repository = repository
        self._remote = remote
        self._staging = staging
        self._on_progress = on_progress

    def install(self, wanted: Wanted) -> tuple[int, int]:
        """Write everything; return the number of objects and of bytes written."""
        errors = get_contents(self._remote, self._repository.storage, wanted.large, self._on_progress)
        if errors:
            raise errors[0]
        size = sum(wanted.large.values())
        is_whole = {pack: self._is_whole(pack, oids) for pack, oids in wanted.packs.items()}
        parts = [pack for pack, whole in is_whole.items() if not whole]
        names: list[str] = [blob_name(oid) for oid in wanted.large]
        for step in order_packs(self._find_dependencies(wanted), parts):
            if len(step) == 1 and is_whole[step[0]]:
                size += self._install_whole(step[0])
                names += [pack_name(step[0]), idx_name(step[0])]
                continue
            pack = write_pack(self._iter_wanted(step, wanted), self._repository.storage)
            if pack is not None:
                size += pack.pack_size + pack.idx_size
                names += [pack_name(pack.name), idx_name(pack.name)]
        self._repository.storage.sync(names)
        self._repository.store.refresh(force=True)
        return len(wanted.large) + sum(map(len, wanted.packs.values())), size

    def _is_whole(self, pack: Oid, oids: set[Oid]) -> bool:
        """Tell whether all of a pack is wanted or here."""
        idx = self._staging.reader(pack).idx
        if pack in self._staging.partial:
            return False
        if len(oids) == idx.count:
            return True
        has = self._repository.store.has
        return all(oid in oids or has(oid) for oid in map(idx.oid_at, range(idx.count)))

    def _find_dependencies(self, wanted: Wanted) -> dict[Oid, set[Oid]]:
        """Return for each pack which others its wanted objects link into."""
        depends_on: dict[Oid, set[Oid]] = {pack: set() for pack in sorted(wanted.packs)}
        if len(depends_on) < 2:
            return depends_on
        place = {oid: pack for pack, oids in wanted.packs.items() for oid in oids}
        for pack, oids in wanted.packs.items():
            reader = self._staging.reader(pack)
            for ordinal in _iter_ordinals(reader.idx, oids):
                if reader.idx.kind_at(ordinal) != Kind.BLOB:
                    links = split_node(reader.read(ordinal))[0]
                    depends_on[pack].update(place[link] for link in links if link in place)
        return depends_on

    def _install_whole(self, pack: Oid) -> int:
        storage, name = self._repository.storage, pack_name(pack)
        content = memoryview(self._staging.storage.view(name))
        # Hashed again on its way: a remote on this machine is read in place, and could have changed since.
        step = 1 << 20
        pieces = (bytes(content[at : at + step]) for at in range(0, len(content), step))
        try:
            storage.write(name, checked(pieces, pack, name))
        except ContentChanged as error:
            raise self._remote.damaged(str(error)) from error
        idx = self._staging.idxs[pack]
        storage.write(idx_name(pack), idx)
        return len(content) + len(idx)

    def _iter_wanted(self, packs: list[Oid], wanted: Wanted) -> Iterator[tuple[Oid, int, bytes]]:
        """Yield the wanted objects of some packs as a new pack wants them: by kind."""
        for kind in Kind:
            for pack in packs:
                reader, oids = self._staging.reader(pack), wanted.packs[pack]
                for ordinal in reader.idx.ordinals_of(kind):
                    oid = reader.idx.oid_at(ordinal)
                    if oid in oids:
                        yield oid, int(kind), reader.read(ordinal)


def _iter_ordinals(idx: Idx, oids: set[Oid]) -> Iterator[int]:
    """Yield the ordinals of some objects, ascending, so that each block is decoded once."""
    return (ordinal for ordinal in range(idx.count) if idx.oid_at(ordinal) in oids)
