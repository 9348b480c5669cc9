"""An object store in dictionaries: the verified fake, and what a ``Scheduler()`` without a repository uses."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from redun.hashing import Oid, hash_blob
from redun.objects.kinds import Kind
from redun.objects.oid import prefix_range
from redun.store.base import Candidate, ObjectMissing, ObjectStore
from redun.store.lookups import LOOKUP_KINDS, RecentLookups, newest_first


class MemoryStore(ObjectStore):
    """Objects by name, gone with the process."""

    def __init__(self) -> None:
        self._objects: dict[Oid, tuple[int, bytes]] = {}
        self._lookups = RecentLookups(self.get)

    def put(self, oid: Oid, data: bytes, kind: int) -> None:
        if oid not in self._objects:
            self._objects[oid] = kind, data
            if kind in LOOKUP_KINDS:
                self._lookups.note(oid, kind)

    def put_file(self, path: Path) -> tuple[Oid, int]:
        content = path.read_bytes()
        oid = hash_blob(content)
        self._objects.setdefault(oid, (int(Kind.BLOB), content))
        return oid, len(content)

    def get(self, oid: Oid) -> bytes:
        try:
            return self._objects[oid][1]
        except KeyError:
            raise ObjectMissing(oid) from None

    def open(self, oid: Oid) -> BinaryIO:
        return BytesIO(self.get(oid))

    def has(self, oid: Oid) -> bool:
        return oid in self._objects

    def kind_of(self, oid: Oid) -> int | None:
        found = self._objects.get(oid)
        return None if found is None else found[0]

    def iter_oids(self, kind: int | None = None) -> Iterator[tuple[Oid, int]]:
        # A copy: worker threads may put files meanwhile.
        for oid, (own_kind, _) in reversed(self._objects.copy().items()):
            if kind is None or own_kind == kind:
                yield oid, own_kind

    def find_prefix(self, prefix: str, limit: int = 20) -> list[tuple[Oid, int]]:
        low, high = prefix_range(prefix)
        return sorted((oid, kind) for oid, kind in self.iter_oids() if low <= oid <= high)[:limit]

    def find_candidates(self, eval_oid: Oid) -> list[Candidate]:
        return newest_first(self._lookups.find_candidates(eval_oid))

    def find_producers(self, file_oid: Oid) -> list[Oid]:
        return sorted(set(self._lookups.find_producers(file_oid)))

    def flush(self) -> None:
        """There is nowhere to hand anything to."""

    def refresh(self) -> None:
        """No other process can write here."""

    def close(self) -> None:
        """Nothing is held but memory."""
