"""Writing what was found at a remote into a repository.

The invariant: whatever is in the store is there together with all that its hard links lead to, after each single
write.  So large contents come first, then packs in an order in which each one links only into what is there already.
A pack is taken over byte for byte when all of it is wanted or here; else what is wanted of it goes into new packs, of
so many objects as memory can hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from redun.hashing import Oid
from redun.objects.kinds import Kind
from redun.remotes.contents import get_contents
from redun.remotes.negotiate import order_packs
from redun.remotes.postorder import iter_batches
from redun.remotes.staging import Staging
from redun.remotes.transfer import ContentChanged, OnProgress, checked
from redun.remotes.wanted import WANTED, Wanted
from redun.store.blobs import blob_name
from redun.store.pack import write_pack
from redun.store.pack_format import idx_name, pack_name

if TYPE_CHECKING:
    from redun.remotes.remote import Remote
    from redun.store.repository import Repository


_NEARLY = 8
"""Of a pack of which more than an eighth is not wanted yet it is not asked what of that is here."""


class Installer:
    """Writes what is wanted into a repository, in an order that never leaves a link dangling."""

    def __init__(
        self,
        repository: Repository,
        remote: Remote,
        staging: Staging,
        on_progress: OnProgress,
        on_step: Callable[[], None],
        *,
        limit: int,
    ) -> None:
        """Make an installer that has written nothing yet.

        Args:
            repository: where everything goes.
            remote: where it comes from.
            staging: its packs.
            on_progress: told now and then how far it is.
            on_step: called when more is in the store than before: after so many objects, and at the end.
            limit: how many objects go into one new pack, or are kept to oneself.
        """
        self._repository = repository
        self._remote = remote
        self._staging = staging
        self._on_progress = on_progress
        self._on_step = on_step
        self._limit = limit
        self._unpublished: list[str] = []  # names of files
        self._n_unpublished = 0  # objects
        self.n_objects = 0
        self.n_bytes = 0

    def install_ready(self, wanted: Wanted) -> None:
        """Write the packs that are wanted whole and that link into nothing but such; the others wait for the end."""
        self._install_large(wanted)
        ready = {
            pack: marks.links_into - wanted.installed
            for pack, marks in wanted.packs.items()
            if marks.count * _NEARLY >= marks.idx.count * (_NEARLY - 1) and self._is_whole(pack, wanted)
        }
        while unready := [pack for pack, others in ready.items() if not others <= ready.keys()]:
            for pack in unready:
                del ready[pack]
        for step in order_packs(ready):
            if len(step) > 1:
                break
            self._take_whole(step[0], wanted)
        self._publish()

    def install(self, wanted: Wanted) -> None:
        """Write everything."""
        self._install_large(wanted)
        wanted.packs = {pack: marks for pack, marks in sorted(wanted.packs.items()) if marks.count}
        is_whole = {pack: self._is_whole(pack, wanted) for pack in wanted.packs}
        parts = [pack for pack, whole in is_whole.items() if not whole]
        for step in order_packs({pack: marks.links_into for pack, marks in wanted.packs.items()}, parts):
            if len(step) == 1 and is_whole[step[0]]:
                self._take_whole(step[0], wanted)
            else:
                self._take_parts(step, wanted)
        self._publish()

    def _install_large(self, wanted: Wanted) -> None:
        sizes = wanted.take_large()
        errors = get_contents(self._remote, self._repository.storage, sizes, self._on_progress)
        if errors:
            raise errors[0]
        self._unpublished += map(blob_name, sizes)
        self.n_objects += len(sizes)
        self.n_bytes += sum(sizes.values())

    def _is_whole(self, pack: Oid, wanted: Wanted) -> bool:
        """Tell whether all of a pack is wanted or here; what is taken from another pack makes it build on that."""
        marks = wanted.packs[pack]
        if pack in self._staging.partial:
            return False
        if marks.count == marks.idx.count:
            return True
        others: set[Oid] = set()
        for ordinal, flag in enumerate(marks.flags):
            if flag != WANTED and not self._repository.store.has(oid := marks.idx.oid_at(ordinal)):
                other = wanted.find_wanted(oid)
                if other is None:
                    return False
                others.add(other)
        marks.links_into |= others
        return True

    def _take_whole(self, pack: Oid, wanted: Wanted) -> None:
        storage, name = self._repository.storage, pack_name(pack)
        content = memoryview(self._staging.storage.view(name))
        # Hashed again on its way: a remote on this machine is read in place, and could have changed since.
        step = 1 << 20
        pieces = (bytes(content[at : at + step]) for at in range(0, len(content), step))
        try:
            storage.write(name, checked(pieces, pack, name))
        except ContentChanged as error:
            raise self._remote.damaged(str(error)) from error
        idx = self._staging.view_idx(pack)
        storage.write(idx_name(pack), idx)
        self._end_step([pack], [pack], len(content) + len(idx), wanted)

    def _take_parts(self, packs: list[Oid], wanted: Wanted) -> None:
        """Write what is wanted of packs that are not taken over, or that link to each other."""
        size = 0
        names: list[Oid] = []
        for objects in self._iter_parts(packs, wanted):
            pack = write_pack(objects, self._repository.storage)
            if pack is not None:
                size += pack.pack_size + pack.idx_size
                names.append(pack.name)
        self._end_step(packs, names, size, wanted)

    def _iter_parts(self, packs: Sequence[Oid], wanted: Wanted) -> Iterator[Iterator[tuple[Oid, int, bytes]]]:
        """Yield what each new pack is to hold: by kind, as a pack wants it."""
        if sum(wanted.packs[pack].count for pack in packs) <= self._limit:
            yield self._iter_wanted(packs, wanted)
            return
        readers = [self._staging.reader(pack) for pack in packs]
        yield from iter_batches(readers, [wanted.packs[pack].flags for pack in packs], self._limit)

    def _iter_wanted(self, packs: Sequence[Oid], wanted: Wanted) -> Iterator[tuple[Oid, int, bytes]]:
        for kind in Kind:
            for pack in packs:
                reader, marks = self._staging.reader(pack), wanted.packs[pack]
                for ordinal in marks.iter_wanted(reader.idx.ordinals_of(kind)):
                    yield reader.idx.oid_at(ordinal), int(kind), reader.read(ordinal)

    def _end_step(self, packs: Sequence[Oid], written: Sequence[Oid], size: int, wanted: Wanted) -> None:
        self._unpublished += [name for pack in written for name in (pack_name(pack), idx_name(pack))]
        self.n_bytes += size
        for pack in packs:
            count = wanted.packs.pop(pack).count
            self.n_objects += count
            self._n_unpublished += count
            wanted.installed.add(pack)
            self._staging.drop(pack)
        if self._n_unpublished >= self._limit:
            self._publish()

    def _publish(self) -> None:
        """Force what was written to the disk, and tell of it."""
        self._repository.storage.sync(self._unpublished)
        self._repository.store.refresh(force=True)
        self._unpublished, self._n_unpublished = [], 0
        self._on_step()
