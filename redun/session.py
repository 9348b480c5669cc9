"""The composition root: from a ``.redun`` folder to a repository, its settings, and a scheduler over them.

With config.py the only part of the library that looks at the process's surroundings: the working directory and
``$REDUN_CONFIG``.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from redun.config import Config
from redun.config_dir import CONFIG_FILE, find_config_dir
from redun.errors import ConfigError
from redun.file.local_filesystem import set_hash_mode
from redun.file.statcache import StatCache, use_stat_cache
from redun.scheduler.homes import home_of
from redun.scheduler.logger import Logger
from redun.scheduler.scheduler import Scheduler
from redun.settings import RepositorySettings
from redun.sharing import asking_remotes, push_run
from redun.store.alternates import read_alternates
from redun.store.base import ObjectStore, ReadOnlyStore
from redun.store.memory import MemoryStore
from redun.store.repository import Repository
from redun.tags import Tag
from redun.task.closure import set_code_hash_mode

if TYPE_CHECKING:
    from redun.expression import Expression, Result

STAT_CACHE_NAME = "stat"
_READ_ONLY_ERRORS = (errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass(slots=True)
class Session:
    """A scheduler with what it stands on."""

    config_dir: Path
    config: Config
    repository: Repository | None  # None where none could be made
    scheduler: Scheduler
    stat_cache: StatCache

    def close(self) -> None:
        """Save what is worth saving, and release the repository."""
        self.stat_cache.save()
        if self.repository is not None:
            self.repository.close()


def open_session(
    config_dir: Path,
    logger: Logger | None,
    on_warning: Callable[[str], None],
    setup: Mapping[str, str] | None = None,
    place: RepositorySettings | None = None,
) -> Session:
    """Open the repository of a folder, making it when there is none, and a scheduler over it.

    Where nothing can be written, runs still work: what is on record is used, and what is new is kept in memory.

    Args:
        config_dir: the ``.redun`` folder.
        logger: where the lines of runs go; None: as ``Scheduler`` has it.
        on_warning: told of what may be wrong.
        setup: texts by parameter for the function of ``[scheduler] setup_scheduler``.
        place: what to take for ``[repository]``, in place of what the folder's settings say.

    Raises:
        ConfigError: the settings are malformed, or name a function that cannot be called.
        RepositoryUnreachable: the repository lies at a URL that cannot be reached.
        UnknownFormat: the repository was written by another version.
    """
    repository = _open_repository(config_dir, place, on_warning)
    config = Config()
    if (config_dir / CONFIG_FILE).is_file():
        config.read_path(config_dir / CONFIG_FILE)
    if place is not None and place.url is not None:
        config.set_repository(place.url, place.storage)
    set_hash_mode(config.files.hash)
    set_code_hash_mode(config.scheduler.code_hash)
    cache_path = None if repository is None else repository.cache_path
    stat_cache = StatCache(None if cache_path is None else cache_path / STAT_CACHE_NAME)
    use_stat_cache(stat_cache)
    backend = repository or read_alternates(config_dir, config, on_warning)
    scheduler = _make_scheduler(config, backend, logger, setup or {})
    return Session(config_dir, config, repository, scheduler, stat_cache)


def _make_scheduler(
    config: Config, backend: Repository | ObjectStore | None, logger: Logger | None, setup: Mapping[str, str]
) -> Scheduler:
    if config.scheduler.setup_scheduler is None:
        if setup:
            raise ConfigError("--setup needs a function to give it to", hint="[scheduler] setup_scheduler names it")
        return Scheduler(config, backend=backend, logger=logger)
    from redun.scheduler_setup import find_setup

    found = find_setup(config)
    assert found is not None, "the settings name one"
    scheduler = found.make(config, setup)
    if logger is not None:
        scheduler.logger = logger
    if backend is not None and isinstance(scheduler.backend, MemoryStore):
        # The function knows of no repository: what it makes records where the settings say, as any other would.
        scheduler.home = home_of(backend)
    return scheduler


def _open_repository(
    config_dir: Path, place: RepositorySettings | None, on_warning: Callable[[str], None]
) -> Repository | None:
    try:
        repository = Repository.open_or_init(config_dir, settings=place, on_warning=on_warning)
    except (ReadOnlyStore, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _READ_ONLY_ERRORS:
            raise
        on_warning(f"{config_dir} cannot be made, so nothing of this run is recorded: {error}")
        return None
    if not repository.is_writable:
        where = repository.location if repository.is_shared else config_dir
        on_warning(f"{where} cannot be written, so nothing of this run is recorded")
    return repository


_sessions: dict[Path, Session] = {}
_sessions_lock = threading.Lock()


def run(
    expr: Expression[Result] | Result,
    config_dir: str | None = None,
    exec_argv: Sequence[str] | None = None,
    *,
    dryrun: bool = False,
    cache: bool = True,
    context: Mapping[str, Any] | None = None,
    execution_id: str | None = None,
    tags: Iterable[Tag] = (),
) -> Result:
    """Evaluate an expression with the project's repository and settings, and return its value.

    The scheduler is made once for each folder, by the function of ``[scheduler] setup_scheduler`` if the settings name
    one, and has one run at a time.  Threads may run in different folders at once.

    Args:
        expr: the expression.
        config_dir: the ``.redun`` folder; the one that a command line in this directory would use when not given.
        exec_argv: what to show as the command line of this execution.
        dryrun: look up, and run nothing.
        cache: whether results of earlier executions may serve.
        context: what ``get_context`` finds, over what the settings say.
        execution_id: the UUID to run under; a new one when not given.
        tags: keys and values to tag the execution with, beside those of ``[tags]``.

    Raises:
        StoreError: the repository cannot be opened.
        SchedulerError: a run is going on in this folder already.
        Exception: as ``Scheduler.run`` does.
    """
    path = Path(config_dir) if config_dir is not None else find_config_dir(Path.cwd(), os.environ)
    path = path.resolve()
    with _sessions_lock:
        session = _sessions.get(path)
        if session is None:
            session = _sessions[path] = open_session(path, None, _raise_warning)
        use_stat_cache(session.stat_cache)
    uuid = execution_id or str(uuid4())
    try:
        with asking_remotes(session.config, session.scheduler, session.repository, (), warn=_raise_warning):
            return session.scheduler.run(
                expr, exec_argv, dryrun=dryrun, cache=cache, context=context, execution_id=uuid, tags=tags
            )
    finally:
        session.stat_cache.save()
        if not dryrun:
            push_run(session.config, session.repository, uuid, _raise_warning, bases=[path.parent, Path.cwd()])


def _raise_warning(text: str) -> None:
    import warnings

    warnings.warn(text, RuntimeWarning, stacklevel=4)
