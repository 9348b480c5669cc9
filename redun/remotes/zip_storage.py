"""A Storage in one file: what a bundle is.  Normative page: docs/format/bundle.md.

The file is a zip archive whose entries are stored as they are.  While it is made it can be written to; what was written
last under a name counts.  Opened for reading, an archive that is compressed, encrypted or damaged is refused: a few
bytes must not become many.
"""

from __future__ import annotations

import io
import struct
import threading
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, BinaryIO, cast

from redun.errors import RemoteError
from redun.hashing import READ_SIZE_BYTES, Buffer
from redun.store.base import ReadOnlyStore
from redun.store.storage import Entry, NameMissing, Storage, check_name

_DATE = (1980, 1, 1, 0, 0, 0)  # the first there is: equal contents make equal archives
_MODE = 0o644 << 16
_ENCRYPTED = 0x1


_DAMAGE = (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, ValueError, struct.error)
"""What the zip module raises for archives that are none, or not whole."""


class NotABundle(RemoteError):
    """A file is no bundle, or is damaged."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} is no bundle of redun: {why}", hint="`redun bundle create` makes one")
        self.path = path
        self.why = why


class _Stream(io.BufferedIOBase):
    """An entry being read; what is wrong with the archive is told as such."""

    def __init__(self, inner: IO[bytes], path: Path) -> None:
        self._inner = inner
        self._path = path

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._inner.seek(offset, whence)
        except _DAMAGE as error:
            raise NotABundle(self._path, str(error)) from None

    def tell(self) -> int:
        return self._inner.tell()

    def read(self, size: int | None = -1) -> bytes:
        try:
            return self._inner.read(-1 if size is None else size)
        except _DAMAGE as error:
            raise NotABundle(self._path, str(error)) from None

    def close(self) -> None:
        self._inner.close()
        super().close()


class ZipStorage(Storage):
    """Whole pieces of bytes by name, in one file."""

    def __init__(self, path: Path, *, is_new: bool = False) -> None:
        """Open an archive, or make one.

        Raises:
            NotABundle: the file is no archive that can be read safely.
            OSError: it cannot be opened.
        """
        self.location = str(path)
        self._path = path
        self._is_new = is_new
        self._lock = threading.RLock()
        try:
            self._zip = zipfile.ZipFile(path, "w" if is_new else "r")
        except _DAMAGE as error:
            raise NotABundle(path, str(error)) from None
        if not is_new:
            self._check()

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        if length == 0:
            check_name(name)
            return b""
        with self._lock, self.open(name) as stream:
            stream.seek(start)
            return stream.read(-1 if length is None else length)

    def view(self, name: str) -> Buffer:
        return self.read(name)

    def open(self, name: str) -> BinaryIO:
        with self._lock:
            try:
                inner = self._zip.open(check_name(name))
            except KeyError:
                raise NameMissing(name, self.location) from None
            except _DAMAGE as error:
                raise NotABundle(self._path, f"{name}: {error}") from None
        return cast("BinaryIO", _Stream(inner, self._path))

    def write(self, name: str, content: Buffer | Iterable[Buffer]) -> None:
        pieces = [content] if isinstance(content, (bytes, bytearray, memoryview)) else content
        with self._lock:
            self._refuse_if_read_only()
            info = zipfile.ZipInfo(check_name(name), _DATE)
            info.external_attr = _MODE
            before = self._forget(name)
            try:
                with self._zip.open(info, "w", force_zip64=True) as stream:
                    for piece in pieces:
                        stream.write(piece)
            except BaseException:
                self._forget(name)
                if before is not None:
                    self._remember(before)
                raise

    def write_file(self, name: str, path: Path) -> None:
        with path.open("rb") as stream:
            self.write(name, iter(lambda: stream.read(READ_SIZE_BYTES), b""))

    def size(self, name: str) -> int | None:
        with self._lock:
            info = self._zip.NameToInfo.get(check_name(name))
        return None if info is None else info.file_size

    def iter_entries(self, prefix: str) -> Iterator[Entry]:
        start = f"{check_name(prefix)}/" if prefix else ""
        with self._lock:
            found = sorted((name, info.file_size) for name, info in self._zip.NameToInfo.items())
        modified_us = self._path.stat().st_mtime_ns // 1000
        return (Entry(name, size, modified_us) for name, size in found if name.startswith(start))

    def delete(self, name: str) -> None:
        check_name(name)
        with self._lock:
            self._refuse_if_read_only()
            self._forget(name)

    def close(self) -> None:
        """Write the table of contents, if this is new, and let go of the file.  Idempotent."""
        with self._lock:
            self._zip.close()

    def __enter__(self) -> ZipStorage:  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _refuse_if_read_only(self) -> None:
        if not self._is_new:
            raise ReadOnlyStore(f"{self.location} is open for reading only")

    def _forget(self, name: str) -> zipfile.ZipInfo | None:
        info = self._zip.NameToInfo.pop(name, None)
        if info is not None:
            self._zip.filelist.remove(info)
        return info

    def _remember(self, info: zipfile.ZipInfo) -> None:
        self._zip.filelist.append(info)
        self._zip.NameToInfo[info.filename] = info

    def _check(self) -> None:
        seen: set[str] = set()
        size = self._path.stat().st_size
        for info in self._zip.filelist:
            why = ""
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
                why = "is compressed"
            elif info.flag_bits & _ENCRYPTED:
                why = "is encrypted"
            elif not 0 <= info.header_offset <= size - info.file_size:
                why = "lies outside of the file"
            elif info.filename in seen:
                why = "stands there twice"
            if why:
                self.close()
                raise NotABundle(self._path, f"entry {info.filename!r} {why}")
            seen.add(info.filename)
