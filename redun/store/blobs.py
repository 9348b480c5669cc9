"""Large contents: one file each.  Normative page: docs/format/pack.md, section *Large contents*.

The invariant: a file under a blob's name holds just the content of that name.  A content is hashed before it is copied,
since the name must be known, and hashed again while it is copied, since the file may change in between.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

from redun.hashing import READ_SIZE_BYTES, Buffer, Oid, hash_blob, hash_stream
from redun.objects.oid import is_file_stem
from redun.store.base import ObjectCorrupt
from redun.store.storage import NameMissing, Storage

FOLDER = "objects/blob"
LARGE_SIZE_BYTES = 1 << 20
_ATTEMPTS = 3


def blob_name(oid: Oid) -> str:
    """Return where a large content lies in its storage."""
    digits = oid.hex()
    return f"{FOLDER}/{digits[:2]}/{digits}"


class Blobs:
    """The large contents of a storage.  All of it may be used from any thread."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.location = storage.location  # a path or a URL
        self.unsynced: list[str] = []  # names written since somebody last forced them to the disk and emptied this

    def has(self, oid: Oid) -> bool:
        """Tell whether a content is here."""
        return self._storage.size(blob_name(oid)) is not None

    def size(self, oid: Oid) -> int | None:
        """Return a content's size in bytes, None when it is not here."""
        return self._storage.size(blob_name(oid))

    def put(self, oid: Oid, content: Buffer, *, is_careful: bool = False, is_anew: bool = False) -> None:
        """Store a content under the name its caller computed; ``is_anew``: even if it is there already.

        ``is_careful``: one that is there already is hashed before it is trusted; it is what a job was run for, perhaps
        because it is damaged.
        """
        name = blob_name(oid)
        if is_anew or self._storage.size(name) != len(content) or (is_careful and not self._is_there_whole(oid)):
            self._storage.write(name, content)
            self.unsynced.append(name)

    def is_whole(self, oid: Oid) -> bool:
        """Hash a content, in pieces; tell whether it is what its name says.  Raises NameMissing."""
        with self.open(oid) as stream:
            return hash_stream(stream)[0] == oid

    def _is_there_whole(self, oid: Oid) -> bool:
        try:
            return self.is_whole(oid)
        except NameMissing:
            return False  # collected just now

    def note_written(self, oid: Oid) -> None:
        """Note that another process has put a content, so that it is forced to the disk with the rest."""
        self.unsynced.append(blob_name(oid))

    def put_stream(
        self,
        stream: BinaryIO,
        path: Path,
        *,
        is_doomed: Callable[[Oid], bool] = lambda _oid: False,
        is_elsewhere: Callable[[Oid, int], bool] = lambda _oid, _size: False,
    ) -> tuple[Oid, int]:
        """Store what a file holds, from its start, in pieces of 1 MiB; return its oid and its size in bytes.

        One that is there already is hashed before it is trusted: a job has written the file anew, perhaps since what is
        here is damaged.

        Args:
            stream: the file, open for reading; it is read twice.
            path: what to call it in messages.
            is_doomed: tells of a content whether to write it even if it is there already.
            is_elsewhere: tells of a content of a size in bytes whether it need not be written.

        Raises:
            OSError: it cannot be read, or changes whenever it is read.
        """
        for _ in range(_ATTEMPTS):
            stream.seek(0)
            oid, size = hash_stream(stream)
            name = blob_name(oid)
            if self._storage.size(name) == size and not is_doomed(oid) and self._is_there_whole(oid):
                return oid, size
            if is_elsewhere(oid, size):
                return oid, size
            stream.seek(0)
            try:
                self._storage.write(name, iter_checked(stream, oid))
            except ContentDiffers:
                continue
            self.unsynced.append(name)
            return oid, size
        raise OSError(errno.EBUSY, "the file changes while it is read", str(path))

    def get(self, oid: Oid) -> bytes:
        """Return a content, checked against its name.

        Raises:
            NameMissing: it is not here.
            ObjectCorrupt: it is damaged.
        """
        name = blob_name(oid)
        content = self._storage.read(name)
        if hash_blob(content) != oid:
            raise ObjectCorrupt(oid, name, "the bytes do not hash to the name")
        return content

    def open(self, oid: Oid) -> BinaryIO:
        """Open a content for reading.  Raises NameMissing."""
        return self._storage.open(blob_name(oid))

    def iter_oids(self, digits: str = "") -> Iterator[Oid]:
        """Yield the names of all contents, or of those in the folder of the first two hex digits, in order."""
        for entry in self._storage.iter_entries(f"{FOLDER}/{digits}" if digits else FOLDER):
            stem = entry.name.rpartition("/")[2]
            if is_file_stem(stem):
                yield Oid(bytes.fromhex(stem))


class ContentDiffers(Exception):
    """The bytes copied are not those of a name; the storage drops what it was writing."""


def iter_checked(stream: BinaryIO, oid: Oid) -> Iterator[bytes]:
    """Pass a stream on in pieces; raise ContentDiffers at its end when together they are not the content ``oid``."""
    hasher = blake3()
    while piece := stream.read(READ_SIZE_BYTES):
        hasher.update(piece)
        yield piece
    if hasher.digest() != oid:
        raise ContentDiffers
