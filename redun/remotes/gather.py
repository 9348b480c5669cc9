"""The closure of some results at a remote, as far as it is missing here: brought together in few requests.

The invariant: every byte is checked against its name on arrival, and an object is given out only after all that its
hard links lead to.  A result of which anything is missing, damaged or not trusted is left out as a whole.

Objects are looked for level by level, for all results at once; within packs that are here, without levels.  A small
pack is brought whole, once, and kept for as long as the run lasts; of a large one the blocks that are needed are read
by ranges, and when that takes more than a few rounds it is brought whole as well.  So the number of requests follows
the packs, and not the objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.codec import Node, decode_node
from redun.objects.kinds import SOFT_LINK_KINDS, Kind
from redun.objects.plain import is_harmless
from redun.objects.value_records import FileRecord
from redun.remotes.ranges import read_objects
from redun.remotes.reach import RemoteChanged, RemoteDamaged
from redun.remotes.remote import Remote
from redun.remotes.staging import Staging
from redun.remotes.transfer import OnProgress, ignore_progress
from redun.store.absent import Cause
from redun.store.blobs import blob_name
from redun.store.local_storage import LocalStorage

if TYPE_CHECKING:
    from redun.store.pack import PackReader
    from redun.store.repository import Repository

WHOLE_PACK_BYTES = 16 << 20
"""A pack up to this size is brought whole: at 50 MB/s that is a third of a second, and each request is 20 to 100 ms."""
MAX_HELD_BYTES = 64 << 20
"""What is brought at once is held in memory up to this size; of the rest, its links."""
MAX_ROUNDS = 4
"""So many times a large pack is read by ranges."""
_MAX_REQUESTS = 8


NeedsContent = Callable[[FileRecord], bool]
"""Tells whether the content of a file that a job wrote is needed: the file is not as recorded."""


class Gathered(NamedTuple):
    """An object that was brought."""

    oid: Oid
    kind: int
    links: tuple[Oid, ...]  # hard ones
    data: bytes | None  # None for what is read when it is stored: a content, or one of many objects
    pack: Oid | None = None  # the one brought whole that holds it

    @property
    def is_harmless(self) -> bool:
        """Whether it may come from where only data is trusted: as ``sieve.py`` has it for a fetch."""
        return self.data is None or is_harmless(self.kind, self.data)


class Closure(NamedTuple):
    """What was found, and in which order to store it."""

    objects: list[Gathered]  # children first
    complete: set[Oid]  # those of the results asked for whose closure is in the store, or among the objects


class Gatherer:
    """Brings results from one remote during one run.  One thread at a time may use it."""

    def __init__(
        self,
        repository: Repository,
        remote: Remote,
        has: Callable[[Oid], bool],
        on_progress: OnProgress = ignore_progress,
    ) -> None:
        """``has`` tells what is here, with all that its hard links lead to; ``on_progress`` is told of packs."""
        self._remote = remote
        self._staging = Staging(repository, remote, on_progress)
        self._has = has
        absent = repository.store.packs.notes.absent
        self._purged = frozenset(oid for oid, absence in absent.items() if absence.cause is Cause.PURGED)
        self._is_near = isinstance(remote.storage, LocalStorage)
        self._opened: set[Oid] = set()  # packs that are here whole
        self._rounds: dict[Oid, int] = {}
        self._unusable: dict[Oid, RemoteDamaged] = {}
        self._held_bytes = 0
        self.damages: list[RemoteDamaged] = []
        """What is wrong with packs, each told once."""

    def close(self) -> None:
        """Remove what was kept for the run."""
        self._staging.__exit__()

    @property
    def n_packs(self) -> int:
        """How many packs were brought whole."""
        return len(self._opened)

    def forget_changed(self) -> bool:
        """Forget of packs that they are gone; tell whether there were any: the remote should be listed anew then."""
        gone = [pack for pack, error in self._unusable.items() if isinstance(error, RemoteChanged)]
        for pack in gone:
            self.damages.remove(self._unusable.pop(pack))
        return bool(gone)

    def gather(self, targets: Iterable[Oid], needs_content: NeedsContent) -> Closure:
        """Bring what is missing here of the closures of some objects.

        Raises:
            RemoteUnreachable: the remote cannot be read.
        """
        targets = list(targets)
        found: dict[Oid, Gathered] = {}
        contents: dict[Oid, Gathered] = {}
        here: dict[Oid, bool] = {}  # of each object that was come to
        self._held_bytes = 0
        level = list(targets)
        while level:
            distant: list[Oid] = []
            while level:
                oid = level.pop()
                if oid in here:
                    continue
                here[oid] = self._has(oid)
                if here[oid]:
                    continue
                # What lies in a pack that is here is followed at once: a long chain is no long row of levels.
                one = self._read_near(oid)
                if one is None:
                    distant.append(oid)
                    continue
                found[oid] = one
                level += one.links
                if one.kind in SOFT_LINK_KINDS:
                    contents.update(self._find_content(one, needs_content))
            for one in self._read(distant):
                found[one.oid] = one
                level += one.links
                if one.kind in SOFT_LINK_KINDS:
                    contents.update(self._find_content(one, needs_content))
        return _order(targets, found, contents, here)

    def read(self, one: Gathered) -> bytes | None:
        """Return the bytes of what was gathered; None for a content that is a file of its own at the remote.

        Raises:
            ObjectCorrupt: they were damaged since the pack was checked.
        """
        if one.data is not None or one.pack is None:
            return one.data
        return self._staging.reader(one.pack).get(one.oid)

    def iter_content(self, oid: Oid) -> Iterator[bytes]:
        """Yield a content that is a file of its own in pieces; the caller checks what they hash to."""
        return self._remote.iter_pieces(blob_name(oid))

    # -- one level

    def _read(self, oids: Iterable[Oid]) -> Iterator[Gathered]:
        """Yield those among some objects that the remote has, and that are what their names say."""
        places: dict[Oid, list[Oid]] = {}
        for oid in oids:
            if oid in self._purged:
                continue
            pack = self._remote.find_pack(oid)
            if pack is None:
                if self._remote.blob_size(oid) is not None:
                    yield Gathered(oid, int(Kind.BLOB), (), None)
            elif pack not in self._unusable:
                places.setdefault(pack, []).append(oid)
        whole = [pack for pack in places if self._is_brought_whole(pack)]
        self._open(pack for pack in whole if pack not in self._opened)
        for pack, wanted in places.items():
            try:
                came = list(self._read_whole(pack, wanted) if pack in whole else self._read_ranges(pack, wanted))
            except RemoteDamaged as error:
                self._give_up(pack, error)
            else:
                taken = (one for one in came if one.is_harmless) if self._remote.is_data_only else came
                yield from map(self._lighten, taken) if pack in whole else taken

    def _read_near(self, oid: Oid) -> Gathered | None:
        """Return an object out of a pack that was brought whole; None for any other."""
        pack = self._remote.find_pack(oid)
        if pack is None or pack not in self._opened or pack in self._unusable or oid in self._purged:
            return None
        try:
            one = self._read_one(self._staging.reader(pack), oid)
        except RemoteDamaged as error:
            self._give_up(pack, error)
            return None
        if self._remote.is_data_only and not one.is_harmless:
            return None
        return self._lighten(one)

    def _lighten(self, one: Gathered) -> Gathered:
        """Return an object without its bytes when many are held already: they are read from the pack once more."""
        if one.data is None or one.kind in SOFT_LINK_KINDS:
            return one
        self._held_bytes += len(one.data)
        return one if self._held_bytes <= MAX_HELD_BYTES else one._replace(data=None)

    def _is_brought_whole(self, pack: Oid) -> bool:
        if self._is_near or pack in self._opened or self._remote.sizes.get(pack, 0) <= WHOLE_PACK_BYTES:
            return True
        self._rounds[pack] = self._rounds.get(pack, 0) + 1
        return self._rounds[pack] > MAX_ROUNDS

    def _open(self, packs: Iterable[Oid]) -> None:
        """Bring packs whole, several at once where that takes long."""
        packs = list(packs)
        if self._is_near or len(packs) < 2:
            for pack in packs:
                self._open_one(pack)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_MAX_REQUESTS) as pool:
            list(pool.map(self._open_one, packs))

    def _open_one(self, pack: Oid) -> None:
        try:
            self._staging.reader(pack)
            self._opened.add(pack)
        except RemoteDamaged as error:
            self._give_up(pack, error)

    def _give_up(self, pack: Oid, error: RemoteDamaged) -> None:
        if pack not in self._unusable:
            self._unusable[pack] = error
            self.damages.append(error)

    def _read_whole(self, pack: Oid, oids: list[Oid]) -> Iterator[Gathered]:
        if pack not in self._unusable:
            reader = self._staging.reader(pack)
            yield from (self._read_one(reader, oid) for oid in oids)

    def _read_one(self, reader: PackReader, oid: Oid) -> Gathered:
        ordinal = reader.idx.find(oid)
        if ordinal is None:
            raise self._remote.damaged(f"an idx lists object {oid.hex()[:8]}, which its pack does not hold")
        kind = reader.idx.kind_at(ordinal)
        if kind == Kind.BLOB:
            return Gathered(oid, kind, (), None, reader.name)  # read when it is stored: many together may be large
        try:
            return _gathered(oid, kind, reader.read(ordinal))._replace(pack=reader.name)
        except ObjectError as error:  # damaged since the pack was checked
            raise self._remote.damaged(str(error)) from error

    def _read_ranges(self, pack: Oid, oids: list[Oid]) -> Iterator[Gathered]:
        idx = self._remote.packs[pack]
        ordinals = [ordinal for ordinal in map(idx.find, oids) if ordinal is not None]
        for oid, kind, data in read_objects(self._remote, {pack: ordinals}):
            try:
                yield Gathered(oid, kind, (), data) if kind == Kind.BLOB else _gathered(oid, kind, data)
            except ObjectError as error:
                raise self._remote.damaged(str(error)) from error

    # -- contents of files

    def _find_content(self, file: Gathered, needs_content: NeedsContent) -> Iterator[tuple[Oid, Gathered]]:
        """Yield the content of a file where it comes along for nothing, or is needed to put the file back."""
        assert file.data is not None, "a file is a node"
        node = decode_node(file.data)
        for oid in () if self._remote.is_data_only else node.links:
            if self._has(oid) or oid in self._purged:
                continue
            pack = self._remote.find_pack(oid)
            if pack is not None and pack in self._opened and pack not in self._unusable:
                yield oid, Gathered(oid, int(Kind.BLOB), (), None, pack)
            elif self._is_produced(file.oid) and _needs(needs_content, node):
                yield from ((one.oid, one) for one in self._read([oid]))

    def _is_produced(self, file: Oid) -> bool:
        """Tell whether a job wrote a file: others are never put back."""
        return any(idx.find_producers(file) for idx in self._remote.packs.values())


def _order(
    targets: list[Oid], found: dict[Oid, Gathered], contents: dict[Oid, Gathered], here: dict[Oid, bool]
) -> Closure:
    """Return what to store of what was found: contents, then whatever is whole, children first."""
    objects = [one for oid, one in contents.items() if oid not in found]
    is_whole: dict[Oid, bool] = {}
    stack = [(target, False) for target in reversed(targets)]
    while stack:
        oid, is_expanded = stack.pop()
        if oid in is_whole:
            continue
        one = found.get(oid)
        if one is None:
            is_whole[oid] = here[oid]
        elif not is_expanded:
            stack.append((oid, True))
            stack += [(link, False) for link in one.links if link not in is_whole]
        else:
            is_whole[oid] = all(is_whole[link] for link in one.links)
            if is_whole[oid]:
                objects.append(one)
    return Closure(objects, {target for target in targets if is_whole[target]})


def _needs(needs_content: NeedsContent, file: Node) -> bool:
    try:
        return needs_content(FileRecord.decode(file))
    except ObjectError:  # it is no file: whoever reads it for its own sake is told
        return False


def _gathered(oid: Oid, kind: int, data: bytes) -> Gathered:
    links = () if kind in SOFT_LINK_KINDS else tuple(decode_node(data).links)
    return Gathered(oid, kind, links, data)
