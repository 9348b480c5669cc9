"""Fetch: get the executions and edits of tags that a remote has and this repository lacks, checked on arrival.

The invariant: whatever is in the store is there together with all that its hard links lead to, after each single
write.  So large contents come first, then packs in an order in which each one links only into what is there already.
A pack is taken over byte for byte when all of it is wanted or here; else what is wanted of it goes into a new pack.
Every pack is re-hashed, and every object in it, before anything of it is written; nothing is ever decoded but nodes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from redun.errors import ObjectError, RefError
from redun.hashing import Oid
from redun.objects.codec import NotCanonical, decode_node
from redun.objects.ids import format_id
from redun.objects.kinds import BadBody, FileRecord, Kind, RunSubject, TagRecord
from redun.objects.links import BrokenLink, walk
from redun.objects.oid import short
from redun.remotes.contents import find_sizes, get_contents
from redun.remotes.lazy import bring_promised, list_promised
from redun.remotes.negotiate import names_to_read, order_packs, plan_refs
from redun.remotes.remote import LOOKS, RefNames, Remote, RemoteChanged
from redun.remotes.sieve import Sieve
from redun.remotes.transfer import (
    LARGE_CONTENT_BYTES,
    ContentChanged,
    OnProgress,
    TransferReport,
    checked,
    ignore_progress,
)
from redun.store.base import ObjectCorrupt, ReadOnlyStore
from redun.store.blobs import blob_name
from redun.store.block_cache import BlockCache
from redun.store.canonical import split_node
from redun.store.idx import Idx
from redun.store.local_storage import LocalStorage
from redun.store.pack import PackReader, rebuild_idx, write_pack
from redun.store.pack_format import idx_name, pack_name
from redun.store.promised import Promise
from redun.store.refs import ExecutionRef, TagRef, execution_id_of
from redun.store.storage import NameMissing, Storage

if TYPE_CHECKING:
    from redun.store.repository import Repository


@dataclass(slots=True)
class _Wanted:
    """What is to be taken from a remote."""

    packs: dict[Oid, set[Oid]] = field(default_factory=dict)  # pack: which of its objects
    large: dict[Oid, int] = field(default_factory=dict)  # contents that are files of their own, with their sizes
    left: dict[Oid, int] = field(default_factory=dict)  # contents that stay in packs over there; 0: size not known


class Received(NamedTuple):
    """What was got."""

    tag_refs: list[TagRef]
    objects: int
    size: int  # bytes written
    withheld: int  # objects that were not taken, from where only data is trusted
    promised: Sequence[Promise] = ()  # contents that were left there

    def enter(self, report: TransferReport) -> TransferReport:
        """Return a report with these counts."""
        return dataclasses.replace(
            report,
            tag_edits=len(self.tag_refs),
            objects=self.objects,
            transferred_bytes=self.size,
            withheld=self.withheld,
            promised=len(self.promised),
            promised_bytes=sum(one.size for one in self.promised),
        )


def fetch(
    repository: Repository,
    remote: Remote,
    prefixes: Sequence[str] | None = None,
    *,
    listed: RefNames | None = None,
    is_lazy: bool = False,
    is_dry_run: bool = False,
    on_progress: OnProgress = ignore_progress,
) -> TransferReport:
    """Get ended executions that were not seen at a remote before, or that it tells otherwise by now.

    Edits of tags come along and are this repository's own at once: with ``prefixes`` those that speak only of what is
    here then.

    Args:
        repository: where they go; what was seen is written down under ``refs/remotes/<remote>/``.
        remote: where they are.
        prefixes: beginnings of the uuids to get; all when None.
        listed: what ``remote.look`` has just given, when that was asked already.
        is_lazy: leave large contents there until they are needed; else those that were left there come too.
        is_dry_run: only tell which executions would come; objects and bytes are not known before.
        on_progress: told now and then how far it is.

    Raises:
        RemoteError: the remote cannot be reached, is no repository, is damaged, or lacks part of an execution.
        ReadOnlyStore: the repository cannot be written.
    """
    report = fetch_new(
        repository, remote, prefixes, listed=listed, is_lazy=is_lazy, is_dry_run=is_dry_run, on_progress=on_progress
    )
    return report if is_lazy else fetch_left(repository, remote, prefixes, report, on_progress)


def fetch_left(
    repository: Repository,
    remote: Remote,
    prefixes: Sequence[str] | None,
    report: TransferReport,
    on_progress: OnProgress,
) -> TransferReport:
    """Get the contents that earlier lazy transfers left at a remote, of all or of some executions seen there.

    Returns:
        The report with what came.
    """
    if not repository.store.packs.notes.promised:
        return report
    names = [name for name in repository.refs.iter_names(remote=remote.name) if matches(name, prefixes)]
    refs = None if prefixes is None else list(read_tracked(repository, remote.name, names).values())
    return bring_promised(repository, remote, list_promised(repository, remote.name, refs), report, on_progress)


def fetch_new(
    repository: Repository,
    remote: Remote,
    prefixes: Sequence[str] | None,
    *,
    listed: RefNames | None,
    is_lazy: bool,
    is_dry_run: bool,
    on_progress: OnProgress,
) -> TransferReport:
    """Do as ``fetch`` does, but for what earlier transfers have left there."""
    listed = remote.look() if listed is None else listed
    if not (is_dry_run or repository.is_writable):
        raise ReadOnlyStore(f"{repository.location} cannot be written")
    refs = plan_fetch(repository, remote, prefixes, listed.executions)
    tag_names = plan_tags(repository, listed.tags)
    report = TransferReport(remote.name, remote.location, executions=len(refs), is_dry_run=is_dry_run)
    if is_dry_run:
        # Which edits speak of some executions only is not known before they are here.
        report = dataclasses.replace(report, tag_edits=len(tag_names) if prefixes is None else 0)
        return remote.gate.enter(report, prefixes)
    if not (refs or tag_names or repository.store.packs.notes.is_asking):
        return remote.gate.enter(report, prefixes)
    got = receive(repository, remote, refs, tag_names, prefixes, on_progress, is_lazy=is_lazy)
    for ref in refs:
        repository.refs.write(ref, remote=remote.name)
    return remote.gate.enter(got.enter(report), prefixes)


def receive(
    repository: Repository,
    remote: Remote,
    refs: Sequence[ExecutionRef],
    tag_names: Sequence[str],
    prefixes: Sequence[str] | None,
    on_progress: OnProgress,
    *,
    is_lazy: bool = False,
) -> Received:
    """Get what some refs reach, and edits of tags; the refs of executions are left to the caller to write.

    Packs that are merged or collected over there meanwhile are looked for anew.  ``is_lazy``: large contents are left
    there, which is written down before anything that links to them.
    """
    work = partial(_receive, repository, remote, refs, tag_names, prefixes, on_progress, is_lazy=is_lazy)
    for _ in range(LOOKS - 1):
        with suppress(RemoteChanged, NameMissing):
            return work()
    try:
        return work()
    except NameMissing as error:  # of a pack that lies on this machine, and is read in place
        raise remote.damaged(f"{error.name} is missing") from error


def _receive(
    repository: Repository,
    remote: Remote,
    refs: Sequence[ExecutionRef],
    tag_names: Sequence[str],
    prefixes: Sequence[str] | None,
    on_progress: OnProgress,
    *,
    is_lazy: bool,
) -> Received:
    repository.store.refresh(force=True)
    remote.load_packs()
    tag_refs = remote.read_tag_refs(tag_names)
    with _Staging(repository, remote, on_progress, is_lazy=is_lazy) as staging:
        finder = _Finder(repository, staging)
        finder.find([ref.object for ref in refs if ref.object is not None])
        finder.find(finder.sieve.find_wanted_again())
        if prefixes is not None:
            there = {execution_id_of(name) for name in (*repository.refs.iter_names(), *(ref.name for ref in refs))}
            tag_refs = [ref for ref in tag_refs if finder.is_only_of(ref, there)]
        wanted = finder.find(tag for ref in tag_refs for tag in ref.tags)
        finder.sieve.sift(wanted.packs)
        finder.sieve.write()
        promised = _promise(repository, remote, wanted) if is_lazy else ()
        try:
            objects, size = _Installer(repository, remote, staging, on_progress).install(wanted)
        except ObjectCorrupt as error:  # in a pack that was not brought whole
            raise remote.damaged(str(error)) from error
    for tag_ref in tag_refs:
        repository.refs.write_tags(tag_ref)
    return Received(tag_refs, objects, size, finder.sieve.n_withheld, promised)


def _promise(repository: Repository, remote: Remote, wanted: _Wanted) -> list[Promise]:
    """Take the large contents out of what is wanted, and write down who has them."""
    promises = [Promise(oid, size, remote.name) for oid, size in (wanted.large | wanted.left).items()]
    wanted.large.clear()
    repository.store.promises.add(promises)
    return promises


def plan_fetch(
    repository: Repository, remote: Remote, prefixes: Sequence[str] | None, at_remote: Iterable[str]
) -> list[ExecutionRef]:
    """Return which refs at a remote a fetch would bring: not seen there before, or told otherwise by now."""
    listed = [name for name in at_remote if matches(name, prefixes)]
    tracked = read_tracked(repository, remote.name, listed)
    # What was seen and is not here any more (a damaged pack) is fetched again.
    seen = {name: ref for name, ref in tracked.items() if ref.object is not None and repository.store.has(ref.object)}
    return plan_refs(remote.read_refs(names_to_read(listed, seen)).values(), seen)


def plan_tags(repository: Repository, at_remote: Iterable[str]) -> list[str]:
    """Return which tag refs at a remote are not here: what has the same name is the same."""
    known = set(repository.refs.iter_tag_names())
    return [name for name in at_remote if name not in known]


def read_tracked(repository: Repository, remote: str, names: Iterable[str] | None = None) -> dict[str, ExecutionRef]:
    """Return what was seen at a remote, by name; a malformed one counts as not seen."""
    found: dict[str, ExecutionRef] = {}
    for name in repository.refs.iter_names(remote=remote) if names is None else names:
        try:
            found[name] = repository.refs.read(name, remote=remote)
        except RefError:
            continue
    return found


def matches(name: str, prefixes: Sequence[str] | None) -> bool:
    """Tell whether a ref's uuid begins with one of the prefixes; None means all."""
    return prefixes is None or any(execution_id_of(name).startswith(prefix.lower()) for prefix in prefixes)


class _Staging:
    """Packs of a remote, each checked whole before anything is read from it.

    A pack that lies on this machine is read in place; another is first brought into a temporary folder of the cache, so
    that memory never holds a pack.
    """

    def __init__(
        self, repository: Repository, remote: Remote, on_progress: OnProgress, *, is_lazy: bool = False
    ) -> None:
        from tempfile import TemporaryDirectory

        assert repository.cache_path is not None, "a repository that can be written has a cache"
        repository.cache_path.mkdir(parents=True, exist_ok=True)
        self.remote = remote
        self._folder = TemporaryDirectory(prefix="fetch-", dir=repository.cache_path)
        self._on_progress = on_progress
        self._blocks = BlockCache(limit=64)
        self._readers: dict[Oid, PackReader] = {}
        self._is_lazy = is_lazy
        self.partial: set[Oid] = set()
        """Packs whose contents were left over there; each of their other objects is checked when it is read."""
        self.idxs: dict[Oid, bytes] = {}
        """The idx of each checked pack, made from the pack itself."""
        self._storage = remote.storage
        self._is_here = isinstance(remote.storage, LocalStorage)
        if not self._is_here:
            self._storage = LocalStorage(Path(self._folder.name))
        self.taken_bytes = 0

    def __enter__(self) -> _Staging:  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self._readers.clear()
        self._folder.cleanup()

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

    def _bring_part(self, pack: Oid) -> PackReader | None:
        """Bring a pack without its contents, when these weigh enough."""
        from redun.remotes.packed import read_without_contents

        reader = read_without_contents(self.remote, pack, LocalStorage(Path(self._folder.name)), self._blocks)
        if reader is not None:
            self.partial.add(pack)
        return reader

    def _bring(self, pack: Oid) -> PackReader:
        name = pack_name(pack)
        if not self._is_here:
            pieces = checked(self.remote.iter_pieces(name), pack, name)
            try:
                self._storage.write(name, pieces)
            except ContentChanged as error:
                raise self.remote.damaged(str(error)) from error
        content = self.remote.read_file(name) if self._is_here else self._storage.view(name)
        try:
            idx = self.idxs[pack] = rebuild_idx(content, name)  # hashes the pack and each object in it
            reader = PackReader(pack, self._storage, cache=self._blocks, idx=idx)  # compares the pack's hash and name
        except (ObjectCorrupt, NotCanonical) as error:
            raise self.remote.damaged(str(error)) from error
        self.taken_bytes += len(content)
        self._on_progress(self.taken_bytes, 0, f"checked pack {short(pack)}")
        return reader


class _Finder:
    """Walks what refs reach and finds out what of it is missing here."""

    def __init__(self, repository: Repository, staging: _Staging) -> None:
        self._store = repository.store
        self._staging = staging
        self._remote = staging.remote
        self._wanted = _Wanted()
        self.sieve = Sieve(repository.store, staging.remote)
        self._lacking: set[Oid] = set()  # contents that cannot be files of their own there, or are none
        self._sizes: dict[Oid, int] = {}  # of contents that may be left over there
        self._of_files: set[Oid] = set()  # large contents of files: kept or not
        self._unsure: dict[Oid, None] = {}  # what no pack holds: the remote is asked about all of it at once

    def find(self, roots: Iterable[Oid]) -> _Wanted:
        """Return what is missing of all that was asked for so far.

        Raises:
            RemoteDamaged: the remote lacks something that must be there, or holds what is no object.
        """
        roots = list(roots)
        try:
            self._walk(roots)
            if self._ask():
                self._walk(roots)  # who links to what is not there
        except BrokenLink as error:
            of = "" if error.source is None else f" that {short(error.source)} links to"
            promise = self._remote.notes.promised.get(error.oid)
            left = "" if promise is None else f"; `redun pull {promise.remote}` there brings it: it was pulled lazily"
            raise self._remote.damaged(f"it lacks object {short(error.oid)}{of}{left}") from error
        except (NotCanonical, ObjectCorrupt) as error:
            raise self._remote.damaged(str(error)) from error
        return self._wanted

    def _walk(self, roots: Iterable[Oid]) -> None:
        for _ in walk(roots, self._read, skip=self.sieve.skip):
            pass

    def _ask(self) -> bool:
        """Ask about what no pack holds; tell whether something is not there that must be."""
        sizes = find_sizes(self._remote, self._unsure)
        self._wanted.large.update(sizes)
        gone = {oid for oid in self._unsure.keys() - sizes.keys() if not self.sieve.is_absent_there(oid)}
        self._lacking.update(self._unsure.keys() - sizes.keys())
        self._unsure.clear()
        return bool(gone - self._of_files)

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
        return self._store.has(oid) or any(oid in oids for oids in self._wanted.packs.values())

    def _read(self, oid: Oid) -> tuple[int, bytes] | None:
        pack = self._remote.find_pack(oid)
        if pack is None:
            if oid in self._lacking:
                return (int(Kind.BLOB), b"") if self.sieve.is_absent_there(oid) else None
            if oid not in self._wanted.large:
                self._unsure[oid] = None
            return int(Kind.BLOB), b""
        reader = self._staging.reader(pack)
        ordinal = reader.idx.find(oid)
        if ordinal is None:
            raise self._remote.damaged(f"{idx_name(pack)} lists object {short(oid)}, which its pack does not hold")
        kind = reader.idx.kind_at(ordinal)
        if kind == Kind.BLOB:
            if pack in self._staging.partial:
                self._wanted.left[oid] = self._sizes.get(oid, 0)
            else:
                self._wanted.packs.setdefault(pack, set()).add(oid)
            return kind, b""  # it leads nowhere, and was hashed when its pack was checked
        data = reader.read(ordinal)
        if not self.sieve.takes(oid, kind, data):
            return int(Kind.BLOB), b""
        self._wanted.packs.setdefault(pack, set()).add(oid)
        if not self.sieve.follows(kind):
            return int(Kind.BLOB), b""
        if kind == Kind.FILE:
            self._note_content(data)
        return kind, data

    def _note_content(self, data: bytes) -> None:
        node = decode_node(data)
        try:
            size = FileRecord.decode(node).size
        except BadBody as error:
            raise self._remote.damaged(str(error)) from error
        if size is not None and self._staging.partial:
            self._sizes.update(dict.fromkeys(node.links, size))
        # Asking costs a request, so it is asked only about what can be there.
        (self._lacking if size is not None and size < LARGE_CONTENT_BYTES else self._of_files).update(node.links)


class _Installer:
    """Writes what is wanted into a repository, in an order that never leaves a link dangling."""

    def __init__(self, repository: Repository, remote: Remote, staging: _Staging, on_progress: OnProgress) -> None:
        self._repository = repository
        self._remote = remote
        self._staging = staging
        self._on_progress = on_progress

    def install(self, wanted: _Wanted) -> tuple[int, int]:
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

    def _find_dependencies(self, wanted: _Wanted) -> dict[Oid, set[Oid]]:
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

    def _iter_wanted(self, packs: list[Oid], wanted: _Wanted) -> Iterator[tuple[Oid, int, bytes]]:
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
