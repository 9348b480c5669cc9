"""Storage in a dictionary: the verified fake of every other one, and a place for bundles in the making."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from redun.hashing import Buffer
from redun.store.storage import Entry, NameMissing, Storage, check_name


class MemoryStorage(Storage):
    """Contents by name, gone with the object."""

    def __init__(self, location: str = "memory", *, clock: Callable[[], int] | None = None) -> None:
        """Make an empty storage.

        Args:
            location: what to call it in messages.
            clock: gives microseconds since 1970 UTC; the system's when None.
        """
        self.location = location
        self._clock = clock or (lambda: time.time_ns() // 1000)
        self._contents: dict[str, tuple[bytes, int]] = {}  # name: content, time of writing

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        content = self._content(name)
        return content[start:] if length is None else content[start : start + length]

    def view(self, name: str) -> Buffer:
        return self._content(name)

    def open(self, name: str) -> BinaryIO:
        return BytesIO(self._content(name))

    def write(self, name: str, content: Buffer | Iterable[Buffer]) -> None:
        check_name(name)
        whole = bytes(content) if isinstance(content, (bytes, bytearray, memoryview)) else b"".join(content)
        self._contents[name] = whole, self._clock()

    def write_file(self, name: str, path: Path) -> None:
        self.write(name, path.read_bytes())

    def size(self, name: str) -> int | None:
        found = self._contents.get(check_name(name))
        return None if found is None else len(found[0])

    def iter_entries(self, prefix: str) -> Iterator[Entry]:
        start = f"{check_name(prefix)}/" if prefix else ""
        for name, (content, modified_us) in sorted(self._contents.copy().items()):
            if name.startswith(start):
                yield Entry(name, len(content), modified_us)

    def delete(self, name: str) -> None:
        self._contents.pop(check_name(name), None)

    def _content(self, name: str) -> bytes:
        try:
            return self._contents[check_name(name)][0]
        except KeyError:
            raise NameMissing(name, self.location) from None
