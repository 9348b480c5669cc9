"""Contents that a remote has and that have not been brought yet.  Normative page: docs/format/promised.md.

The invariant: a promise stands for a content that is missing and never makes one missing: what is here is read from
here.  Who can reach remotes says so by setting ``supplier``; without one, a promised content cannot be read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from threading import RLock
from typing import TYPE_CHECKING, NamedTuple

from redun.errors import ObjectError, RedunError
from redun.hashing import Oid
from redun.objects.oid import parse_oid, prefix_range, short
from redun.store.base import ObjectMissing
from redun.store.blobs import LARGE_SIZE_BYTES
from redun.store.lists import write_list, written_us
from redun.store.liveness import now_us
from redun.store.ref_names import is_remote_name
from redun.store.storage import Storage

if TYPE_CHECKING:
    from redun.store.objectdb import ObjectDb

SUFFIX = ".promised"
VERSION_LINE = "redun-promised 1"
RETRY_SECONDS = 30.0
"""A remote that failed is not asked again for so long: each of a thousand hits would wait for it."""


class Promise(NamedTuple):
    """One content that a remote has."""

    oid: Oid
    size: int  # bytes; 0 of a small one of which it is not known
    remote: str  # as the settings call it


Supplier = Callable[[str, Sequence[Promise]], str]
"""Brings contents that a remote of this name has promised, and says why some did not come, an empty text when all did.
Raises RedunError or OSError when the remote cannot be reached at all."""


class ContentNotBrought(ObjectMissing):
    """A promised content is needed and cannot be had now."""

    def __init__(self, promise: Promise, why: str) -> None:
        super().__init__(promise.oid)
        self.args = (f"content {short(promise.oid)} is at remote {promise.remote!r} still, {why}",)
        self.hint = f"`redun pull {promise.remote}` brings all contents that are left there"
        self.promise = promise
        self.why = why


class Promises:
    """What is promised to one store.  All of it may be used from any thread."""

    def __init__(self, store: ObjectDb, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds."""
        self._store = store
        self._clock = clock
        self._lock = RLock()
        self._failed: dict[str, tuple[float, str]] = {}  # remote: when it failed last, and why
        self._expected: dict[Oid, None] = {}
        self.supplier: Supplier | None = None

    def find(self, oid: Oid) -> Promise | None:
        """Return the promise of a content that is not here; None for all else."""
        promise = self._store.packs.notes.promised.get(oid)
        return None if promise is None or self._is_here(oid) else promise

    def blob_size(self, oid: Oid) -> int | None:
        """Return the size in bytes of a promised content that will be a file of its own; None for all else."""
        promise = self.find(oid)
        return None if promise is None or promise.size < LARGE_SIZE_BYTES else promise.size

    def find_prefix(self, prefix: str) -> list[Oid]:
        """Return the promised contents whose hex begins with a prefix, here or not."""
        promised = self._store.packs.notes.promised
        if not promised:
            return []
        low, high = prefix_range(prefix)
        return [oid for oid in promised if low <= oid <= high]

    def list_open(self) -> list[Promise]:
        """Return the promises of what is not here, in order of oid."""
        return sorted(one for oid, one in self._store.packs.notes.promised.items() if not self._is_here(oid))

    def add(self, promises: Iterable[Promise]) -> None:
        """Write down what a remote has; lists that say what is open still are replaced by the one that is written.

        Raises:
            OSError, StoreError: the storage cannot be written.
        """
        added = {one.oid: one for one in promises}
        if added:
            self._store.refresh(force=True)
            self._replace({one.oid: one for one in self.list_open()} | added)

    def keep(self, needed: Collection[Oid], before_us: int) -> None:
        """Forget what is not needed any more, where all lists are older than a moment: a pull may be going on else.

        Args:
            needed: contents that something links to.
            before_us: microseconds since 1970 UTC.

        Raises:
            OSError, StoreError: the storage cannot be written.
        """
        self._store.refresh(force=True)
        names = self._list_names()
        kept = {one.oid: one for one in self.list_open() if one.oid in needed}
        if len(kept) < len(self._store.packs.notes.promised) and all(written_us(name) < before_us for name in names):
            self._replace(kept)

    def _list_names(self) -> list[str]:
        return [name for name in self._store.packs.notes.names if name.endswith(SUFFIX)]

    def _replace(self, promises: dict[Oid, Promise]) -> None:
        """Write one list for all there are, and delete these."""
        storage, replaced = self._store.storage, self._list_names()
        if promises:
            storage.sync([write_promised(storage, promises.values(), now_us())])
        for name in replaced if not self._store.packs.notes.strange else ():
            storage.delete(name)
        self._store.refresh(force=True)

    def expect(self, find: Callable[[], Iterable[Oid]]) -> None:
        """Take note of contents that may soon be needed; ``find`` is asked only when something is promised."""
        promised = self._store.packs.notes.promised
        if promised:
            with self._lock:
                self._expected.update(dict.fromkeys(oid for oid in find() if oid in promised))

    def bring(self, oids: Iterable[Oid]) -> bool:
        """Have those contents brought that are promised and not here; tell whether there were any.

        What is expected from the same remotes comes along.

        Raises:
            ContentNotBrought: one of them could not be.
        """
        if not self._store.packs.notes.promised:
            return False
        with self._lock:  # whoever waits here finds what the other has brought
            wanted = self._sort(oids)
            if not wanted:
                return False
            also = self._sort(self._expected)
            self._expected.clear()
            for remote, promises in wanted.items():
                self._bring(remote, promises, also.get(remote, {}) | promises)
        return True

    def _sort(self, oids: Iterable[Oid]) -> dict[str, dict[Oid, Promise]]:
        """Return the promises of what is not here, by remote."""
        found: dict[str, dict[Oid, Promise]] = {}
        for oid in oids:
            promise = self.find(oid)
            if promise is not None:
                found.setdefault(promise.remote, {})[oid] = promise
        return found

    def _bring(self, remote: str, needed: dict[Oid, Promise], promises: dict[Oid, Promise]) -> None:
        failed_at, why = self._failed.get(remote, (None, ""))
        if self.supplier is None:
            why = "and is left there"
        elif failed_at is None or self._clock() - failed_at >= RETRY_SECONDS:
            try:
                why = self.supplier(remote, list(promises.values()))
            except (RedunError, OSError) as error:
                why = f"and cannot be brought: {error}"
                self._failed[remote] = self._clock(), why
            self._store.refresh(force=True)
        missing = next((one for oid, one in needed.items() if not self._is_here(oid)), None)
        if missing is not None:
            raise ContentNotBrought(missing, why)

    def _is_here(self, oid: Oid) -> bool:
        return self._store.find_kind(oid) is not None


def write_promised(storage: Storage, promises: Iterable[Promise], now_us: int) -> str:
    """Write a list of promises; return its name.  Raises as ``write_list`` does."""
    lines = (f"{one.oid.hex()} {one.size} {one.remote}" for one in sorted(promises))
    return write_list(storage, SUFFIX, [VERSION_LINE, *lines], now_us)


def parse_promise(line: str) -> Promise | None:
    """Read one line of a list; None for a line of another form."""
    try:
        oid, size, remote = line.split(" ")
        promise = Promise(parse_oid(oid), int(size), remote)
    except (ObjectError, ValueError):
        return None
    return promise if promise.size >= 0 and is_remote_name(remote) else None
