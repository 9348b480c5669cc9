"""Another repository as seen from here: its refs, what its packs hold, its large contents.

The invariant: what a remote has follows from its idx files, which never change and are kept in the cache for ever; what
was sent or seen earlier proves nothing.  Every failure to reach it becomes a RemoteError that names it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from redun.config import StorageSettings
from redun.errors import RemoteError
from redun.hashing import Buffer, Oid, hash_blob
from redun.objects.kinds import Kind
from redun.objects.oid import HEX_DIGITS, is_prefix, parse_oid
from redun.remotes.gate import Gate
from redun.remotes.listing import read_listing
from redun.remotes.namespaces import NamespaceStorage
from redun.remotes.settings import get_remote, read_signers
from redun.remotes.urls import inner_url
from redun.store.absent import Absence, write_absent
from redun.store.base import ObjectCorrupt, ReadOnlyStore
from redun.store.blobs import FOLDER as BLOBS
from redun.store.blobs import blob_name
from redun.store.condemned import read_condemned
from redun.store.format_file import NotARepository, UnknownFormat, check_format, has_format, write_format
from redun.store.idx import Idx, check_idx
from redun.store.local_storage import LocalStorage
from redun.store.location import open_storage
from redun.store.notes import Notes
from redun.store.pack import SealedPack, write_pack
from redun.store.pack_format import FOLDER, IDX_SUFFIX, idx_name
from redun.store.refs import EXECUTIONS, TAGS, BadRef, ExecutionRef, RefMissing, Refs, TagRef
from redun.store.storage import NameMissing, Storage
from redun.store.subtree import NAMESPACES

if TYPE_CHECKING:
    from redun.store.repository import Repository

_MAX_REQUESTS = 16
"""Requests under way at once.  One takes 20 to 100 ms at a bucket, and 16 of them share a line well."""

LOOKS = 3
"""How often a remote is looked at anew when it changes under the eyes of whoever reads it: others merge and collect."""

_OBJECTS = "objects"

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class RemoteUnreachable(RemoteError):
    """A remote cannot be read or written."""

    def __init__(self, name: str, location: str, why: str) -> None:
        super().__init__(f"cannot reach remote {name!r} at {location}: {why}")
        self.name = name
        self.location = location


class NotARemote(RemoteError):
    """There is no repository where a remote should be, or one of another format."""

    def __init__(self, name: str, location: str, why: str, hint: str = "") -> None:
        super().__init__(f"remote {name!r} at {location}: {why}", hint=hint)
        self.name = name
        self.location = location


class NothingThere(NotARemote):
    """There is no repository where a remote should be: nobody has pushed to it yet, or its URL is wrong."""

    def __init__(self, name: str, location: str) -> None:
        hint = "check the url with `redun remote show`; the first `redun push` makes a repository there"
        super().__init__(name, location, "there is no repository there", hint)


class RemoteDamaged(RemoteError):
    """Something at a remote is not what its name says.  Nothing of it was taken."""

    def __init__(self, name: str, location: str, what: str) -> None:
        super().__init__(
            f"remote {name!r} at {location} is damaged: {what}",
            hint="nothing of it was taken; `redun fsck` in that repository tells what else is",
        )
        self.name = name
        self.location = location
        self.what = what


class RemoteChanged(RemoteDamaged):
    """Something that was listed at a remote is gone: merged into something else, collected, or lost."""


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
        self._idxs: dict[Oid, Idx] = {}
        self._latest: list[tuple[Oid, Idx]] = []  # the pack that answered last comes first
        self.sizes: dict[Oid, int] = {}  # bytes of each pack that was listed
        self.doomed: set[Oid] = set()  # packs that are condemned
        self._doomed_blobs: set[Oid] = set()
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
        is_there, names, is_project, stranger = self._together(
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
            with self._reaching():
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
        with self._reaching():
            self._map(self._refs.write, refs)

    def read_tag_refs(self, names: Iterable[str]) -> list[TagRef]:
        """Read tag refs, many at a time.  Raises as ``read_refs`` does."""
        return [ref for ref in self._read_all(self._refs.read_tags, names) if self.gate.admits(ref)]

    def write_tag_refs(self, refs: Iterable[TagRef]) -> None:
        """Put tag refs in place, many at a time."""
        with self._reaching():
            self._map(self._refs.write_tags, refs)

    def load_packs(self) -> None:
        """Learn which objects its packs hold, reading each idx that was not seen before.

        Raises:
            RemoteDamaged: an idx is not what its checksum says.
        """
        for _ in range(LOOKS - 1):
            with suppress(RemoteChanged), self._reaching():
                return self._load_listed()
        with self._reaching():
            return self._load_listed()

    def _load_listed(self) -> None:
        listing = read_listing(() if self._is_new else self.storage.iter_entries(FOLDER))
        listed, self.sizes = listing.times, listing.sizes
        self.notes.update(listing.notes)
        condemned = self._map(lambda entry: read_condemned(self.storage, entry), listing.condemned)
        names = [pack for pack in listed if pack not in self._idxs]
        fresh = dict(zip(names, self._map(self._load_idx, names)))
        self._idxs = {pack: self._idxs[pack] if pack in self._idxs else fresh[pack] for pack in listed}
        self.doomed = {pack for pack in listed if any(one.dooms_pack(pack, listed[pack]) for one in condemned)}
        self._doomed_blobs = {oid for one in condemned for oid in one.blobs}
        # Last, and for reading alone: what is about to be deleted there.
        self._latest = sorted(self._idxs.items(), key=lambda item: item[0] in self.doomed)

    @property
    def packs(self) -> dict[Oid, Idx]:
        """The idx of each pack, by the pack's name."""
        return self._idxs

    @property
    def is_new(self) -> bool:
        """Whether nothing is there yet, as ``look_or_create`` found."""
        return self._is_new

    def list_blobs(self) -> dict[Oid, int]:
        """Return the large contents there with their sizes in bytes; a request for each 1 000 of them."""
        with self._reaching():
            found = ((entry.name.rpartition("/")[2], entry.size) for entry in self.storage.iter_entries(BLOBS))
            return {parse_oid(stem): size for stem, size in found if is_prefix(stem) and len(stem) == HEX_DIGITS}

    def find_pack(self, oid: Oid) -> Oid | None:
        """Return a pack that holds an object, None when there is none."""
        latest = self._latest
        for at, (pack, idx) in enumerate(latest):
            if idx.find(oid) is not None:
                if at:
                    latest.insert(0, latest.pop(at))
                return pack
        return None

    def has(self, oid: Oid) -> bool:
        """Tell whether a pack holds an object, and with it everything that the object's hard links lead to.

        What is condemned there does not count: it may be gone before anything that is built on it is seen.
        """
        pack = self.find_pack(oid)
        if pack is None or pack not in self.doomed:
            return pack is not None
        return any(idx.find(oid) is not None for pack, idx in self._idxs.items() if pack not in self.doomed)

    def blob_size(self, oid: Oid, *, is_for_writing: bool = False) -> int | None:
        """Return the size in bytes of a large content, None when it is not there.

        ``is_for_writing``: what is condemned does not count, as for ``has``.
        """
        if is_for_writing and oid in self._doomed_blobs:
            return None
        with self._reaching():
            return self.storage.size(blob_name(oid))

    def write_absent(self, absences: Iterable[Absence]) -> None:
        """Write down what is missing there on purpose, before anything that links to it."""
        new = [absence for absence in absences if absence.oid not in self.notes.absent]
        if new:
            with self._reaching():
                write_absent(self.storage, new, max(absence.time_us for absence in new))

    def write_objects(self, objects: Iterable[tuple[Oid, int, bytes]]) -> SealedPack | None:
        """Write objects as one new pack; None when there are none.  Raises as ``write_pack`` does."""
        if self.doomed:
            # The same objects in the same order make the same name, which a collection may be about to delete.
            salt = os.urandom(16)
            objects = chain([(hash_blob(salt), int(Kind.BLOB), salt)], objects)
        with self._reaching():
            _, pack = self._together(self.make, lambda: write_pack(objects, self.storage, on_idx=self._note_idx))
        return cast("SealedPack | None", pack)

    def write_blob(self, oid: Oid, pieces: Iterable[bytes]) -> None:
        """Put a large content in its place, streaming."""
        with self._reaching():
            self.storage.write(blob_name(oid), pieces)

    def sync(self, names: Iterable[str]) -> None:
        """Force what was written to the disk, where the remote has one."""
        with self._reaching():
            self.storage.sync(names)

    def read_file(self, name: str) -> Buffer:
        """Return the whole content under a name.

        Raises:
            RemoteDamaged: there is nothing, though something else says that there is.
        """
        with self._reaching():
            return self.storage.view(name)

    def read_ranges(self, ranges: Iterable[tuple[str, int, int]]) -> list[bytes]:
        """Return pieces of contents, each given by name, start and length in bytes; several requests at once.

        Raises:
            RemoteDamaged: there is less than that.
        """
        with self._reaching():
            wanted = list(ranges)
            pieces = self._map(lambda one: self.storage.read(*one), wanted)
        for (name, _, length), piece in zip(wanted, pieces):
            if len(piece) != length:
                raise self.damaged(f"{name} is cut short")
        return pieces

    def iter_pieces(self, name: str, size: int = 1 << 20) -> Iterator[bytes]:
        """Yield the content under a name in pieces.  Raises as ``read_file`` does."""
        with self._reaching(), self.storage.open(name) as stream:
            while piece := stream.read(size):
                yield piece

    def damaged(self, what: str) -> RemoteDamaged:
        """Return the error for something at this remote that is not what it should be."""
        return RemoteDamaged(self.name, self.location, what)

    def _settle(self, storage: Storage) -> None:
        self.storage = storage
        self.location = storage.location
        self._refs = Refs(storage)
        self.notes = Notes(storage, lambda _warning: None)  # fsck over there tells of it

    def _look(self) -> RefNames | None:
        """Return the names of refs; None when there is no repository.  Two requests where there is one."""
        is_there, names = self._together(self._has_format, self._list_refs)
        if is_there:
            return RefNames(*names)
        if not self._is_project():
            return None
        self._enter_project()
        return self._look()

    def _has_format(self) -> bool:
        with self._reaching():
            try:
                check_format(self.storage)
            except NotARepository:
                return False
            except UnknownFormat as error:
                raise NotARemote(self.name, self.location, str(error), error.hint) from None
        return True

    def _list_refs(self) -> RefNames:
        with self._reaching():
            found = sorted(self._refs.iter_all_names())
        executions = [name for folder, name in found if folder == EXECUTIONS]
        return RefNames(executions, [name for folder, name in found if folder == TAGS])

    def _is_project(self) -> bool:
        """Tell whether the place is a project with a repository in it."""
        with self._reaching():
            return self._project is not None and has_format(self._project)

    def _enter_project(self) -> None:
        assert self._project is not None
        self._settle(self._project)
        self._project = None

    def _was_seen(self) -> bool:
        """Tell whether something of it is in the cache: then it is a repository, most likely."""
        return self._cache is None or self._cache.find_any() is not None

    def _note_idx(self, pack: Oid, pieces: Iterable[bytes]) -> None:
        """Take the idx of a pack that was written just now, as if it had been read."""
        if self._cache is None:
            content: Buffer = b"".join(pieces)
        else:
            self._cache.write(_cached_name(pack), pieces)
            content = self._cache.view(_cached_name(pack))
        self._idxs[pack] = Idx(content, idx_name(pack), pack)
        self._latest.insert(0, (pack, self._idxs[pack]))

    def _load_idx(self, pack: Oid) -> Idx:
        cached_name = _cached_name(pack)
        if self._cache is not None and self._cache.size(cached_name) is not None:
            content = self._cache.view(cached_name)
            if check_idx(content):
                return Idx(content, cached_name, pack)
        content = self.storage.read(idx_name(pack))
        try:
            idx = Idx(content, idx_name(pack), pack)
        except ObjectCorrupt as error:
            raise self.damaged(f"{idx_name(pack)}: {error}") from error
        if not check_idx(content):
            raise self.damaged(f"{idx_name(pack)}: its checksum does not fit")
        if self._cache is not None:
            self._cache.write(cached_name, content)
        return idx

    def _map(self, function: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
        """Apply a function that makes one request to each item, several at once where requests take long."""
        items = list(items)
        if isinstance(self.storage, LocalStorage) or len(items) < 2:
            return [function(item) for item in items]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_MAX_REQUESTS) as pool:
            return list(pool.map(function, items))

    def _together(self, *requests: Callable[[], Any]) -> list[Any]:
        """Make some requests at once, where they take long; return what each gives, raise what the first raises."""
        return self._map(lambda request: request(), requests)

    def _read_all(self, read: Callable[[str], _Result], names: Iterable[str]) -> list[_Result]:
        def find(name: str) -> _Result | None:
            try:
                return read(name)
            except RefMissing:
                return None

        with self._reaching():
            try:
                return [ref for ref in self._map(find, names) if ref is not None]
            except BadRef as error:
                raise self.damaged(str(error)) from error

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except NameMissing as error:
            raise RemoteChanged(self.name, self.location, f"{error.name} is missing") from error
        except (OSError, ReadOnlyStore) as error:
            raise RemoteUnreachable(self.name, self.location, str(error)) from error


def _cached_name(pack: Oid) -> str:
    return f"{pack.hex()}{IDX_SUFFIX}"


def connect(repository: Repository, name: str) -> Remote:
    """Return the remote that a repository's settings call ``name``.

    Raises:
        RemoteUnknown: the settings list none of this name.
        UnsupportedUrl: nothing here can reach its URL.
        ConfigError: the settings are malformed.
    """
    settings = get_remote(repository.config_path, name)
    base, cache_path = repository.path.parent, repository.cache_path
    remote = open_remote(
        settings.name, settings.url, base, cache_path, settings=settings.storage, namespace=settings.namespace
    )
    remote.is_data_only = settings.trust == "data"
    remote.gate = Gate(read_signers(repository.config_path, settings))
    return remote


def open_remote(
    name: str,
    url: str,
    base: Path,
    cache_path: Path | None,
    *,
    settings: StorageSettings | None = None,
    namespace: str | None = None,
) -> Remote:
    """Return the remote at a URL.

    Args:
        name: what to call it.
        url: a path (a relative one starts at ``base``) or a URL.
        base: the project directory.
        cache_path: the repository's cache; None keeps nothing.
        settings: how to reach a URL; None takes what the environment says.
        namespace: where to write there, apart from what others read.

    Raises:
        UnsupportedUrl: nothing here can reach the URL.
        BadNamespace: the namespace cannot be one.
    """
    cache = None if cache_path is None else LocalStorage(cache_path / "remotes" / name)
    storage, project = (open_storage(place, base, settings) for place in (url, inner_url(url)))
    if namespace is not None:
        storage, project = (NamespaceStorage(tree, namespace) for tree in (storage, project))
    return Remote(name, storage, cache, project=project)
