"""Where a scheduler keeps executions: in memory, in a repository, or on top of one that cannot be written."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from redun.errors import StoreError
from redun.hashing import Oid
from redun.remotes.lazy import serve_promises
from redun.store.base import ObjectStore
from redun.store.blobs import Blobs
from redun.store.maintain.repack import consolidate
from redun.store.overlay import OverlayStore
from redun.store.ref_texts import ExecutionRef
from redun.store.refs import Refs
from redun.store.repository import Repository
from redun.store.storage import RepositoryUnreachable


class MemoryHome:
    """Nothing outlives the process."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.refs: Refs | None = None
        self.is_forced = False

    def writer(self) -> str:
        return ""

    def seal(self) -> list[Oid]:
        return []

    def finish(self) -> None:
        pass

    def publish(self, make_ref: Callable[[tuple[Oid, ...]], ExecutionRef]) -> None:
        pass

    def touch(self) -> None:
        pass

    def is_at(self, _config_dir: Path) -> bool:
        return False

    def open_beside(self) -> Repository | ObjectStore:
        return self.store

    @property
    def contents(self) -> Blobs | None:
        return None

    @property
    def path(self) -> Path | None:
        return None


class RepositoryHome:
    """A repository that can be written."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.store: ObjectStore = repository.store
        self.refs: Refs | None = repository.refs
        self.is_forced = repository.store.sealer.syncs
        self._unpublished: list[ExecutionRef] = []

    def writer(self) -> str:
        return self._repository.store.writer

    def seal(self) -> list[Oid]:
        return self._repository.store.seal()

    def finish(self) -> None:
        self._repository.store.finish()
        # Small packs are merged as they come, so that a look-up asks few of them however many runs there were.
        # The run is over and published; where they cannot be merged now, a later run will do it.
        if len(self._repository.store.packs.readers) > self._repository.max_packs:
            with suppress(OSError, StoreError):
                consolidate(self._repository.store)

    def publish(self, make_ref: Callable[[tuple[Oid, ...]], ExecutionRef]) -> None:
        """Do what the contract says; where the repository lies at a URL that is down, keep it for the next process.

        The run has succeeded or failed by itself, and nothing of it is lost: that is a warning, and no error.
        """
        packs: list[Oid] = []
        assert self.refs is not None
        try:
            packs = self.seal()
            for ref in (*self._unpublished, make_ref(tuple(packs))):
                self.refs.write(self.refs.sign(ref), is_forced=self.is_forced)
        except RepositoryUnreachable as error:
            self._unpublished.append(make_ref(tuple(packs)))
            self._repository.postpone(error)
            return
        self._unpublished = []
        self.finish()

    def touch(self) -> None:
        self._repository.touch()

    def is_at(self, config_dir: Path) -> bool:
        """Tell whether a ``.redun`` folder is this one."""
        return self._repository.path.resolve() == config_dir.resolve()

    def open_beside(self) -> Repository | ObjectStore:
        """Return where an execution is kept that begins and ends while another one goes on here.

        It has a journal of its own: sealing one execution must not seal half of another.
        """
        return Repository.open(self._repository.path, settings=self._repository.settings)

    @property
    def contents(self) -> Blobs | None:
        """Where workers on this machine may read and put large contents; None where that is no disk of it."""
        return None if self._repository.is_shared else self._repository.store.blobs

    @property
    def path(self) -> Path | None:
        """The ``.redun`` folder, for those who open it beside."""
        return self._repository.path


def home_of_dryrun(store: ObjectStore) -> MemoryHome:
    """Return where a run is kept that must leave no trace: it reads the store, and writes into memory."""
    from redun.store.memory import MemoryStore

    return MemoryHome(OverlayStore(MemoryStore(), store))


def home_of(backend: Repository | ObjectStore | MemoryHome | RepositoryHome | None) -> MemoryHome | RepositoryHome:
    """Return where to keep executions.

    A repository that cannot be written is read, and what is new stays in memory.
    """
    from redun.store.memory import MemoryStore

    if backend is None:
        return MemoryHome(MemoryStore())
    if isinstance(backend, (MemoryHome, RepositoryHome)):
        return backend
    if isinstance(backend, ObjectStore):
        return MemoryHome(backend)
    serve_promises(backend)
    if backend.is_writable:
        return RepositoryHome(backend)
    return MemoryHome(OverlayStore(MemoryStore(), backend.store))
