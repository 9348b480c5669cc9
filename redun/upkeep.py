"""What is kept in order without being asked for: the packs at a remote that many push to.

The invariant: what is at the remote is the same before and after, for all who read and write there meanwhile
(``store/maintain/repack.py``).  Each push leaves a pack, and whoever comes with an empty cache reads the table of each,
so the number of packs is kept small by those who push.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from redun.errors import RedunError
from redun.remotes.settings import get_remote
from redun.remotes.transfer import OnProgress, TransferReport, ignore_progress
from redun.settings import RepositorySettings
from redun.store.base import ReadOnlyStore
from redun.store.maintain.repack import consolidate, plan_repack
from redun.store.repository import Repository

if TYPE_CHECKING:
    from redun.remotes.remote import Remote

MAX_PACKS = 32
"""With more of them a push merges the small ones: twice of what a run leaves in a repository at a URL, so that merging
is seldom."""


def with_repack(
    repository: Repository,
    remote: Remote,
    report: TransferReport,
    warn: Callable[[str], None],
    on_progress: OnProgress = ignore_progress,
) -> TransferReport:
    """Merge the small packs at a remote after a push, if need be; return the push's report with how many there were.

    Whatever goes wrong is a warning, since the push is done; who may not delete there leaves it to others in silence.
    """
    try:
        on_progress(0, 0, "looking after packs")
        return dataclasses.replace(report, merged_packs=repack_remote(repository, remote))
    except ReadOnlyStore:
        return report
    except (RedunError, OSError) as error:
        warn(f"the packs at remote '{remote.name}' were not merged: {error}")
        return report


def repack_remote(repository: Repository, remote: Remote, *, max_packs: int = MAX_PACKS) -> int:
    """Merge the small packs at a remote when there are many; return how many were merged.

    Args:
        repository: whose settings name the remote.
        remote: as it is after a push.
        max_packs: so many may lie there.

    Raises:
        ReadOnlyStore: nothing can be deleted there; nothing was written.
        RedunError, OSError: the remote cannot be reached, or is damaged; nothing was removed.
    """
    if len(remote.packs) <= max_packs:
        return 0
    settings = get_remote(repository.config_path, remote.name)
    if settings.namespace is not None or settings.trust != "full":
        return 0  # what is not trusted is for others to keep in order
    place = RepositorySettings(url=settings.url, storage=settings.storage)
    with Repository.open(repository.path, settings=place) as there:
        if len(there.store.packs.readers) <= there.max_packs:
            return 0
        parts = plan_repack(there.store)
        return len(parts) if parts and consolidate(there.store) is not None else 0
