"""How this repository and a remote compare: what a push would send, and what a pull would bring.

The invariant: nothing is written, here or there, and the number of requests follows neither the executions nor the
objects that both have.  What a push would send is exact.  What a pull would bring is known by number of executions; its
bytes are an upper bound, since which objects of a pack are reached is known only once the pack is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from redun.remotes.fetch import plan_tags
from redun.remotes.negotiate import is_final, plan_refs
from redun.remotes.pull import read_own
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.remotes.transfer import OnProgress, TransferReport, ignore_progress

if TYPE_CHECKING:
    from redun.store.ref_texts import ExecutionRef
    from redun.store.repository import Repository


@dataclass(frozen=True, slots=True)
class Behind:
    """What a pull would bring."""

    executions: int = 0
    tag_edits: int = 0
    max_bytes: int = 0  # of the packs that hold anything that is not here, and of such large contents


@dataclass(frozen=True, slots=True)
class RemoteStatus:
    """How a repository compares with one of its remotes."""

    name: str
    location: str
    is_there: bool  # whether there is a repository yet
    executions: int  # at the remote
    ahead: TransferReport  # what a push would send
    behind: Behind


def compare(
    repository: Repository, remote: Remote, *, bases: Sequence[Path] = (), on_progress: OnProgress = ignore_progress
) -> RemoteStatus:
    """Tell what a push to a remote would send, and what a pull would bring.

    Args:
        repository: this one.
        remote: the other one; it may be nothing yet.
        bases: as ``push`` takes them.
        on_progress: told now and then how far it is.

    Raises:
        RemoteError: the remote cannot be reached, is no repository, or is damaged.
    """
    listed = remote.look_or_create()
    is_there = not remote.is_new
    ahead = push(repository, remote, bases=bases, listed=listed, is_dry_run=True, on_progress=on_progress)
    n_executions = _count_behind(repository, remote, listed.executions)
    n_edits = len(plan_tags(repository, listed.tags))
    behind = Behind(n_executions, n_edits, _max_bytes(repository, remote) if n_executions or n_edits else 0)
    return RemoteStatus(remote.name, remote.location, is_there, len(listed.executions), ahead, behind)


def _count_behind(repository: Repository, remote: Remote, listed: Sequence[str]) -> int:
    """Count the executions that are only there, not whole here, or told better there."""
    own = read_own(repository, listed)
    here = {name: ref for name, ref in own.items() if _is_whole(repository, ref)}
    unsure = [name for name, ref in here.items() if not is_final(ref)]
    return len(listed) - len(here) + len(plan_refs(remote.read_refs(unsure).values(), here))


def _is_whole(repository: Repository, ref: ExecutionRef) -> bool:
    return ref.object is not None and repository.store.has(ref.object)


def _max_bytes(repository: Repository, remote: Remote) -> int:
    store = repository.store
    remote.load_packs()
    size = 0
    for pack, idx in remote.packs.items():
        is_here = store.packs.find_reader(pack) is not None
        if not is_here and not all(store.has(idx.oid_at(ordinal)) for ordinal in range(idx.count)):
            size += remote.sizes.get(pack, 0)
    return size + sum(size for oid, size in remote.list_blobs().items() if not store.has(oid))
