"""Files on this machine.  Contents are hashed through the stat cache, so an unchanged file is read once.

With ``set_hash_mode("stat")`` a file is identified by size and mtime instead, for files too large to read: cheap, blind
to a change that keeps both, and different on every machine.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from typing import IO, Any, ClassVar, Literal

from redun.file.errors import RedunOSError, typed_errors
from redun.file.filesystems import Checksum, FileSystem, Found, has_hidden_part
from redun.file.statcache import get_stat_cache
from redun.objects.value_records import CONTENT_SCHEME

STAT_SCHEME = "stat"
"""The digest is size and mtime in ns, two little-endian signed integers of 64 bits."""

SPECIAL_SCHEME = "special"
"""A device, pipe or socket: the digest is its type and device number, since its content cannot be read twice."""

HashMode = Literal["content", "stat"]

_hash_mode: HashMode = "content"


def set_hash_mode(mode: HashMode) -> HashMode:
    """Choose for the whole process how local files are identified; return what was chosen before.

    Raises:
        ValueError: the mode is unknown.
    """
    global _hash_mode
    if mode not in ("content", "stat"):
        raise ValueError(f"expected hash mode 'content' or 'stat', found {mode!r}")
    previous, _hash_mode = _hash_mode, mode
    return previous


def get_hash_mode() -> HashMode:
    """Return how local files are identified in this process."""
    return _hash_mode


def local_path(path: str) -> str:
    """Return what the operating system knows a local path or a ``file://`` URL by."""
    for prefix in ("file://", "local://"):
        if path.startswith(prefix):
            return path[len(prefix) :]
    return path


class LocalFileSystem(FileSystem):
    """The files of this machine, relative paths taken from the working folder."""

    protocols: ClassVar[tuple[str, ...]] = ("local", "file")
    is_local: ClassVar[bool] = True

    def open(self, path: str, mode: str = "r", encoding: str | None = None, **kwargs: Any) -> IO[Any]:
        if "b" not in mode and encoding is None:
            encoding = "utf-8"
        with typed_errors(path, "open"):
            if any(letter in mode for letter in "wax"):
                _make_parent(path)
            return open(local_path(path), mode, encoding=encoding, **kwargs)

    def exists(self, path: str) -> bool:
        return os.path.exists(local_path(path))

    def isfile(self, path: str) -> bool:
        return os.path.isfile(local_path(path))

    def isdir(self, path: str) -> bool:
        return os.path.isdir(local_path(path))

    def size(self, path: str) -> int:
        with typed_errors(path, "stat"):
            return os.stat(local_path(path)).st_size

    def modified(self, path: str) -> float:
        with typed_errors(path, "stat"):
            return os.stat(local_path(path)).st_mtime

    def checksum(self, path: str, scheme: str | None = None) -> Checksum | None:
        if scheme not in (CONTENT_SCHEME, STAT_SCHEME):
            scheme = STAT_SCHEME if _hash_mode == "stat" else CONTENT_SCHEME
        real = local_path(path)
        with typed_errors(path, "read"):
            try:
                info = os.stat(real)
                if not stat.S_ISREG(info.st_mode):
                    return _identify_special(path, info)
                if scheme == STAT_SCHEME:
                    return Checksum(scheme, struct.pack("<qq", info.st_size, info.st_mtime_ns), info.st_size)
                return Checksum(scheme, *get_stat_cache().hash_file(real))
            except (FileNotFoundError, NotADirectoryError, ValueError):
                return None  # ValueError: a NUL or a lone surrogate, which no path on disk can have

    def remove(self, path: str) -> None:
        with typed_errors(path, "remove"):
            try:
                os.remove(local_path(path))
            except (FileNotFoundError, NotADirectoryError):
                return

    def touch(self, path: str, time: float | None = None) -> None:
        with typed_errors(path, "touch"):
            _make_parent(path)
            os.close(os.open(local_path(path), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))
            os.utime(local_path(path), None if time is None else (time, time))

    def mkdir(self, path: str) -> None:
        with typed_errors(path, "make folder"):
            os.makedirs(local_path(path), exist_ok=True)

    def rmdir(self, path: str, *, recursive: bool = False) -> None:
        with typed_errors(path, "remove folder"):
            if not recursive:
                os.rmdir(local_path(path))
                return
            import shutil

            shutil.rmtree(local_path(path))

    def copy(self, source: str, target: str) -> None:
        import shutil

        with typed_errors(source, f"copy to {target}:"):
            _make_parent(target)
            try:
                shutil.copyfile(local_path(source), local_path(target))
            except shutil.SameFileError:
                return
            shutil.copymode(local_path(source), local_path(target))

    def glob(self, pattern: str) -> list[Found]:
        import glob

        prefix = pattern[: len(pattern) - len(local_path(pattern))]
        matches = set(glob.glob(local_path(pattern), recursive=True))
        return [Found(prefix + path, None) for path in sorted(matches) if os.path.isfile(path)]

    def list_folder(self, path: str) -> list[Found]:
        with typed_errors(path, "list"):
            return [Found(found, None) for found in sorted(_walk(path.rstrip("/") or "/"))]


def _make_parent(path: str) -> None:
    parent = os.path.dirname(local_path(path))
    if parent and not os.path.isdir(parent):
        os.makedirs(parent, exist_ok=True)


def _identify_special(path: str, info: os.stat_result) -> Checksum:
    if stat.S_ISDIR(info.st_mode):
        raise RedunOSError(f"expected a file, found a folder: {path}", path, hint="use Dir for a folder")
    return Checksum(SPECIAL_SCHEME, struct.pack("<qq", stat.S_IFMT(info.st_mode), info.st_rdev), None)


def _walk(root: str) -> Iterator[str]:
    """Yield the files below a folder, links followed; a link back to a folder that it lies in is not entered."""
    folders: list[tuple[str, frozenset[tuple[int, int]]]] = [(root, frozenset())]
    while folders:
        folder, above = folders.pop()
        try:
            info = os.stat(local_path(folder))
            entries = list(os.scandir(local_path(folder)))
        except (FileNotFoundError, NotADirectoryError):
            continue
        identity = (info.st_dev, info.st_ino)
        if identity in above:
            continue
        for entry in entries:
            if has_hidden_part([entry.name]):
                continue
            path = f"{folder.rstrip('/')}/{entry.name}"
            if entry.is_dir():
                folders.append((path, above | {identity}))
            elif entry.is_file():
                yield path
