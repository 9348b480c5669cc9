"""A folder of a storage as a storage of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from redun.hashing import Buffer
from redun.store.storage import Entry, NameMissing, Sliced, Storage, check_name

NAMESPACES = "namespaces"
"""Where a repository's tree has those of its namespaces: docs/format/refs.md."""


class Subtree(Storage):
    """What lies under one folder; names are relative to it, and none reaches outside."""

    def __init__(self, storage: Storage, folder: str) -> None:
        """Take a folder of a storage; it need not exist before the first write."""
        self._storage = storage
        self._folder = check_name(folder)
        self.location = f"{storage.location}/{folder}"

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        with self._naming(name):
            return self._storage.read(self._inside(name), start, length)

    def view(self, name: str) -> Buffer:
        with self._naming(name):
            return self._storage.view(self._inside(name))

    def view_parts(self, name: str) -> Sliced:
        with self._naming(name):
            return self._storage.view_parts(self._inside(name))

    def open(self, name: str) -> BinaryIO:
        with self._naming(name):
            return self._storage.open(self._inside(name))

    def write(self, name: str, content: Buffer | Iterable[Buffer]) -> None:
        self._storage.write(self._inside(name), content)

    def write_file(self, name: str, path: Path) -> None:
        self._storage.write_file(self._inside(name), path)

    def size(self, name: str) -> int | None:
        return self._storage.size(self._inside(name))

    def iter_entries(self, prefix: str) -> Iterator[Entry]:
        for entry in self._storage.iter_entries(self._inside(prefix) if prefix else self._folder):
            yield entry._replace(name=entry.name[len(self._folder) + 1 :])

    def prefetch(self, names: Iterable[str]) -> None:
        self._storage.prefetch([self._inside(name) for name in names])

    def delete(self, name: str) -> None:
        self._storage.delete(self._inside(name))

    def sync(self, names: Iterable[str]) -> None:
        self._storage.sync([self._inside(name) for name in names])

    @contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        """Have an error say the name that was asked for."""
        try:
            yield
        except NameMissing:
            raise NameMissing(name, self.location) from None

    def _inside(self, name: str) -> str:
        return f"{self._folder}/{check_name(name)}"
