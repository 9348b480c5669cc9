"""Purging: the bytes of an object are removed for good, from every pack, file and leftover, and that is written down.

The invariant: the list that says what is purged is written first, so a purge that is cut off shows, and is done by
asking again.  A pack goes only once all else in it is in another one, which was read back.
Format: docs/format/absent.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

from redun.errors import ObjectError, StoreError
from redun.hashing import Oid, hash_blob
from redun.objects.kinds import Kind
from redun.objects.oid import short
from redun.store.absent import ABSENT_KINDS, Absence, Cause, write_absent
from redun.store.base import ObjectCorrupt, ObjectMissing, ReadOnlyStore
from redun.store.blobs import blob_name
from redun.store.liveness import UNSEEN_WRITER_TIMEOUT_SECONDS, Clock, now_us
from redun.store.local_storage import LocalStorage
from redun.store.maintain.merge_notes import merge_notes
from redun.store.pack import PackReader
from redun.store.pack_format import FOLDER, PACK_SUFFIX, idx_name, pack_name
from redun.store.storage import NameMissing

if TYPE_CHECKING:
    from redun.store.objectdb import ObjectDb
    from redun.store.repository import Repository

FETCH_FOLDERS = "fetch-*"  # in the cache: packs on their way in
_ATTEMPTS = 3


class NotPurgeable(ObjectError):
    """An object is of a kind that others are judged by, so its bytes stay as long as it is kept."""

    def __init__(self, oid: Oid, kind: str) -> None:
        super().__init__(
            f"expected a value, a file, a source, an expression or a content, found the {kind} {short(oid)}",
            hint="`redun forget` lets a result not serve again, and `redun forget EXEC_ID` with `redun gc` drops a run",
        )
        self.oid = oid


class PurgeRefused(StoreError):
    """Others write to the repository, and might keep what is purged."""

    def __init__(self, location: str, writers: Collection[str]) -> None:
        super().__init__(
            f"nothing of {location} is purged: {', '.join(sorted(writers))} is being written",
            hint="wait for the runs that go on, or end them",
        )
        self.location = location


@dataclass(frozen=True, slots=True)
class Purged:
    """One object that goes, or went."""

    oid: Oid
    kind: int
    n_packs: int  # that it is in
    blob_bytes: int  # of its own file; 0 when it has none
    is_absent: bool  # it was noted as absent before
    is_beyond: bool = False  # an alternate has it too, and is left alone


@dataclass(slots=True)
class PurgeReport:
    """What a purge would do, or did."""

    location: str
    objects: tuple[Purged, ...]
    rewritten: list[str] = field(default_factory=list)  # names of the packs that go, and come back without the objects
    leftovers: list[Path] = field(default_factory=list)  # of killed processes, which may hold anything
    unread: list[str] = field(default_factory=list)  # damaged packs and files in the making: they may hold the objects
    n_lost: int = 0  # damaged objects in rewritten packs: they could not be read before either


def plan_purge(repository: Repository, oids: Iterable[Oid]) -> PurgeReport:
    """Find out what a purge would do; nothing is changed.

    Args:
        repository: an open one.
        oids: objects that are here, or that are absent already.

    Raises:
        ObjectMissing: one is not here, and nothing is known of it.
        NotPurgeable: one is of a kind that is never purged.
    """
    repository.store.refresh(force=True)
    objects = tuple(_look(repository, oid) for oid in _with_parts(repository.store, oids))
    report = PurgeReport(repository.location, objects)
    wanted = {one.oid for one in objects}
    report.rewritten = [pack_name(reader.name) for reader in _holding(repository.store, wanted)]
    report.leftovers, report.unread = _find_leftovers(repository, now_us())
    return report


def purge(repository: Repository, report: PurgeReport, *, clock: Clock = now_us) -> None:
    """Do what a plan says; the report is brought up to date.

    Raises:
        PurgeRefused: a run goes on in this repository.
        ReadOnlyStore: the repository cannot be written.
        OSError: the disk is full, or fails.
    """
    store, storage = repository.store, repository.storage
    if not repository.is_writable:
        raise ReadOnlyStore(f"{repository.location} cannot be written")
    store.refresh(force=True)
    writers = {journal.reader.path.stem for journal in store.journals.others}
    if writers:
        raise PurgeRefused(repository.location, writers)
    note_absent(store, report.objects, Cause.PURGED, clock)
    wanted = {one.oid for one in report.objects}
    rewritten: dict[str, None] = {}
    for _ in range(_ATTEMPTS):  # somebody may have merged packs meanwhile
        readers = _holding(store, wanted)
        for reader in readers:
            report.n_lost += _rewrite(store, reader, wanted)
            rewritten[pack_name(reader.name)] = None
        if not readers:
            break
        store.refresh(force=True)
    for one in report.objects:
        storage.delete(blob_name(one.oid))
    _delete_leftovers(report)
    report.rewritten = list(rewritten)
    store.refresh(force=True)
    report.unread += [pack_name(reader.name) for reader in _holding(store, wanted)]


def take_back(repository: Repository, oids: Iterable[Oid], *, clock: Clock = now_us) -> list[Oid]:
    """Let purged objects come again with a pull, from whoever has them; return those that were purged.

    Raises:
        ReadOnlyStore: the repository cannot be written.
        OSError: the disk is full, or fails.
    """
    if not repository.is_writable:
        raise ReadOnlyStore(f"{repository.location} cannot be written")
    absences = [repository.store.find_absence(oid) for oid in oids]
    found = [one for one in absences if one is not None and one.cause is Cause.PURGED]
    if found:
        objects = [Purged(one.oid, one.kind, 0, 0, is_absent=True) for one in found]
        note_absent(repository.store, objects, Cause.WITHHELD, clock)
    return [one.oid for one in found]


def note_absent(store: ObjectDb, objects: Iterable[Purged], cause: Cause, clock: Clock) -> None:
    """Write down that objects are absent, forced to the disk."""
    now = clock()
    known = [store.find_absence(one.oid) for one in objects]
    now = max([now, *(one.time_us + 1 for one in known if one is not None)])  # the later word holds, whatever the clock
    name = write_absent(store.storage, [Absence(one.oid, one.kind, cause, now) for one in objects], now)
    store.storage.sync([name])
    store.refresh(force=True)
    merge_notes(store, clock=clock)


def _look(repository: Repository, oid: Oid) -> Purged:
    store = repository.store
    absence = store.find_absence(oid)
    kind = store.kind_of(oid)
    if kind is None:
        if absence is None:
            raise ObjectMissing(oid)
        kind = absence.kind
    if kind not in ABSENT_KINDS:
        raise NotPurgeable(oid, Kind(kind).name.lower())
    readers = (*store.packs.readers, *store.packs.condemned)
    n_packs = sum(reader.has(oid) for reader in readers)
    size = repository.storage.size(blob_name(oid)) or 0
    is_absent = absence is not None and absence.cause is Cause.PURGED
    is_beyond = store.beyond is not None and store.beyond.kind_of(oid) is not None
    return Purged(oid, kind, n_packs, size, is_absent=is_absent, is_beyond=is_beyond)


def _with_parts(store: ObjectDb, oids: Iterable[Oid]) -> list[Oid]:
    """Return some objects, each with what is part of it and lies apart: contents, and values within a value."""
    found: dict[Oid, None] = {}
    stack = list(oids)[::-1]
    while stack:
        oid = stack.pop()
        kind = store.kind_of(oid)
        if oid in found:
            continue
        found[oid] = None
        with suppress(ObjectError):
            if kind in {Kind.VALUE, Kind.FILE}:
                links = store.get_node(oid).links
                stack += [link for link in links if store.kind_of(link) in {Kind.VALUE, Kind.BLOB}]
    return list(found)


def _holding(store: ObjectDb, oids: Collection[Oid]) -> list[PackReader]:
    return [reader for reader in (*store.packs.readers, *store.packs.condemned) if any(reader.has(oid) for oid in oids)]


def _rewrite(store: ObjectDb, reader: PackReader, wanted: Collection[Oid]) -> int:
    """Write a pack anew without some objects; return how many others could not be read."""
    lost: list[Oid] = []
    sealed = store.sealer.write(_iter_others(reader, wanted, lost))
    if sealed is not None and hash_blob(store.storage.view(pack_name(sealed.name))) != sealed.name:
        raise ObjectCorrupt(None, pack_name(sealed.name), "it was written just now, and does not hash to its name")
    # The pack first: a reader takes one without an idx for damaged, one that is gone for merged.
    store.storage.delete(pack_name(reader.name))
    store.storage.delete(idx_name(reader.name))
    return len(lost)


def _iter_others(reader: PackReader, wanted: Collection[Oid], lost: list[Oid]) -> Iterator[tuple[Oid, int, bytes]]:
    for ordinal in range(len(reader)):
        oid = reader.idx.oid_at(ordinal)
        if oid in wanted:
            continue
        try:
            data = reader.read(ordinal)
        except (ObjectCorrupt, NameMissing):
            lost.append(oid)
            continue
        yield oid, reader.idx.kind_at(ordinal), data


def _find_leftovers(repository: Repository, now: int) -> tuple[list[Path], list[str]]:
    """Return what killed processes left half written, and what may hold anything and is left alone."""
    store, storage = repository.store, repository.storage
    read = {pack_name(reader.name) for reader in (*store.packs.readers, *store.packs.condemned)}
    packs = (entry.name for entry in storage.iter_entries(FOLDER) if entry.name.endswith(PACK_SUFFIX))
    unread = [name for name in packs if name not in read]
    leftovers: list[Path] = []
    oldest = now - UNSEEN_WRITER_TIMEOUT_SECONDS * 1_000_000
    for path in _iter_unfinished(repository):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime_ns // 1000 < oldest:
                leftovers.append(path)
            else:
                unread.append(str(path))
    return leftovers, unread


def _iter_unfinished(repository: Repository) -> Iterator[Path]:
    """Yield files that were begun, and folders of fetches that were cut off or go on."""
    if isinstance(repository.storage, LocalStorage):
        for entry in repository.storage.iter_unfinished():
            yield repository.storage.path / entry.name
    if repository.cache_path is not None:
        yield from repository.cache_path.glob(FETCH_FOLDERS)


def _delete_leftovers(report: PurgeReport) -> None:
    for path in report.leftovers:
        if path.is_dir():
            rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
