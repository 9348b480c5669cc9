"""Pull: fetch, and make what was fetched this repository's own.

The invariant: a ref enters ``refs/executions`` only when its execution is in the store, and never in place of a better
telling of the same run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from redun.errors import RefError
from redun.remotes.cargo import BATCH_OBJECTS
from redun.remotes.fetch import fetch_left, fetch_new, matches, plan_fetch, plan_tags, read_tracked
from redun.remotes.negotiate import plan_refs
from redun.remotes.remote import RefNames, Remote
from redun.remotes.transfer import OnProgress, TransferReport, ignore_progress
from redun.store.ref_texts import ExecutionRef

if TYPE_CHECKING:
    from redun.store.repository import Repository


def pull(
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
    """Fetch, then take over every execution seen at the remote that is new here, or told worse here.

    Takes and raises what ``fetch`` does.  The report counts executions that became this repository's own.
    """
    if is_dry_run:
        listed = remote.look() if listed is None else listed
        coming = {ref.name: ref for ref in plan_fetch(repository, remote, prefixes, listed.executions)}
        refs = _plan(repository, _find_tracked(repository, remote, prefixes) | coming)
        refs = [ref for ref in refs if remote.gate.admits(ref)]
        # As with fetch: which edits speak of some executions only is not known before.
        n_edits = len(plan_tags(repository, listed.tags)) if prefixes is None else 0
        report = TransferReport(remote.name, remote.location, len(refs), is_dry_run=True, tag_edits=n_edits)
        report = remote.gate.enter(report, prefixes)
        return report if is_lazy else fetch_left(repository, remote, prefixes, report, on_progress)
    report = fetch_new(
        repository,
        remote,
        prefixes,
        listed=listed,
        is_lazy=is_lazy,
        is_dry_run=False,
        on_progress=on_progress,
        batch_objects=batch_objects,
    )
    refs = [ref for ref in _plan(repository, _find_tracked(repository, remote, prefixes)) if remote.gate.admits(ref)]
    taken = [ref for ref in refs if ref.object is not None and repository.store.has(ref.object)]
    take_over(repository, taken)
    report = remote.gate.enter(dataclasses.replace(report, executions=len(taken)), prefixes)
    return report if is_lazy else fetch_left(repository, remote, prefixes, report, on_progress)


def take_over(repository: Repository, refs: Iterable[ExecutionRef]) -> None:
    """Make executions whose objects are in the store this repository's own."""
    for ref in refs:
        # The packs of a ref are those of the place where it was written: here they may be others.
        packs = tuple(pack for pack in ref.packs if repository.store.packs.find_reader(pack))
        repository.refs.write(dataclasses.replace(ref, packs=packs))


def _find_tracked(repository: Repository, remote: Remote, prefixes: Sequence[str] | None) -> dict[str, ExecutionRef]:
    names = [name for name in repository.refs.iter_names(remote=remote.name) if matches(name, prefixes)]
    return read_tracked(repository, remote.name, names)


def _plan(repository: Repository, seen: dict[str, ExecutionRef]) -> list[ExecutionRef]:
    return plan_refs(seen.values(), read_own(repository, seen))


def read_own(repository: Repository, names: Iterable[str]) -> dict[str, ExecutionRef]:
    """Return those refs of this repository that can be read, by name."""
    found: dict[str, ExecutionRef] = {}
    for name in names:
        try:
            found[name] = repository.refs.read(name)
        except RefError:
            continue  # not here, or malformed: what was fetched takes its place
    return found
