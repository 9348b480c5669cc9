"""Pull: fetch, and make what was fetched this repository's own.

The invariant: a ref enters ``refs/executions`` only when its execution is in the store, and never in place of a better
telling of the same run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from redun.errors import RefError
from redun.remotes.fetch import fetch, matches, read_tracked
from redun.remotes.negotiate import plan_refs
from redun.remotes.remote import Remote
from redun.remotes.transfer import OnProgress, TransferReport, ignore_progress
from redun.store.refs import ExecutionRef

if TYPE_CHECKING:
    from redun.store.repository import Repository


def pull(
    repository: Repository,
    remote: Remote,
    prefixes: Sequence[str] | None = None,
    *,
    is_dry_run: bool = False,
    on_progress: OnProgress = ignore_progress,
) -> TransferReport:
    """Fetch, then take over every execution seen at the remote that is new here, or told worse here.

    Takes and raises what ``fetch`` does.  The report counts executions that became this repository's own.
    """
    report = fetch(repository, remote, prefixes, is_dry_run=is_dry_run, on_progress=on_progress)
    if is_dry_run:
        return report
    tracked = {name: ref for name, ref in read_tracked(repository, remote.name).items() if matches(name, prefixes)}
    refs = plan_refs(tracked.values(), _read_own(repository, tracked))
    taken = [ref for ref in refs if ref.object is not None and repository.store.has(ref.object)]
    for ref in taken:
        # The packs of a ref are those of the place where it was written: here they may be others.
        packs = tuple(pack for pack in ref.packs if repository.store.packs.find_reader(pack))
        repository.refs.write(dataclasses.replace(ref, packs=packs))
    return dataclasses.replace(report, executions=len(taken))


def _read_own(repository: Repository, names: dict[str, ExecutionRef]) -> dict[str, ExecutionRef]:
    found: dict[str, ExecutionRef] = {}
    for name in names:
        try:
            found[name] = repository.refs.read(name)
        except RefError:
            continue  # not here, or malformed: what was fetched takes its place
    return found
