"""What a damaged repository can have back from a remote.

The invariant: what a fetch would not take, a repair does not take: from a remote that is trusted with data alone no
code, no file that a job wrote and no content but that of a value (``sieve.py``); from one whose refs must be signed,
only what the refs lead to that may pass (``gate.py``); what was purged here, from nobody.  Every byte is checked
against its name on arrival.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.kinds import SOFT_LINK_KINDS, Kind
from redun.remotes.gather import Gathered, Gatherer
from redun.remotes.ranges import read_objects
from redun.remotes.reach import RemoteDamaged
from redun.remotes.remote import LOOKS, Remote
from redun.remotes.transfer import ContentChanged, checked
from redun.store.absent import Cause
from redun.store.blobs import blob_name
from redun.store.canonical import split_node
from redun.store.idx import Idx
from redun.store.ref_texts import ExecutionRef, TagRef

if TYPE_CHECKING:
    from redun.store.repository import Repository

GATHERED_OBJECTS = 1 << 16
"""So many objects are asked for at once, with what they lead to: memory holds their names and links."""
RANGE_BYTES = 32 << 20
"""As much of a pack is read at once, by its average."""
_MAX_FAILURES = 64
"""In a damaged pack over there, so many times the part that cannot be read is looked for by halves."""

_BLOB = int(Kind.BLOB)


class AsksFor(Protocol):
    """What is asked: the ``Wanted`` of ``store/maintain/mend_sources.py``, which is not known here."""

    @property
    def oids(self) -> Collection[Oid]:
        """Objects that are missing, fewer as they come."""

    @property
    def linked(self) -> Collection[Oid]:
        """Those that something here links to and cannot do without."""

    @property
    def has(self) -> Callable[[Oid], bool]:
        """Tells of any object whether it is here, whole."""


class Batch(NamedTuple):
    """Some of what a remote gives."""

    contents: list[Oid]  # large ones, in their place already
    objects: Iterable[tuple[Oid, int, bytes]]  # (oid, kind, bytes) by kind, each checked


class RemoteSource:
    """A remote, as a source of what is missing here.  Nothing is asked of it before it is needed."""

    def __init__(self, repository: Repository, remote: Remote) -> None:
        self.name = remote.name
        self._repository = repository
        self._remote = remote
        self._is_loaded = False
        self._roots: list[Oid] | None = None  # of what somebody vouches for
        self.n_refused = 0
        """How many of the objects that were asked for are there, and may not be taken."""

    def find_listing(self, pack: Oid) -> Idx | None:
        """Return the idx of a pack that is there too.

        Raises:
            RemoteError: the remote cannot be reached, is none, or is damaged.
        """
        self._load()
        return self._remote.packs.get(pack)

    def find_refs(self, names: Collection[str]) -> list[ExecutionRef | TagRef]:
        """Return the refs there that have one of these names and may pass; a damaged one is passed over.

        Raises:
            RemoteError: the remote cannot be reached, or is none.
        """
        self._load()
        found: list[ExecutionRef | TagRef] = []
        for name in names:
            with suppress(RemoteDamaged):
                found += self._remote.read_refs([name]).values()
            with suppress(RemoteDamaged):
                found += self._remote.read_tag_refs([name])
        return found

    def bring(self, wanted: AsksFor) -> Iterator[Batch]:
        """Yield what is there of what is wanted, with what that leads to and is missing here.

        An object of which not everything below can be had comes too, alone.

        Raises:
            RemoteError: the remote cannot be reached, is none, or its tables are damaged.
        """
        self._load()
        asked = [oid for oid in wanted.oids if self._may_give(oid, wanted)]
        asked.sort(key=self._kind_there)  # what is linked to comes before what links to it
        # Who vouches for an object is known by way of those that lead to it, so these are needed at once.
        step = GATHERED_OBJECTS if self._remote.gate.is_open else max(1, len(asked))
        gatherer = Gatherer(self._repository, self._remote, wanted.has)
        try:
            for at in range(0, len(asked), step):
                yield from self._gather(gatherer, asked[at : at + step])
        finally:
            gatherer.close()
        yield from self._read_alone([oid for oid in asked if oid in wanted.oids])
        if self._remote.is_data_only or not self._remote.gate.is_open:
            self.n_refused = sum(self._remote.find_pack(oid) is not None for oid in wanted.oids)

    @property
    def why_refused(self) -> str:
        """Why objects that are there are not taken; an empty text where all are."""
        if self._remote.is_data_only:
            return "only plain data is taken from there"
        return "" if self._remote.gate.is_open else "no ref leads to them that is signed as `require_signatures` says"

    def _load(self) -> None:
        if not self._is_loaded:
            self._remote.check()
            self._remote.load_packs()
            self._is_loaded = True

    # -- whole closures

    def _gather(self, gatherer: Gatherer, asked: list[Oid]) -> Iterator[Batch]:
        for _ in range(LOOKS - 1):
            closure = gatherer.gather(asked, _needs_all)
            if not gatherer.forget_changed():
                break
            self._remote.load_packs()
        else:
            closure = gatherer.gather(asked, _needs_all)
        objects = self._sift({one.oid: one for one in closure.objects})
        contents = [one.oid for one in objects if _is_content(one)]
        came = [oid for oid in contents if self._write_content(gatherer, oid)]
        packed = sorted((one for one in objects if not _is_content(one)), key=lambda one: one.kind)
        yield Batch(came, self._iter_read(gatherer, packed))

    def _iter_read(self, gatherer: Gatherer, objects: Iterable[Gathered]) -> Iterator[tuple[Oid, int, bytes]]:
        for one in objects:
            try:
                data = gatherer.read(one)
            except ObjectError as error:  # damaged since its pack was checked
                raise self._remote.damaged(str(error)) from error
            assert data is not None, "contents that are files of their own were told apart"
            yield one.oid, one.kind, data

    def _write_content(self, gatherer: Gatherer, oid: Oid) -> bool:
        name = blob_name(oid)
        try:
            self._repository.storage.write(name, checked(gatherer.iter_content(oid), oid, name))
        except (ContentChanged, RemoteDamaged):
            return False
        return True

    # -- objects alone

    def _read_alone(self, oids: Iterable[Oid]) -> Iterator[Batch]:
        """Yield objects of which something below is missing there too: each is better here than nowhere."""
        places: dict[Oid, list[int]] = {}
        for oid in oids:
            pack = self._remote.find_pack(oid)
            ordinal = None if pack is None else self._remote.packs[pack].find(oid)
            if pack is not None and ordinal is not None:
                places.setdefault(pack, []).append(ordinal)
        for pack, ordinals in places.items():
            for objects in self._read_ranges(pack, sorted(ordinals)):
                taken = self._sift({oid: Gathered(oid, kind, _links(kind, data), data) for oid, kind, data in objects})
                yield Batch([], [(one.oid, one.kind, one.data) for one in taken if one.data is not None])

    def _read_ranges(self, pack: Oid, ordinals: list[int]) -> Iterator[list[tuple[Oid, int, bytes]]]:
        """Yield objects of one pack, by halves where something in it is damaged."""
        average = self._remote.sizes.get(pack, 0) // max(1, self._remote.packs[pack].count)
        step = max(1, RANGE_BYTES // max(1, average))
        parts = [ordinals[at : at + step] for at in range(0, len(ordinals), step)][::-1]
        n_failures = 0
        while parts:
            part = parts.pop()
            try:
                yield list(read_objects(self._remote, {pack: part}))
            except RemoteDamaged:
                n_failures += 1
                half = len(part) // 2
                if half and n_failures < _MAX_FAILURES:
                    parts += [part[half:], part[:half]]

    # -- what may be taken

    def _may_give(self, oid: Oid, wanted: AsksFor) -> bool:
        """Tell whether an object is asked for at all."""
        absence = self._repository.store.find_absence(oid)
        if absence is not None and absence.cause is Cause.PURGED:
            return False
        if not self._remote.is_data_only:
            return True
        kind = self._kind_there(oid)
        if kind == _BLOB:
            return oid in wanted.linked  # by a value: a file's content is not missed, and may be a program
        is_produced = any(idx.find_producers(oid) for idx in self._remote.packs.values())
        return kind != Kind.FILE or not (is_produced or self._repository.store.find_producers(oid))

    def _kind_there(self, oid: Oid) -> int:
        pack = self._remote.find_pack(oid)
        ordinal = None if pack is None else self._remote.packs[pack].find(oid)
        return _BLOB if pack is None or ordinal is None else self._remote.packs[pack].kind_at(ordinal)

    def _sift(self, found: dict[Oid, Gathered]) -> list[Gathered]:
        """Return what may be taken of what was found."""
        taken = [one for one in found.values() if not self._remote.is_data_only or one.is_harmless]
        if self._remote.gate.is_open or not taken:
            return taken
        vouched = self._find_vouched({one.oid: one for one in taken})
        return [one for one in taken if one.oid in vouched]

    def _find_vouched(self, found: dict[Oid, Gathered]) -> set[Oid]:
        """Return all that the refs lead to that may pass, as far as it is here or was found."""
        if self._roots is None:
            names = self._remote.look()
            refs = self._remote.read_refs(names.executions).values()
            self._roots = [ref.object for ref in refs if ref.object is not None]
            self._roots += [tag for tag_ref in self._remote.read_tag_refs(names.tags) for tag in tag_ref.tags]
        stack = list(self._roots)
        seen: set[Oid] = set()
        while stack:
            oid = stack.pop()
            if oid in seen:
                continue
            seen.add(oid)
            one = found.get(oid)
            if one is None:
                with suppress(ObjectError):
                    stack += self._repository.store.get_node(oid).links
            elif one.kind in SOFT_LINK_KINDS and one.data is not None:
                stack += split_node(one.data)[0]
            else:
                stack += one.links
        return seen


def _needs_all(_record: object) -> bool:
    return True


def _is_content(one: Gathered) -> bool:
    return one.kind == _BLOB and one.data is None and one.pack is None


def _links(kind: int, data: bytes) -> tuple[Oid, ...]:
    return () if kind == _BLOB or kind in SOFT_LINK_KINDS else tuple(split_node(data)[0])
