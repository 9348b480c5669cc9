"""Another repository as seen from here: its refs, what its packs hold, its large contents.

The invariant: what a remote has follows from its idx files (``known_packs.py``); what was sent or seen earlier proves
nothing.  Every failure to reach it becomes a RemoteError that names it (``reach.py``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import NamedTuple, TypeVar, cast

from redun.hashing import Buffer, Oid, hash_blob
from redun.objects.kinds import Kind
from redun.objects.oid import is_file_stem, parse_oid
from redun.remotes.gate import Gate
from redun.remotes.known_packs import KnownPacks
from redun.remotes.reach import NotARemote, NothingThere, Reach, RemoteChanged, RemoteDamaged
from redun.store.absent import Absence, write_absent
from redun.store.blobs import FOLDER as BLOBS
from redun.store.blobs import blob_name
from redun.store.format_file import NotARepository, UnknownFormat, check_format, has_format, write_format
from redun.store.idx import Idx
from redun.store.notes import Notes
from redun.store.pack import SealedPack, write_pack
from redun.store.ref_names import EXECUTIONS, TAGS
from redun.store.ref_texts import BadRef, ExecutionRef, TagRef
from redun.store.refs import RefMissing, Refs
from redun.store.storage import Storage
from redun.store.subtree import NAMESPACES

LOOKS = 3
"""How often a remote is looked at anew when it changes under the eyes of whoever reads it: others merge and collect."""

_OBJECTS = "objects"

_Result = TypeVar("_Result")


class RefNames(NamedTuple):
    """The names of the refs at a remote, each list in order."""

    executions: list[str]
    tags: list[str]


class Remote:
    """A repository somewhere else.  ``load_packs`` comes before every question about objects."""

    is_tracked = True
    """Whether it is worth remembering what was seen there."""
    is_data_only = False
    """Whether nothing is taken from there but plain data: ``[remotes.NAME] trust = data``."""

    def __init__(
        self, name: str, storage: Storage, cache: Storage | None = None, *, project: Storage | None = None
    ) -> None:
        """Make a remote; nothing is read yet.

        Args:
            name: what the settings call it.
            storage: the repository tree.
            cache: where its idx files are kept; None keeps them in memory.
            project: the ``.redun`` folder at the same place: taken instead when the place itself is no repository.
        """
        self.name = name
        self._cache = cache
        self._project = project
        self._is_new = False  # nothing is there yet
        self.gate = Gate()
        self._settle(storage)

    def look(self) -> RefNames:
        """Return the names of its refs, in order; no file but the format's is opened.

        Raises:
            NothingThere: there is no repository.
            NotARemote: there is one of another format.
            RemoteUnreachable: it cannot be read.
        """
        names = self._look()
        if names is None:
            raise NothingThere(self.name, self.location)
        return names

    def check(self) -> None:
        """Make sure that there is a repository: one request where there is.  Raises as ``look`` does."""
        if not self._has_format():
            if not self._is_project():
                raise NothingThere(self.name, self.location)
            self._enter_project()
            self.check()

    def look_or_create(self) -> RefNames:
        """Do as ``look`` does, but where there is nothing at all, take it for a repository that is still to be made.

        ``make`` makes it, or the first pack that is written.

        Raises:
            NotARemote: there is something else, or a repository of another format.
            RemoteUnreachable: it cannot be read.
        """
        names = self._look() if self._was_seen() else None
        if names is not None:
            return names
        # All that can matter at once: on first contact each round trip is waited for by somebody.
        is_there, names, is_project, stranger = self._reach.together(
            self._has_format, self._list_refs, self._is_project, self.storage.find_any
        )
        if is_there:
            return RefNames(*names)
        if is_project:
            self._enter_project()
            return self.look()
        # Objects without a format are of a first push that was cut off: each says its own version.
        if stranger is not None and stranger.partition("/")[0] not in {_OBJECTS, NAMESPACES}:
            why = f"expected a repository or nothing, found {stranger}"
            raise NotARemote(self.name, self.location, why, "name a folder of its own for it")
        self._is_new = True
        return RefNames([], [])

    def make(self) -> None:
        """Make the repository, where ``look_or_create`` found nothing.  Idempotent."""
        if self._is_new:
            with self._reach.reaching():
                write_format(self.storage)
            self._is_new = False

    def read_refs(self, names: Iterable[str]) -> dict[str, ExecutionRef]:
        """Read refs, many at a time; what was dropped since it was listed, or may not pass, is left out.

        Raises:
            RemoteDamaged: the text of one is malformed.
        """
        return {ref.name: ref for ref in self._read_all(self._refs.read, names) if self.gate.admits(ref)}

    def write_refs(self, refs: Iterable[ExecutionRef]) -> None:
        """Put refs in place, many at a time."""
        with self._reach.reaching():
            self._reach.map(self._refs.write, refs)

    def read_tag_refs(self, names: Iterable[str]) -> list[TagRef]:
        """Read tag refs, many at a time.  Raises as ``read_refs`` does."""
        return [ref for ref in self._read_all(self._refs.read_tags, names) if self.gate.admits(ref)]

    def write_tag_refs(self, refs: Iterable[TagRef]) -> None:
        """Put tag refs in place, many at a time."""
        with self._reach.reaching():
            self._reach.map(self._refs.write_tags, refs)

    def load_packs(self) -> None:
        """Learn which objects its packs hold, reading each idx that was not seen before.

        Raises:
            RemoteDamaged: an idx is not what its checksum says.
        """
        for _ in range(LOOKS - 1):
            with suppress(RemoteChanged):
                return self._known.load(self._is_new)
        return self._known.load(self._is_new)

    @property
    def packs(self) -> dict[Oid, Idx]:
        """The idx of each pack, by the pack's name."""
        return self._known.idxs

    def view_idx(self, pack: Oid) -> Buffer:
        """Return the content of a pack's idx."""
        return self._known.contents[pack]

    @property
    def sizes(self) -> dict[Oid, int]:
        """The bytes of each pack that was listed."""
        return self._known.sizes

    @property
    def doomed(self) -> set[Oid]:
        """The packs that are condemned over there."""
        return self._known.doomed

    @property
    def notes(self) -> Notes:
        """What its notes tell: what is absent there on purpose, what was left elsewhere."""
        return self._known.notes

    @property
    def is_new(self) -> bool:
        """Whether nothing is there yet, as ``look_or_create`` found."""
        return self._is_new

    def list_blobs(self) -> dict[Oid, int]:
        """Return the large contents there with their sizes in bytes; a request for each 1 000 of them."""
        with self._reach.reaching():
            found = ((entry.name.rpartition("/")[2], entry.size) for entry in self.storage.iter_entries(BLOBS))
            return {parse_oid(stem): size for stem, size in found if is_file_stem(stem)}

    def find_pack(self, oid: Oid) -> Oid | None:
        """Return a pack that holds an object, None when there is none."""
        return self._known.find_pack(oid)

    def locate(self, oid: Oid) -> tuple[Oid, int] | None:
        """Return a pack that holds an object, and the ordinal there; None when there is none."""
        return self._known.locate(oid)

    def may_be_doubled(self, oid: Oid) -> bool:
        """Tell whether several packs may hold an object; of most that only one holds, it is known."""
        return self._known.may_be_doubled(oid)

    def has(self, oid: Oid) -> bool:
        """Tell whether a pack holds an object, and with it everything that the object's hard links lead to.

        What is condemned there does not count: it may be gone before anything that is built on it is seen.
        """
        return self._known.has(oid)

    def blob_size(self, oid: Oid, *, is_for_writing: bool = False) -> int | None:
        """Return the size in bytes of a large content, None when it is not there.

        ``is_for_writing``: what is condemned does not count, as for ``has``.
        """
        if is_for_writing and oid in self._known.doomed_blobs:
            return None
        with self._reach.reaching():
            return self.storage.size(blob_name(oid))

    def write_absent(self, absences: Iterable[Absence]) -> None:
        """Write down what is missing there on purpose, before anything that links to it."""
        new = [absence for absence in absences if absence.oid not in self.notes.absent]
        if new:
            with self._reach.reaching():
                write_absent(self.storage, new, max(absence.time_us for absence in new))

    def write_objects(self, objects: Iterable[tuple[Oid, int, bytes]]) -> SealedPack | None:
        """Write objects as one new pack; None when there are none.  Raises as ``write_pack`` does."""
        if self._known.doomed:
            # The same objects in the same order make the same name, which a collection may be about to delete.
            salt = os.urandom(16)
            objects = chain([(hash_blob(salt), int(Kind.BLOB), salt)], objects)
        with self._reach.reaching():
            _, pack = self._reach.together(
                self.make, lambda: write_pack(objects, self.storage, on_idx=self._known.note_idx)
            )
        return cast("SealedPack | None", pack)

    def write_blob(self, oid: Oid, pieces: Iterable[bytes]) -> None:
        """Put a large content in its place, streaming."""
        with self._reach.reaching():
            self.storage.write(blob_name(oid), pieces)

    def sync(self, names: Iterable[str]) -> None:
        """Force what was written to the disk, where the remote has one."""
        with self._reach.reaching():
            self.storage.sync(names)

    def read_file(self, name: str) -> Buffer:
        """Return the whole content under a name.

        Raises:
            RemoteDamaged: there is nothing, though something else says that there is.
        """
        with self._reach.reaching():
            return self.storage.view(name)

    def read_ranges(self, ranges: Iterable[tuple[str, int, int]]) -> list[bytes]:
        """Return pieces of contents, each given by name, start and length in bytes; several requests at once.

        Raises:
            RemoteDamaged: there is less than that.
        """
        with self._reach.reaching():
            wanted = list(ranges)
            pieces = self._reach.map(lambda one: self.storage.read(*one), wanted)
        for (name, _, length), piece in zip(wanted, pieces):
            if len(piece) != length:
                raise self.damaged(f"{name} is cut short")
        return pieces

    def iter_pieces(self, name: str, size: int = 1 << 20) -> Iterator[bytes]:
        """Yield the content under a name in pieces.  Raises as ``read_file`` does."""
        with self._reach.reaching(), self.storage.open(name) as stream:
            while piece := stream.read(size):
                yield piece

    def damaged(self, what: str) -> RemoteDamaged:
        """Return the error for something at this remote that is not what it should be."""
        return self._reach.damaged(what)

    def _settle(self, storage: Storage) -> None:
        self.storage = storage
        self.location = storage.location
        self._refs = Refs(storage)
        self._reach = Reach(self.name, storage)
        self._known = KnownPacks(self._reach, self._cache)

    def _look(self) -> RefNames | None:
        """Return the names of refs; None when there is no repository.  Two requests where there is one."""
        is_there, names = self._reach.together(self._has_format, self._list_refs)
        if is_there:
            return RefNames(*names)
        if not self._is_project():
            return None
        self._enter_project()
        return self._look()

    def _has_format(self) -> bool:
        with self._reach.reaching():
            try:
                check_format(self.storage)
            except NotARepository:
                return False
            except UnknownFormat as error:
                raise NotARemote(self.name, self.location, str(error), error.hint) from None
        return True

    def _list_refs(self) -> RefNames:
        with self._reach.reaching():
            found = sorted(self._refs.iter_all_names())
        executions = [name for folder, name in found if folder == EXECUTIONS]
        return RefNames(executions, [name for folder, name in found if folder == TAGS])

    def _is_project(self) -> bool:
        """Tell whether the place is a project with a repository in it."""
        with self._reach.reaching():
            return self._project is not None and has_format(self._project)

    def _enter_project(self) -> None:
        assert self._project is not None
        self._settle(self._project)
        self._project = None

    def _was_seen(self) -> bool:
        """Tell whether something of it is in the cache: then it is a repository, most likely."""
        return self._cache is None or self._cache.find_any() is not None

    def _read_all(self, read: Callable[[str], _Result], names: Iterable[str]) -> list[_Result]:
        def find(name: str) -> _Result | None:
            try:
                return read(name)
            except RefMissing:
                return None

        with self._reach.reaching():
            try:
                return [ref for ref in self._reach.map(find, names) if ref is not None]
            except BadRef as error:
                raise self.damaged(str(error)) from error
