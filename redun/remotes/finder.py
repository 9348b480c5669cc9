"""What of the executions and edits at a remote is missing here: a walk over links, from packs that were checked.

The invariant: what is found is whole together with what is here: every hard link leads to something that is found,
here, or known to be absent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.codec import NotCanonical, decode_node
from redun.objects.decoding import BadBody
from redun.objects.execution_records import RunSubject, TagRecord
from redun.objects.ids import format_id
from redun.objects.kinds import SOFT_LINK_KINDS, Kind
from redun.objects.oid import short
from redun.objects.value_records import FileRecord
from redun.remotes.contents import find_sizes
from redun.remotes.sieve import Sieve
from redun.remotes.staging import Staging
from redun.remotes.transfer import LARGE_CONTENT_BYTES
from redun.remotes.wanted import PASSED, UNSEEN, WANTED, Marks, Wanted
from redun.store.base import ObjectCorrupt
from redun.store.idx import Idx
from redun.store.pack_format import idx_name
from redun.store.ref_texts import TagRef

if TYPE_CHECKING:
    from redun.store.repository import Repository

_HARD = -1
_UNKNOWN_SIZE = 1 << 63
_MAX_PLACES = 1 << 16
"""Of so many links it is remembered where they led: most lead where another led just before.  100 bytes each."""


class _Links(NamedTuple):
    """Where an object leads, and what it says of it."""

    oids: Sequence[Oid]
    size: int  # _HARD when each must resolve; else of the content, which may be missing


class Finder:
    """Walks what refs reach and finds out what of it is missing here."""

    def __init__(self, repository: Repository, staging: Staging) -> None:
        self._store = repository.store
        self._staging = staging
        self._remote = staging.remote
        self.wanted = Wanted()
        self.sieve = Sieve(repository.store, staging.remote)
        self.n_marked = 0
        """How many objects were found to be wanted, whether they came since or not."""
        self._places: dict[Oid, Oid | None] = {}  # where links led: a pack, or None for what is here
        # What no pack holds: who links to it, and whether it must be there.  The remote is asked about all at once.
        self._unsure: dict[Oid, tuple[Oid | None, bool]] = {}
        self._gone: set[Oid] = set()  # large contents of files that are not kept over there

    def find(self, roots: Iterable[Oid]) -> None:
        """Mark what is missing of all that some objects reach.  ``settle`` is to be called before anything is written.

        Raises:
            RemoteDamaged: the remote lacks something that must be there, or holds what is no object.
        """
        try:
            self._walk(roots)
        except (NotCanonical, ObjectCorrupt) as error:
            raise self._remote.damaged(str(error)) from error

    def settle(self) -> None:
        """Ask the remote about the contents that no pack holds.

        Raises:
            RemoteDamaged: the remote lacks one that must be there.
        """
        unsure, self._unsure = self._unsure, {}
        sizes = find_sizes(self._remote, unsure)
        self.wanted.large.update(sizes)
        for oid, (source, is_needed) in unsure.items():
            if oid not in sizes and not self.sieve.is_absent_there(oid):
                self._gone.add(oid)
                if is_needed:
                    self._refuse(oid, source)

    def is_only_of(self, ref: TagRef, executions: Collection[str]) -> bool:
        """Tell whether an edit speaks only of objects that are here or wanted, and of some executions (uuids).

        Raises:
            RemoteDamaged: one of its tags is not there, or is none.
        """
        own = set(ref.tags)
        for tag in ref.tags:
            subject, parents = self._read_tag(tag)
            if isinstance(subject, RunSubject):
                if format_id(subject.execution_id) not in executions:
                    return False
            elif not self._is_here(subject):
                return False
            if not all(parent in own or self._is_here(parent) for parent in parents):
                return False
        return True

    def _read_tag(self, oid: Oid) -> tuple[Oid | RunSubject, list[Oid]]:
        pack = self._remote.find_pack(oid)
        if pack is None:
            raise self._remote.damaged(f"it lacks tag {short(oid)}")
        reader = self._staging.reader(pack)
        ordinal = reader.idx.find(oid)
        try:
            record = TagRecord.decode(decode_node(reader.read(-1 if ordinal is None else ordinal)))
        except ObjectError as error:
            raise self._remote.damaged(str(error)) from error
        return record.subject, record.parents

    def _is_here(self, oid: Oid) -> bool:
        return self._store.has(oid) or self.wanted.find_wanted(oid) is not None

    # -- the walk

    def _walk(self, roots: Iterable[Oid]) -> None:
        """Walk depth first, without recursion; a link stands with its source, the source's pack and what it says."""
        stack: list[tuple[Oid, Oid | None, Oid | None, int]] = [(oid, None, None, _HARD) for oid in roots]
        places, packs = self._places, self.wanted.packs
        while stack:
            oid, source, origin, size = stack.pop()
            links: _Links | None = None
            if oid in places:
                pack = places[oid]
            else:
                pack, links = self._come_to(oid, source, size)
            if pack is not None and origin is not None and pack != origin:
                packs[origin].links_into.add(pack)
            if links is not None:
                stack += [(link, oid, pack, links.size) for link in reversed(links.oids)]

    def _come_to(self, oid: Oid, source: Oid | None, size: int) -> tuple[Oid | None, _Links | None]:
        """Return the pack that an object is taken from, and its links when they are to be followed."""
        place = self._remote.locate(oid)
        pack, links = (None if place is None else place[0]), None
        marks = self.wanted.packs.get(pack) if pack is not None else None
        is_seen = False
        if place is not None and marks is not None:
            ordinal = _find(marks.idx, oid, place[1])
            is_seen = ordinal is not None and marks.flags[ordinal] != UNSEEN
        if not is_seen:
            if pack in self.wanted.installed or self.sieve.skips(oid):
                pack = None
            elif place is None:
                self._note_unpacked(oid, source, size)
                return None, None
            else:
                elsewhere = self.wanted.find_seen(oid) if self._remote.may_be_doubled(oid) else None
                pack = elsewhere or place[0]
                links = None if elsewhere else self._mark(oid, place, size)
        if len(self._places) >= _MAX_PLACES:
            self._places.clear()
        self._places[oid] = pack
        return pack, links

    def _mark(self, oid: Oid, place: tuple[Oid, int], size: int) -> _Links | None:
        """Mark an object; return its links when they are to be followed."""
        pack, hint = place
        reader = self._staging.reader(pack)
        marks = self.wanted.marks_of(pack, reader.idx)
        ordinal = _find(marks.idx, oid, hint)
        if ordinal is None:
            raise self._remote.damaged(f"{idx_name(pack)} lists object {short(oid)}, which its pack does not hold")
        kind = marks.idx.kind_at(ordinal)
        if kind == Kind.BLOB:  # it leads nowhere, and was hashed when its pack was checked
            if pack in self._staging.partial:
                marks.flags[ordinal] = PASSED
                self.wanted.left[oid] = size if 0 <= size < _UNKNOWN_SIZE else 0
            else:
                self._want(marks, ordinal)
            return None
        data = reader.read(ordinal, oid)
        if not self.sieve.takes(oid, kind, data):
            marks.flags[ordinal] = PASSED
            return None
        self._want(marks, ordinal)
        return self._read_links(kind, data) if self.sieve.follows(kind) else None

    def _read_links(self, kind: int, data: bytes) -> _Links:
        node = decode_node(data)
        if kind not in SOFT_LINK_KINDS:
            return _Links(node.links, _HARD)
        try:
            size = FileRecord.decode(node).size
        except BadBody as error:
            raise self._remote.damaged(str(error)) from error
        return _Links(node.links, _UNKNOWN_SIZE if size is None else size)

    def _want(self, marks: Marks, ordinal: int) -> None:
        marks.flags[ordinal] = WANTED
        marks.count += 1
        self.n_marked += 1

    def _note_unpacked(self, oid: Oid, source: Oid | None, size: int) -> None:
        """Note an object that is in no pack: it may be a content that is a file of its own, or not be kept."""
        if oid in self.wanted.large or oid in self.wanted.settled:
            return
        if oid in self._gone or 0 <= size < LARGE_CONTENT_BYTES:
            # Asking costs a request, so it is asked only about what can be there.
            if not self.sieve.is_absent_there(oid) and size == _HARD:
                self._refuse(oid, source)
        elif size == _HARD or oid not in self._unsure:
            self._unsure[oid] = source, size == _HARD

    def _refuse(self, oid: Oid, source: Oid | None) -> None:
        of = "" if source is None else f" that {short(source)} links to"
        promise = self._remote.notes.promised.get(oid)
        left = "" if promise is None else f"; `redun pull {promise.remote}` there brings it: it was pulled lazily"
        raise self._remote.damaged(f"it lacks object {short(oid)}{of}{left}")


def _find(idx: Idx, oid: Oid, hint: int) -> int | None:
    """Return an object's ordinal; ``hint`` is what another idx of the same pack says."""
    return hint if hint < idx.count and idx.oid_at(hint) == oid else idx.find(oid)
