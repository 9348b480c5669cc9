"""Storage in a folder of the local file system, a network disk included.

The invariant: what stands under a name is whole.  A content is written to a temporary file in the same folder and then
renamed, which POSIX makes atomic; a crash leaves at most a file called ``.tmp-*``, which no listing shows.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from redun.hashing import READ_SIZE_BYTES, Buffer
from redun.store.base import ReadOnlyStore
from redun.store.storage import BadName, Entry, NameMissing, Storage, check_name

TEMPORARY_PREFIX = ".tmp-"
FLUSH_BYTES = 16 << 20
_REFUSALS = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class LocalStorage(Storage):
    """A folder.  It need not exist before the first write."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = Path(path)
        self.location = str(path)
        self.is_read_only = read_only

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        with self.open(name) as stream:
            if start:
                stream.seek(start)
            return stream.read(-1 if length is None else length)

    def view(self, name: str) -> Buffer:
        with self.open(name) as stream:
            if not os.fstat(stream.fileno()).st_size:
                return b""  # an empty file cannot be mapped
            return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))

    def open(self, name: str) -> BinaryIO:
        try:
            return open(self._locate(name), "rb")  # noqa: PTH123 - Path.open costs twice as much
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NameMissing(name, self.location) from None

    def write(self, name: str, content: Buffer | Iterable[Buffer]) -> None:
        self._refuse_if_read_only()
        target = self._locate(name)
        pieces = (content,) if isinstance(content, (bytes, bytearray, memoryview)) else content
        with self._refusals():
            temporary, descriptor = _open_temporary(os.path.dirname(target))  # noqa: PTH120 - hot, see open
        try:
            # Not under _refusals: the content may come from a file that cannot be read, which is another matter.
            with os.fdopen(descriptor, "wb", buffering=0):
                _write_pieces(descriptor, pieces, target)
            with self._refusals():
                os.replace(temporary, target)  # noqa: PTH105 - hot, see open
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108 - hot, see open
            raise

    def write_file(self, name: str, path: Path) -> None:
        self._refuse_if_read_only()
        with path.open("rb") as stream:
            self.write(name, iter(lambda: stream.read(READ_SIZE_BYTES), b""))

    def size(self, name: str) -> int | None:
        path = self._locate(name)
        try:
            # A folder has no bytes of its own to speak of: it is not a name.
            return None if os.path.isdir(path) else os.stat(path).st_size  # noqa: PTH112, PTH116 - hot, see open
        except (FileNotFoundError, NotADirectoryError):
            return None

    def iter_entries(self, prefix: str) -> Iterator[Entry]:
        yield from _iter_folder(self._locate(prefix) if prefix else str(self.path), prefix)

    def iter_unfinished(self) -> Iterator[Entry]:
        """Yield the temporary files below the storage: of writes going on, or of processes that died."""
        for folder, _, files in os.walk(self.path):
            for name in files:
                if name.startswith(TEMPORARY_PREFIX):
                    path = f"{folder}/{name}"
                    with suppress(FileNotFoundError):
                        stat = os.stat(path)  # noqa: PTH116 - as above
                        yield Entry(os.path.relpath(path, self.path), stat.st_size, stat.st_mtime_ns // 1000)

    def delete(self, name: str) -> None:
        self._refuse_if_read_only()
        with self._refusals(), suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(self._locate(name))  # noqa: PTH108 - hot, see open

    def sync(self, names: Iterable[str]) -> None:
        root = str(self.path)
        folders: dict[str, None] = {}
        for name in names:
            path = self._locate(name)
            with suppress(FileNotFoundError):  # another process has merged the pack into its own by now
                _fsync(path)
            while path != root:
                path = os.path.dirname(path)  # noqa: PTH120 - hot, see open
                folders[path] = None
        for folder in folders:
            with suppress(FileNotFoundError):
                _fsync(folder)

    def _locate(self, name: str) -> str:
        if name.rpartition("/")[2].startswith(TEMPORARY_PREFIX):
            raise BadName(f"names that begin with {TEMPORARY_PREFIX} are kept for unfinished writes: {name!r}")
        return f"{self.path}/{check_name(name)}"

    def _refuse_if_read_only(self) -> None:
        if self.is_read_only:
            raise ReadOnlyStore(f"{self.location} is open for reading only")

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise
            raise ReadOnlyStore(f"{self.location} cannot be written: {error.strerror}") from error


def _open_temporary(folder: str) -> tuple[str, int]:
    """Make a new temporary file, and its folder when that is missing."""
    path = f"{folder}/{TEMPORARY_PREFIX}{os.urandom(8).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return path, os.open(path, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - hot, see open
        return path, os.open(path, flags, 0o666)


def _write_pieces(descriptor: int, pieces: Iterable[Buffer], target: str) -> None:
    begun = done = 0
    for piece in pieces:
        _write_all(descriptor, piece, target)
        done += len(piece)
        if done - begun >= FLUSH_BYTES:
            _begin_to_flush(descriptor, begun, done - begun)
            begun = done


def _begin_to_flush(descriptor: int, start: int, length: int) -> None:
    """Have the system begin to write to the disk, and not wait for it: a ``sync`` later finds little left to do.

    For a gigabyte that comes over a line this saves the half second that the disk takes by itself.  The advice is that
    the bytes are not needed any more, by which Linux writes those that are new, and keeps them.
    """
    if hasattr(os, "posix_fadvise"):  # macOS has none
        with suppress(OSError):  # it was advice
            os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)


def _write_all(descriptor: int, piece: Buffer, target: str) -> None:
    rest = memoryview(piece)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError as error:
        error.filename = target  # of a full disk the system does not say which file it was
        raise


def _fsync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        error.filename = path
        raise
    finally:
        os.close(descriptor)


def _iter_folder(folder: str, prefix: str) -> Iterator[Entry]:
    try:
        with os.scandir(folder) as found:
            # A folder sorts as its name with the slash: so the names of all files come out in order.
            rows = sorted((f"{entry.name}/" if entry.is_dir() else entry.name, entry) for entry in found)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name, entry in rows:
        full_name = f"{prefix}/{name}" if prefix else name
        if name.endswith("/"):
            yield from _iter_folder(entry.path, full_name[:-1])
        elif not name.startswith(TEMPORARY_PREFIX):
            try:
                stat = entry.stat()
            except FileNotFoundError:  # deleted since the listing, or a dangling link
                continue
            yield Entry(full_name, stat.st_size, stat.st_mtime_ns // 1000)
