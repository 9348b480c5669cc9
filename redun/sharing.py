"""Remotes during a run: asked where the own repository has no answer, and given the execution when it has ended.

The invariant: no remote makes a run fail, or changes what it comes to.  One that cannot be reached is a warning, and
a run without remotes pays for a look at the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from redun.errors import RedunError

if TYPE_CHECKING:
    from redun.config import Config
    from redun.remotes.lookup import LookupCounts
    from redun.remotes.transfer import OnProgress, TransferReport
    from redun.scheduler.scheduler import Scheduler
    from redun.store.repository import Repository

Warn = Callable[[str], None]


@contextmanager
def asking_remotes(
    config: Config,
    scheduler: Scheduler,
    repository: Repository | None,
    given: Sequence[str],
    *,
    warn: Warn,
    note: Warn = lambda _text: None,
    on_end: Callable[[list[LookupCounts]], None] = lambda _counts: None,
    on_progress: OnProgress | None = None,
    uses_settings: bool = True,
) -> Iterator[None]:
    """Have a scheduler look for results at remotes too, while this is open.

    Args:
        config: the settings; a scheduler that the project makes itself may have others.
        scheduler: the one whose next run is meant.
        repository: the one that it records in; without one that can be written, nothing is asked.
        given: names of remotes to ask.
        warn: told once of each remote that cannot be asked.
        note: told of a remote that is still empty.
        on_end: given what was taken.
        on_progress: told while results and contents are brought (bytes done, bytes in all or 0, what), and with an
            empty text when they are here.
        uses_settings: whether remotes with ``auto_pull`` are asked too.

    Raises:
        RemoteUnknown: there is no remote of a name that is given.
        UnsupportedUrl: nothing here can reach the URL of one.
        ConfigError: the settings are malformed.
    """
    if repository is not None and on_progress is not None:
        from redun.remotes.lazy import serve_promises

        serve_promises(repository, on_progress)
    automatic = config.find_remotes("auto_pull") if uses_settings else []
    names = list(dict.fromkeys([*given, *automatic]))
    if not names:
        yield
        return
    if repository is None or not repository.is_writable:
        warn("no remote is asked: what came from there could not be kept")
        yield
        return
    from redun.remotes.connect import connect
    from redun.remotes.lookup import RemoteLookups
    from redun.remotes.transfer import ignore_progress

    lookups = RemoteLookups(
        repository,
        [connect(repository, name) for name in names],
        warn,
        note,
        on_progress=on_progress or ignore_progress,
    )
    scheduler.lookups = lookups
    try:
        yield
    finally:
        scheduler.lookups = None
        on_end(lookups.counts())
        lookups.close()


def push_run(
    config: Config,
    repository: Repository | None,
    execution_id: str,
    warn: Warn,
    *,
    bases: Sequence[Path] = (),
    on_progress: OnProgress | None = None,
) -> list[TransferReport]:
    """Push an execution to each remote with ``auto_push``; one that cannot be pushed to is a warning.

    Args:
        config: the settings.
        repository: where the execution is.
        execution_id: its UUID.
        warn: told what went wrong.
        bases: folders where relative paths of files are looked up.
        on_progress: told while it is sent, and with an empty text when it is there.
    """
    names = config.find_remotes("auto_push")
    if not names or repository is None or not repository.is_writable:
        return []
    from redun.remotes.connect import connect
    from redun.remotes.push import push
    from redun.remotes.transfer import ignore_progress
    from redun.upkeep import with_repack

    tell = on_progress or ignore_progress
    reports: list[TransferReport] = []
    for name in names:
        try:
            remote, refs = connect(repository, name), repository.refs.find(execution_id)
            report = push(repository, remote, refs, bases=bases, on_progress=tell)
            reports.append(with_repack(repository, remote, report, warn, tell))
        except (RedunError, OSError) as error:
            warn(f"this run was not pushed: {error}")
        finally:
            tell(0, 0, "")
    return reports
