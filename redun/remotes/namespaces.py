"""Namespaces: where a writer that is not trusted by all puts its own, on top of what it reads.

The tree of a namespace lies under ``namespaces/<name>`` in that of a repository, with refs, packs and contents of its
own.  Whoever reads the repository itself never looks there, so what a pull request pushes is seen by that pull request
alone.  The invariant: everything is written to the namespace, and nothing ever to the repository below it.
Format: docs/format/refs.md, *Namespaces*.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from redun.errors import ConfigError
from redun.hashing import Buffer
from redun.store.storage import Entry, NameMissing, Sliced, Storage
from redun.store.subtree import NAMESPACES, Subtree

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class BadNamespace(ConfigError):
    """A text cannot be the name of a namespace."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"expected a namespace of letters, digits, '.', '_' and '-', 100 at most, found {name!r}",
            hint="for a branch `feature/x`, write `feature-x`",
        )
        self.name = name


def check_namespace(name: str) -> str:
    """Return a name that a namespace can have, and that so cannot reach outside its folder.  Raises BadNamespace."""
    if _NAME.fullmatch(name) is None:
        raise BadNamespace(name)
    return name


class NamespaceStorage(Storage):
    """A repository's tree with that of a namespace laid over it: reads find both, writes go to the namespace."""

    def __init__(self, base: Storage, name: str) -> None:
        """Lay the namespace of a name over a repository's tree.  Raises BadNamespace."""
        self._base = base
        self._own = Subtree(base, f"{NAMESPACES}/{check_namespace(name)}")
        self._places: dict[str, Storage] = {}  # where names were listed, or written: it saves a request to know
        self.location = self._own.location

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        storage = self._place(name)
        if storage is not None:
            return storage.read(name, start, length)
        try:
            return self._base.read(name, start, length)
        except NameMissing:
            return self._own.read(name, start, length)

    def view(self, name: str) -> Buffer:
        storage = self._place(name)
        if storage is not None:
            return storage.view(name)
        try:
            return self._base.view(name)
        except NameMissing:
            return self._own.view(name)

    def view_parts(self, name: str) -> Sliced:
        return memoryview(self.view(name)) if self._place(name) is None else self._places[name].view_parts(name)

    def open(self, name: str) -> BinaryIO:
        storage = self._place(name)
        if storage is not None:
            return storage.open(name)
        try:
            return self._base.open(name)
        except NameMissing:
            return self._own.open(name)

    def write(self, name: str, content: Buffer | Iterable[Buffer]) -> None:
        self._own.write(name, content)
        self._places[name] = self._own

    def write_file(self, name: str, path: Path) -> None:
        self._own.write_file(name, path)
        self._places[name] = self._own

    def size(self, name: str) -> int | None:
        storage = self._place(name)
        size = (storage or self._base).size(name)
        return self._own.size(name) if size is None and storage is None else size

    def iter_entries(self, prefix: str) -> Iterator[Entry]:
        last = ""
        own = ((entry, self._own) for entry in self._own.iter_entries(prefix))
        base = ((entry, self._base) for entry in self._base.iter_entries(prefix) if not _is_namespaced(entry.name))
        # The namespace comes first: of a name in both, what it says itself counts.
        for entry, storage in heapq.merge(own, base, key=_name_of):
            if entry.name != last:
                last = entry.name
                self._places[last] = storage
                yield entry

    def find_any(self) -> str | None:
        found = self._base.find_any()
        if found is None or not _is_namespaced(f"{found}/"):
            return found
        return next((entry.name for entry in self._own.iter_entries("")), None)

    def prefetch(self, names: Iterable[str]) -> None:
        listed = list(names)
        for storage in (self._base, self._own):
            storage.prefetch([name for name in listed if self._place(name) is storage])

    def delete(self, name: str) -> None:
        self._own.delete(name)
        self._places.pop(name, None)

    def sync(self, names: Iterable[str]) -> None:
        self._own.sync(names)

    def _place(self, name: str) -> Storage | None:
        return self._places.get(name)


def _is_namespaced(name: str) -> bool:
    return name.startswith(f"{NAMESPACES}/")


def _name_of(row: tuple[Entry, Storage]) -> str:
    return row[0].name
