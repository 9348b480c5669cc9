"""A Storage that tells what was asked of it, and fails when told to: for tests of costs and of crashes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from redun.hashing import Buffer
from redun.store.storage import Entry, Storage


class Crash(Exception):
    """What a probed storage raises in place of the write that it was told to fail; never caught by the library."""


class ProbedStorage(Storage):
    """Passes everything on to another storage, and keeps an account of it."""

    def __init__(self, inner: Storage) -> None:
        self.inner = inner
        self.location = inner.location
        self.calls: list[tuple[str, str]] = []
        """(verb, name) of each call, in order."""
        self.crash_at_write: int | None = None
        """The write of this number, counted from 0, raises Crash and writes nothing."""
        self._n_writes = 0

    def names(self, verb: str) -> list[str]:
        """Return the names that a verb was called with, in order."""
        return [name for called, name in self.calls if called == verb]

    def forget(self) -> None:
        """Begin a new account."""
        self.calls.clear()
        self._n_writes = 0

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        self.calls.append(("read", name))
        return self.inner.read(name, start, length)

    def view(self, name: str) -> Buffer:
        self.calls.append(("view", name))
        return self.inner.view(name)

    def open(self, name: str) -> BinaryIO:
        self.calls.append(("open", name))
        return self.inner.open(name)

    def write(self, name: str, content: Buffer | Iterable[Buffer]) -> None:
        self._note_write(name)
        self.inner.write(name, content)

    def write_file(self, name: str, path: Path) -> None:
        self._note_write(name)
        self.inner.write_file(name, path)

    def size(self, name: str) -> int | None:
        self.calls.append(("size", name))
        return self.inner.size(name)

    def iter_entries(self, prefix: str) -> Iterator[Entry]:
        self.calls.append(("list", prefix))
        return self.inner.iter_entries(prefix)

    def find_any(self) -> str | None:
        self.calls.append(("find_any", ""))
        return self.inner.find_any()

    def delete(self, name: str) -> None:
        self.calls.append(("delete", name))
        self.inner.delete(name)

    def sync(self, names: Iterable[str]) -> None:
        names = list(names)
        self.calls.extend(("sync", name) for name in names)
        self.inner.sync(names)

    def _note_write(self, name: str) -> None:
        number = self._n_writes
        self._n_writes += 1
        if number == self.crash_at_write:
            raise Crash(f"write {number}: {name}")
        self.calls.append(("write", name))
