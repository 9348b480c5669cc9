"""A store to write to on top of one that is only read: what a run uses where the repository cannot be written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from redun.hashing import Oid
from redun.objects.codec import Node
from redun.store.absent import Absence
from redun.store.base import Candidate, ObjectStore
from redun.store.lookups import newest_first


class OverlayStore(ObjectStore):
    """Reads the upper store, then the lower one; writes only the upper."""

    def __init__(self, upper: ObjectStore, lower: ObjectStore) -> None:
        self._upper = upper
        self._lower = lower

    def put(self, oid: Oid, data: bytes, kind: int) -> None:
        if not self._lower.has(oid):
            self._upper.put(oid, data, kind)

    def put_file(self, path: Path) -> tuple[Oid, int]:
        return self._upper.put_file(path)

    def get(self, oid: Oid) -> bytes:
        return self._holder(oid).get(oid)

    def get_node(self, oid: Oid) -> Node:
        return self._holder(oid).get_node(oid)

    def open(self, oid: Oid) -> BinaryIO:
        return self._holder(oid).open(oid)

    def has(self, oid: Oid) -> bool:
        return self._upper.has(oid) or self._lower.has(oid)

    def kind_of(self, oid: Oid) -> int | None:
        return self._holder(oid).kind_of(oid)

    def iter_oids(self, kind: int | None = None) -> Iterator[tuple[Oid, int]]:
        seen: set[Oid] = set()
        for oid, found in chain(self._upper.iter_oids(kind), self._lower.iter_oids(kind)):
            if oid not in seen:
                seen.add(oid)
                yield oid, found

    def find_prefix(self, prefix: str, limit: int = 20) -> list[tuple[Oid, int]]:
        found = {*self._upper.find_prefix(prefix, limit), *self._lower.find_prefix(prefix, limit)}
        return sorted(found)[:limit]

    def find_candidates(self, eval_oid: Oid) -> list[Candidate]:
        return newest_first([*self._upper.find_candidates(eval_oid), *self._lower.find_candidates(eval_oid)])

    def find_producers(self, file_oid: Oid) -> list[Oid]:
        return sorted({*self._upper.find_producers(file_oid), *self._lower.find_producers(file_oid)})

    def bring(self, oids: Iterable[Oid]) -> bool:
        return self._lower.bring(oids)

    def expect(self, find: Callable[[], Iterable[Oid]]) -> None:
        self._lower.expect(find)

    def is_elsewhere(self, oid: Oid) -> bool:
        return self._lower.is_elsewhere(oid)

    def find_absence(self, oid: Oid) -> Absence | None:
        return self._lower.find_absence(oid)

    def flush(self) -> None:
        self._upper.flush()

    def refresh(self) -> None:
        self._lower.refresh()

    def close(self) -> None:
        self._upper.close()
        self._lower.close()

    def _holder(self, oid: Oid) -> ObjectStore:
        return self._upper if self._upper.has(oid) else self._lower
