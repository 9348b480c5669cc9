"""Bundles: executions in one file, for caches of CI systems, artifacts and disks that are carried.

A bundle is a repository in an archive: making one is a push into it, applying one is a pull from it, so all that these
promise holds.  A *thin* bundle leaves out what its bases have; whoever applies it must have that already.
The invariant: a bundle appears under its name whole, or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from redun.errors import RemoteError
from redun.hashing import Oid
from redun.remotes.cargo import BATCH_OBJECTS
from redun.remotes.fetch import matches, plan_tags
from redun.remotes.gate import Gate
from redun.remotes.negotiate import plan_refs
from redun.remotes.pull import read_own, take_over
from redun.remotes.push import push
from redun.remotes.reach import RemoteDamaged
from redun.remotes.receive import Request, receive
from redun.remotes.remote import RefNames, Remote
from redun.remotes.transfer import OnProgress, TransferReport, ignore_progress
from redun.remotes.zip_storage import NotABundle, ZipStorage
from redun.store.base import ReadOnlyStore
from redun.store.memory_storage import MemoryStorage
from redun.store.storage import NameMissing, Storage

if TYPE_CHECKING:
    from redun.store.pack import SealedPack
    from redun.store.ref_texts import ExecutionRef
    from redun.store.repository import Repository

MANIFEST = "bundle"
"""The entry that lists all others, and what a thin bundle was made against: an archive's own list has no checksum."""
_VERSION_LINE = "redun-bundle 1"
_BASE, _ENTRY = "base ", "entry "


class BundleMissing(RemoteError):
    """There is no file where a bundle should be."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"there is no bundle {path}")
        self.path = path


class BundleUnwritable(RemoteError):
    """A bundle cannot be written where it should be."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(f"cannot write the bundle {path}: {error.strerror or error}")
        self.path = path


class BaseMissing(RemoteError):
    """A thin bundle builds on something that is not here."""

    def __init__(self, path: Path, bases: Sequence[str]) -> None:
        super().__init__(
            f"the bundle {path} leaves out what {' and '.join(bases)} had, and not all of that is here",
            hint="pull or apply that first, or make the bundle without --base",
        )
        self.path = path
        self.bases = tuple(bases)


class BundleRemote(Remote):
    """A bundle as a remote.  Nothing is remembered of it: the file may be gone tomorrow."""

    is_tracked = False

    def __init__(self, storage: Storage, bases: Sequence[Remote] = (), *, name: str = "bundle") -> None:
        """``bases``: what they have is taken to be in the bundle."""
        super().__init__(name, storage)
        self._bases = bases

    def look_or_create(self) -> RefNames:
        listed = [super().look_or_create(), *(base.look() for base in self._bases)]
        executions = {name for names in listed for name in names.executions}
        return RefNames(sorted(executions), sorted({name for names in listed for name in names.tags}))

    def read_refs(self, names: Sequence[str]) -> dict[str, ExecutionRef]:  # type: ignore[override]
        found: dict[str, ExecutionRef] = {}
        for base in self._bases:
            listed = set(base.look().executions)
            found |= base.read_refs([name for name in names if name in listed and name not in found])
        return found | super().read_refs([name for name in names if name not in found])

    def load_packs(self) -> None:
        super().load_packs()
        for base in self._bases:
            base.load_packs()

    def has(self, oid: Oid) -> bool:
        return super().has(oid) or any(base.has(oid) for base in self._bases)

    def write_objects(self, objects: Iterable[tuple[Oid, int, bytes]]) -> SealedPack | None:
        self.make()  # not at the same time as the pack: equal executions make equal files
        return super().write_objects(objects)

    def blob_size(self, oid: Oid, *, is_for_writing: bool = False) -> int | None:
        sizes = (base.blob_size(oid, is_for_writing=is_for_writing) for base in self._bases)
        own = super().blob_size(oid, is_for_writing=is_for_writing)
        return next((size for size in sizes if size is not None), None) if own is None else own


def create_bundle(
    repository: Repository,
    path: Path,
    names: Sequence[str] | None = None,
    *,
    project_bases: Sequence[Path] = (),
    bases: Sequence[Remote] = (),
    is_dry_run: bool = False,
    on_progress: OnProgress = ignore_progress,
    batch_objects: int = BATCH_OBJECTS,
) -> TransferReport:
    """Write executions, with all they consist of, into one file; one that is there is replaced.

    Args:
        repository: where they are.
        path: the file.
        names: the refs of the executions; all when None.
        project_bases: as ``push`` takes ``bases``.
        bases: remotes or bundles whose executions and objects are left out.
        is_dry_run: only tell what would be written.
        on_progress: told now and then how far it is.
        batch_objects: as ``push`` takes it.

    Raises:
        RemoteError: a base cannot be read.
        BundleUnwritable: the file cannot be written.
    """
    send = partial(
        push, repository, names=names, bases=project_bases, on_progress=on_progress, batch_objects=batch_objects
    )
    if is_dry_run:
        target = BundleRemote(MemoryStorage(), bases)
        return send(target, is_dry_run=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with ZipStorage(temporary, is_new=True) as storage:
            target = BundleRemote(storage, bases)
            report = send(target)
            target.make()
            base_lines = [f"{_BASE}{base.name} at {base.location}" for base in bases]
            lines = [_VERSION_LINE, *base_lines, *_entry_lines(storage)]
            storage.write(MANIFEST, "".join(f"{line}\n" for line in lines).encode())
        temporary.replace(path)
    except OSError as error:
        raise BundleUnwritable(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    return report


def open_bundle(path: Path) -> tuple[ZipStorage, BundleRemote]:
    """Open a bundle for reading; the caller closes the storage.

    Raises:
        BundleMissing: there is none.
        NotABundle: the file is something else, or damaged.
    """
    if not path.is_file():
        raise BundleMissing(path)
    storage = ZipStorage(path)
    try:
        _check_manifest(storage, path)
    except RemoteError:
        storage.close()
        raise
    return storage, BundleRemote(storage, name=path.name)


def apply_bundle(
    repository: Repository,
    path: Path,
    prefixes: Sequence[str] | None = None,
    *,
    is_data_only: bool = False,
    signers: frozenset[bytes] | None = None,
    is_dry_run: bool = False,
    on_progress: OnProgress = ignore_progress,
) -> TransferReport:
    """Take over the executions in a bundle that are new here, or told worse here; every object is checked.

    Args:
        repository: where they go.
        path: the bundle.
        prefixes: beginnings of the uuids to take; all when None.
        is_data_only: take nothing that runs code when it is read.
        signers: public keys of which one must vouch for each ref; None takes any.
        is_dry_run: only tell which executions would come.
        on_progress: told now and then how far it is.

    Raises:
        BundleMissing, NotABundle: there is none, or the file is something else.
        BaseMissing: it is thin, and something that it builds on is not here.
        RemoteError: it is damaged.
        ReadOnlyStore: the repository cannot be written.
    """
    storage, remote = open_bundle(path)
    remote.is_data_only = is_data_only
    remote.gate = Gate(signers)
    with storage:
        try:
            return _apply(repository, remote, prefixes, is_dry_run=is_dry_run, on_progress=on_progress)
        except RemoteDamaged:
            bases = [line.removeprefix(_BASE) for line in _read_manifest(storage, path) if line.startswith(_BASE)]
            if not bases:
                raise
            raise BaseMissing(path, bases) from None


def _check_manifest(storage: ZipStorage, path: Path) -> None:
    version, *lines = _read_manifest(storage, path)
    if version != _VERSION_LINE:
        raise NotABundle(path, f"expected {_VERSION_LINE!r}, found {version[:80]!r}")
    if [line for line in lines if line.startswith(_ENTRY)] != _entry_lines(storage):
        raise NotABundle(path, "its entries are not those that it says it has")


def _read_manifest(storage: ZipStorage, path: Path) -> list[str]:
    try:
        return storage.read(MANIFEST).decode().splitlines() or [""]
    except (NameMissing, UnicodeDecodeError):
        raise NotABundle(path, f"it has no entry {MANIFEST!r} that says so") from None


def _entry_lines(storage: ZipStorage) -> list[str]:
    return [f"{_ENTRY}{entry.size} {entry.name}" for entry in storage.iter_entries("") if entry.name != MANIFEST]


def _apply(
    repository: Repository,
    remote: BundleRemote,
    prefixes: Sequence[str] | None,
    *,
    is_dry_run: bool,
    on_progress: OnProgress,
) -> TransferReport:
    listed = remote.look()
    names = [name for name in listed.executions if matches(name, prefixes)]
    own = read_own(repository, names)
    here = {name: ref for name, ref in own.items() if ref.object is not None and repository.store.has(ref.object)}
    refs = plan_refs(remote.read_refs(names).values(), here)
    tag_names = plan_tags(repository, listed.tags)
    report = TransferReport(
        remote.name, remote.location, len(refs), is_dry_run=is_dry_run, tag_edits=len(tag_names) if not prefixes else 0
    )
    if is_dry_run or not (refs or tag_names):
        return remote.gate.enter(report, prefixes)
    if not repository.is_writable:
        raise ReadOnlyStore(f"{repository.location} cannot be written")
    request = Request(refs, tag_names, prefixes, lambda ref: take_over(repository, [ref]))
    got = receive(repository, remote, request, on_progress)
    return remote.gate.enter(got.enter(report), prefixes)
