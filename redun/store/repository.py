"""A repository: the ``.redun`` tree, opened as one.  Normative page: docs/format/refs.md.

The invariant: only a tree of this program's format is opened, and opening for writing first finishes what dead writers
left: their journals are sealed and their runs told as interrupted.  Reading never changes anything.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from redun.config import Config
from redun.config_dir import CONFIG_FILE
from redun.errors import StoreError
from redun.settings import RepositorySettings
from redun.store.base import ReadOnlyStore
from redun.store.format_file import NotARepository, UnknownFormat, check_format, has_format
from redun.store.interrupted import end_interrupted
from redun.store.live_journals import has_journal, is_writer_there
from redun.store.liveness import Clock, now_us
from redun.store.local_storage import LocalStorage
from redun.store.objectdb import ObjectDb
from redun.store.place import Place, find_place
from redun.store.ref_texts import ExecutionRef
from redun.store.refs import Refs
from redun.store.storage import RepositoryUnreachable

if TYPE_CHECKING:
    from redun.store.shared_refs import SharedRefs

__all__ = ["NotARepository", "Repository", "UnknownFormat"]

MAX_SHARED_PACKS = 16
"""At a URL merging costs requests, and other machines the fetching of what is merged."""
STARTER_CONFIG = """\
# Settings of this project.  Lines that begin with # are comments; what they show is the default.

[scheduler]
# How many seconds pass between two status tables; 0 for none.
# job_status_interval = 20

[repository]
# Where objects and refs are, when not in this folder: another folder, or a URL.
# url = s3://bucket/prefix
# When to call fsync: off, commit (when a run ends) or job (after each job).
# durability = commit

# [limits]
# gpu = 1

# [remotes.origin]
# url = ../shared/results
"""


class Repository:
    """An open repository.  Close it, or use it as a context manager."""

    def __init__(
        self,
        path: Path,
        place: Place,
        store: ObjectDb,
        settings: RepositorySettings,
        *,
        is_writable: bool,
        clock: Clock,
    ) -> None:
        """Put the parts together; ``open`` and ``init`` make them."""
        storage = place.storage
        self.path = path  # the ``.redun`` folder: settings and cache
        self.location = storage.location  # where objects and refs are: there, or where the settings say
        self.storage = storage
        self.settings = settings
        self.is_shared = place.is_shared  # it lies at a URL
        self.journals = place.journals
        self.store = store
        self._shared = _share_refs(place, clock)
        self.refs = self._shared or Refs(storage)
        self.is_writable = is_writable
        self.config_path = path / CONFIG_FILE
        self.cache_path: Path | None = path / "cache" if is_writable else None

    @classmethod
    def init(
        cls,
        path: Path,
        *,
        settings: RepositorySettings | None = None,
        on_warning: Callable[[str], None] | None = None,
        clock: Clock = now_us,
    ) -> Repository:
        """Make a repository, or what is missing of one, and open it for writing; the arguments are those of ``open``.

        Idempotent, and any number of processes may do it at once: the settings are written by whoever comes first, and
        never again.

        Raises:
            UnknownFormat: there is a repository of another format.
            PlaceTaken: its URL leads to something else.
            RepositoryUnreachable: its URL cannot be read or written.
            ReadOnlyStore: the place cannot be written.
        """
        path = Path(path).absolute()
        try:
            path.mkdir(parents=True, exist_ok=True)
            _write_starter(path / CONFIG_FILE)
            place = find_place(path, settings or _load_config(path).repository)
            if has_format(place.storage):
                check_format(place.storage)
            place.make()
        except (PermissionError, NotADirectoryError, FileExistsError) as error:
            raise ReadOnlyStore(f"cannot make a repository at {path}: {error.strerror}") from error
        return cls.open(path, settings=settings, on_warning=on_warning, clock=clock)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        writable: bool = True,
        durability: str | None = None,
        settings: RepositorySettings | None = None,
        on_warning: Callable[[str], None] | None = None,
        clock: Clock = now_us,
    ) -> Repository:
        """Open a repository.

        Args:
            path: the ``.redun`` folder.
            writable: False promises that nothing is written.  One that cannot be written opens as if it were False.
            durability: when to call fsync; None takes ``[repository] durability``.
            settings: what to take for ``[repository]``; None reads it from the folder's redun.ini.
            on_warning: told of damage that could be passed over.
            clock: gives microseconds since 1970 UTC.

        Raises:
            NotARepository: there is none.
            UnknownFormat: it is of another format: what was expected and what was found.
            ConfigError: its settings are malformed.
        """
        path = Path(path).absolute()
        config = _load_config(path)
        settings = settings or config.repository
        place = find_place(path, settings)
        check_format(place.storage)
        is_writable = writable and not settings.read_only and not settings.storage.anonymous and place.can_write()
        place.storage.is_read_only = not is_writable
        store = ObjectDb(
            place.storage,
            journals=place.journals,
            durability=durability or settings.durability,
            clock=clock,
            is_writable=is_writable,
            on_warning=on_warning,
        )
        repository = cls(path, place, store, settings, is_writable=is_writable, clock=clock)
        if config.signing_key is not None:
            from redun.store.signing import Signer

            repository.refs.signer = Signer(config.signing_key)
        if is_writable:
            repository._end_interrupted(clock)
        if config.repository.alternates:
            from redun.store.alternates import attach_alternates

            attach_alternates(store, path, config, on_warning)
        return repository

    @classmethod
    def open_or_init(
        cls,
        path: Path,
        *,
        settings: RepositorySettings | None = None,
        on_warning: Callable[[str], None] | None = None,
    ) -> Repository:
        """Open a repository for writing; make what is missing of it.

        Objects without a format file are what is left when the folder was removed under a run that then ended.  To
        take them over is safe: a pack says its own version, and what other keys have hashed is refused at each reading.

        Raises:
            OSError, StoreError, ConfigError: as ``open`` and ``init`` do.
        """
        try:
            return cls.open(path, settings=settings, on_warning=on_warning)
        except NotARepository:
            return cls.init(path, settings=settings, on_warning=on_warning)

    @property
    def max_packs(self) -> int:
        """So many packs may lie side by side before it is asked whether the small ones are merged."""
        storage = self.storage
        if isinstance(storage, LocalStorage):
            return 0
        return MAX_SHARED_PACKS if storage.can_merge else sys.maxsize

    def is_alive(self, ref: ExecutionRef, *, clock: Clock = now_us) -> bool:
        """Tell whether the process that wrote a running ref is still there; a run without it is interrupted.

        Of a run on another machine that shares only a URL with this one, the age of its ref tells: see ``touch``.
        """
        if is_writer_there(self.journals, ref.writer, clock()):
            return True
        if self._shared is None or has_journal(self.journals, ref.writer):
            return False
        return self._shared.is_fresh(ref)

    def touch(self) -> None:
        """Tell others that this process lives: at least once in an hour, better each minute."""
        self.store.touch()
        if self._shared is not None:
            self._shared.beat()

    def forget_copies(self) -> None:
        """Have whatever is read next come from where the repository lies, and not from copies that are kept here."""
        if not isinstance(self.storage, LocalStorage):
            self.storage.forget_copies()

    def postpone(self, error: RepositoryUnreachable) -> None:
        """Keep the journal for the next process that opens the repository from here, and warn of that."""
        own = self.store.journals.own
        assert own is not None, "what cannot be written has nothing to postpone"
        own.is_held = True
        self.store.warn(
            f"{error}; what this run has done is kept in {self.journals.parent.parent}, "
            "and the next redun command that writes here sends it"
        )

    def _end_interrupted(self, clock: Clock) -> None:
        try:
            end_interrupted(self.store, self.refs, lambda ref: self.is_alive(ref, clock=clock))
        except (OSError, StoreError) as error:
            if not self.is_shared:
                raise
            self.store.warn(f"runs whose process died cannot be told as interrupted now: {error}")

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


def _share_refs(place: Place, clock: Clock) -> SharedRefs | None:
    if isinstance(place.storage, LocalStorage):
        return None
    from redun.store.shared_refs import SharedRefs

    return SharedRefs(place.storage, clock)


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
