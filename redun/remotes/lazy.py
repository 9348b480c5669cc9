"""Contents that stay at a remote until they are needed: bringing them then, or all that are left.

The invariant: a content is here, or promised, or told as missing; bringing it changes nothing else.  What a repository
is promised: docs/format/promised.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from redun.errors import RemoteError
from redun.hashing import Oid
from redun.objects.kinds import Kind
from redun.objects.links import walk
from redun.remotes.transfer import LARGE_CONTENT_BYTES, OnProgress, TransferReport, ignore_progress
from redun.store.local_storage import LocalStorage
from redun.store.promised import Promise

if TYPE_CHECKING:
    from redun.remotes.remote import Remote
    from redun.store.promised import Supplier
    from redun.store.ref_texts import ExecutionRef
    from redun.store.repository import Repository
    from redun.store.storage import Storage


def serve_promises(repository: Repository, on_progress: OnProgress = ignore_progress) -> None:
    """Have contents that remotes have promised to a repository brought when they are read."""
    repository.store.promises.supplier = make_supplier(repository, on_progress)


def make_supplier(repository: Repository, on_progress: OnProgress = ignore_progress) -> Supplier:
    """Return what brings promised contents into a repository; a remote is opened once.

    ``on_progress`` is told while they are brought, and with an empty text when they are here.
    """
    remotes: dict[str, Remote] = {}

    def supply(name: str, promises: Sequence[Promise]) -> str:
        from redun.remotes.connect import connect

        if name not in remotes:
            remotes[name] = connect(repository, name)
            remotes[name].look()  # the repository may be in the project there
        try:
            why = _get(remotes[name], _writable(repository), promises, on_progress)
        finally:
            on_progress(0, 0, "")
        return f"and cannot be brought: {why}" if why else ""

    return supply


def list_promised(repository: Repository, remote: str, refs: Sequence[ExecutionRef] | None) -> list[Promise]:
    """Return what a remote has promised and what is not here, of all or of what some executions reach."""
    promises = [one for one in repository.store.promises.list_open() if one.remote == remote]
    if not promises or refs is None:
        return promises
    store = repository.store

    def read(oid: Oid) -> tuple[int, bytes] | None:
        kind = store.kind_of(oid)
        if kind is None or kind == Kind.BLOB:
            return None if kind is None else (kind, b"")
        return kind, store.get(oid)

    roots = [ref.object for ref in refs if ref.object is not None]
    reached = {one.oid for one in walk(roots, read)}
    return [one for one in promises if one.oid in reached]


def bring_promised(
    repository: Repository,
    remote: Remote,
    promises: Sequence[Promise],
    report: TransferReport,
    on_progress: OnProgress = ignore_progress,
) -> TransferReport:
    """Bring what a remote has promised; return the report with what came.

    Raises:
        RemoteError: one of them cannot be had; others may have come.
    """
    if not promises or report.is_dry_run:
        return dataclasses.replace(report, contents=len(promises))
    why = _get(remote, repository.storage, promises, on_progress)
    repository.store.refresh(force=True)
    if why:
        raise RemoteError(why)
    size = report.transferred_bytes + sum(one.size for one in promises)
    return dataclasses.replace(report, contents=len(promises), transferred_bytes=size)


def _get(
    remote: Remote, storage: Storage, promises: Sequence[Promise], on_progress: OnProgress = ignore_progress
) -> str:
    """Bring contents, those that are files of their own and those in packs; say why some did not come."""
    from redun.remotes.contents import get_contents
    from redun.remotes.packed import get_packed

    whys: list[str] = []
    small = {one.oid: one.size for one in promises if one.size < LARGE_CONTENT_BYTES}
    if small:
        whys.append(get_packed(remote, storage, small))
    large = {one.oid: one.size for one in promises if one.size >= LARGE_CONTENT_BYTES}
    if large:
        whys += map(str, get_contents(remote, storage, large, on_progress))
    return next(filter(None, whys), "")


def _writable(repository: Repository) -> Storage:
    """Return the repository's storage for contents alone: a folder that is open for reading may still be added to."""
    if repository.is_writable or repository.is_shared:
        return repository.storage
    return LocalStorage(Path(repository.location))
