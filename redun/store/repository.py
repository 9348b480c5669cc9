"""A repository: the ``.redun`` tree, opened as one.  Normative page: docs/format/refs.md.

The invariant: only a tree of this program's format is opened, and opening for writing first finishes what dead writers
left: their journals are sealed and their runs told as interrupted.  Reading never changes anything.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from redun.config import Config
from redun.config_dir import CONFIG_FILE
from redun.errors import ConfigError
from redun.store.base import ReadOnlyStore
from redun.store.format_file import NotARepository, UnknownFormat, check_format, has_format, write_format
from redun.store.interrupted import end_interrupted, is_writer_there
from redun.store.liveness import Clock, now_us
from redun.store.local_storage import LocalStorage
from redun.store.objectdb import ObjectDb
from redun.store.refs import EXECUTIONS, ExecutionRef, Refs

__all__ = ["NotARepository", "Repository", "UnknownFormat"]

JOURNALS = "objects/journal"
_FILE_SCHEME = "file://"
_FOLDERS = (JOURNALS, "objects/pack", "objects/blob", EXECUTIONS)
STARTER_CONFIG = """\
# Settings of this project.  Lines that begin with # are comments; what they show is the default.

[scheduler]
# How many seconds pass between two status tables; 0 for none.
# job_status_interval = 20

[repository]
# When to call fsync: off, commit (when a run ends) or job (after each job).
# durability = commit

# [limits]
# gpu = 1

# [remotes.origin]
# url = ../shared/results
"""


class Repository:
    """An open repository.  Close it, or use it as a context manager."""

    def __init__(self, path: Path, storage: LocalStorage, store: ObjectDb, *, is_writable: bool) -> None:
        """Put the parts together; ``open`` and ``init`` make them."""
        self.path = path  # the ``.redun`` folder: settings and cache
        self.location = storage.location  # where objects and refs are: there, or where the settings say
        self.storage = storage
        self.store = store
        self.refs = Refs(storage)
        self.is_writable = is_writable
        self.config_path = path / CONFIG_FILE
        self.cache_path: Path | None = path / "cache" if is_writable else None

    @classmethod
    def init(cls, path: Path, *, clock: Clock = now_us) -> Repository:
        """Make a repository, or what is missing of one, and open it for writing.

        Idempotent, and any number of processes may do it at once: the settings are written by whoever comes first, and
        never again.

        Raises:
            UnknownFormat: there is a repository of another format.
            ReadOnlyStore: the place cannot be written.
        """
        path = Path(path).absolute()
        try:
            path.mkdir(parents=True, exist_ok=True)
            _write_starter(path / CONFIG_FILE)
            root = _find_root(path, _load_config(path))
            storage = LocalStorage(root)
            if has_format(storage):
                check_format(storage)
            for folder in _FOLDERS:
                (root / folder).mkdir(parents=True, exist_ok=True)
        except (PermissionError, NotADirectoryError, FileExistsError) as error:
            raise ReadOnlyStore(f"cannot make a repository at {path}: {error.strerror}") from error
        if not has_format(storage):
            write_format(storage)  # last: it is what makes the tree a repository
        return cls.open(path, clock=clock)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        writable: bool = True,
        durability: str | None = None,
        on_warning: Callable[[str], None] | None = None,
        clock: Clock = now_us,
    ) -> Repository:
        """Open a repository.

        Args:
            path: the ``.redun`` folder.
            writable: False promises that nothing is written.  One that cannot be written opens as if it were False.
            durability: when to call fsync; None takes ``[repository] durability``.
            on_warning: told of damage that could be passed over.
            clock: gives microseconds since 1970 UTC.

        Raises:
            NotARepository: there is none.
            UnknownFormat: it is of another format: what was expected and what was found.
            ConfigError: its settings are malformed.
        """
        path = Path(path).absolute()
        config = _load_config(path)
        root = _find_root(path, config)
        check_format(LocalStorage(root, read_only=True))
        is_writable = writable and _can_write(root)
        storage = LocalStorage(root, read_only=not is_writable)
        store = ObjectDb(
            storage,
            journals=root / JOURNALS,
            durability=durability or config.repository.durability,
            clock=clock,
            is_writable=is_writable,
            on_warning=on_warning,
        )
        repository = cls(path, storage, store, is_writable=is_writable)
        if is_writable:
            end_interrupted(store, repository.refs, root / JOURNALS, clock)
        if config.repository.alternates:
            from redun.store.alternates import attach_alternates

            attach_alternates(store, path, config, on_warning)
        return repository

    @classmethod
    def open_or_init(cls, path: Path, *, on_warning: Callable[[str], None] | None = None) -> Repository:
        """Open a repository for writing; make what is missing of it.

        Objects without a format file are what is left when the folder was removed under a run that then ended.  To
        take them over is safe: a pack says its own version, and what other keys have hashed is refused at each reading.

        Raises:
            OSError, StoreError, ConfigError: as ``open`` and ``init`` do.
        """
        try:
            return cls.open(path, on_warning=on_warning)
        except NotARepository:
            cls.init(path).close()
            return cls.open(path, on_warning=on_warning)

    def is_alive(self, ref: ExecutionRef, *, clock: Clock = now_us) -> bool:
        """Tell whether the process that wrote a running ref is still there; a run without it is interrupted."""
        return is_writer_there(self.storage.path / JOURNALS, ref.writer, clock())

    def close(self) -> None:
        """Flush and release everything.  Idempotent."""
        self.store.close()

    def __enter__(self) -> Repository:  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _load_config(path: Path) -> Config:
    config = Config()
    if (path / CONFIG_FILE).is_file():
        config.read_path(path / CONFIG_FILE)
    return config


def _find_root(path: Path, config: Config) -> Path:
    """Return the folder of objects and refs: ``path``, or what ``[repository] url`` says from the project directory."""
    url = config.repository.url
    if url is None:
        return path
    if "://" in url.removeprefix(_FILE_SCHEME):
        raise ConfigError(
            f"{path / CONFIG_FILE}: [repository] url: expected a folder of this machine or a mounted disk, found {url}",
            hint="share results at a URL with `redun remote add`, `redun push` and `redun pull`",
        )
    return (path.parent / Path(url.removeprefix(_FILE_SCHEME)).expanduser()).resolve()


def _can_write(path: Path) -> bool:
    """Ask the system, without leaving a trace: a file system mounted read-only says no, to root too."""
    for folder in _FOLDERS:
        with suppress(OSError):
            (path / folder).mkdir(parents=True, exist_ok=True)
        if not os.access(path / folder, os.W_OK | os.X_OK):
            return False
    return True


def _write_starter(config_path: Path) -> None:
    """Write the settings whole and only where there are none, whoever else does so at the same moment."""
    if config_path.exists():
        return
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix=".tmp-", dir=config_path.parent) as folder:
        temporary = Path(folder) / CONFIG_FILE
        temporary.write_text(STARTER_CONFIG, encoding="utf-8")
        try:
            os.link(temporary, config_path)
        except FileExistsError:
            return
        except OSError:  # a file system without links: the last writer wins, and all write the same
            temporary.replace(config_path)
