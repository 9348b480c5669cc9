"""Fetch: get the executions and edits of tags that a remote has and this repository lacks, checked on arrival.

The invariant: whatever is in the store is there together with all that its hard links lead to, after each single
write (``installer.py``).
Every pack is re-hashed, and every object in it, before anything of it is written; nothing is ever decoded but nodes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from redun.errors import RefError
from redun.remotes.cargo import BATCH_OBJECTS
from redun.remotes.lazy import bring_promised, list_promised
from redun.remotes.negotiate import names_to_read, plan_refs
from redun.remotes.remote import RefNames, Remote
from redun.remotes.transfer import OnProgress, TransferReport, ignore_progress
from redun.store.base import ReadOnlyStore
from redun.store.ref_names import execution_id_of
from redun.store.ref_texts import ExecutionRef

if TYPE_CHECKING:
    from redun.store.repository import Repository


def fetch(
    repository: Repository,
    remote: Remote,
    prefixes: Sequence[str] | None = None,
    *,
    listed: RefNames | None = None,
    is_lazy: bool = False,
    is_dry_run: bool = False,
    on_progress: OnProgress = ignore_progress,
    batch_objects: int = BATCH_OBJECTS,
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
        batch_objects: after how many objects found what is whole by then is written.

    Raises:
        RemoteError: the remote cannot be reached, is no repository, is damaged, or lacks part of an execution.
        ReadOnlyStore: the repository cannot be written.
    """
    report = fetch_new(
        repository,
        remote,
        prefixes,
        listed=listed,
        is_lazy=is_lazy,
        is_dry_run=is_dry_run,
        on_progress=on_progress,
        batch_objects=batch_objects,
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
    batch_objects: int = BATCH_OBJECTS,
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
    from redun.remotes.receive import Request, receive  # what most fetches do not need: nothing is new

    keep = partial(repository.refs.write, remote=remote.name)
    request = Request(refs, tag_names, prefixes, keep, is_lazy, batch_objects)
    got = receive(repository, remote, request, on_progress)
    return remote.gate.enter(got.enter(report), prefixes)


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
