"""The FileSystem contract, the registry of protocols, and verbs that take any path or URL.

A path without ``://`` is local.  Local files never load fsspec (0.1 to 0.2 s); any other protocol is served by fsspec
unless somebody registered a file system of their own for it.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import IO, Any, ClassVar, NamedTuple

from redun.file.errors import RedunOSError, typed_errors

LOCAL = "local"
READ_ONLY_PROTOCOLS = ("http", "https")
KNOWN_PROTOCOLS = (LOCAL, "memory", "s3", "gs", "az", "ftp", "ssh", *READ_ONLY_PROTOCOLS)


class Checksum(NamedTuple):
    """What identifies a content in its file system."""

    scheme: str  # "blake3": digest is the oid of the content; others are opaque tokens
    digest: bytes
    size: int | None  # bytes


class Found(NamedTuple):
    """A file in a listing.  ``checksum`` is None where the listing does not tell it for free."""

    path: str
    checksum: Checksum | None


class FileSystem(ABC):
    """Files by path or URL, as one protocol knows them.

    * Verbs may be called from any thread.
    * A path is passed in as the user wrote it, protocol included, and comes back in that form.
    * What goes wrong is raised as ``RedunOSError`` or one of its subclasses.
    """

    protocols: ClassVar[tuple[str, ...]]
    """The protocols that a registered class serves; the first one names it."""

    is_local: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """The protocol that this file system is known by."""
        return self.protocols[0]

    @abstractmethod
    def open(self, path: str, mode: str = "r", encoding: str | None = None, **kwargs: Any) -> IO[Any]:
        """Open a file as the builtin does; parent folders of a file to be written are made.

        Text is UTF-8 unless told otherwise, so that it is the same on every machine.
        """

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Tell whether there is a file or a folder."""

    @abstractmethod
    def isfile(self, path: str) -> bool:
        """Tell whether there is a file."""

    @abstractmethod
    def isdir(self, path: str) -> bool:
        """Tell whether there is a folder."""

    @abstractmethod
    def size(self, path: str) -> int:
        """Return a file's size in bytes.  Raises RedunFileNotFoundError."""

    def modified(self, path: str) -> float:
        """Return when a file was changed last, in seconds since 1970 UTC.

        Raises:
            RedunOSError: there is no file, or the file system does not tell.
        """
        raise RedunOSError(f"the file system of {path} does not tell when files were changed", path)

    @abstractmethod
    def checksum(self, path: str, scheme: str | None = None) -> Checksum | None:
        """Return what identifies the content now, None when there is no file.

        Args:
            path: the file.
            scheme: asks for a checksum of this scheme; it is given where possible, else the strongest there is.

        Raises:
            RedunOSError: it is a folder, or cannot be read.
        """

    @abstractmethod
    def remove(self, path: str) -> None:
        """Remove a file; nothing happens when it is not there."""

    @abstractmethod
    def touch(self, path: str, time: float | None = None) -> None:
        """Make a file when there is none; set its times to ``time`` (seconds since 1970 UTC, now when None)."""

    @abstractmethod
    def mkdir(self, path: str) -> None:
        """Make a folder and its parents; nothing happens when it is there."""

    @abstractmethod
    def rmdir(self, path: str, *, recursive: bool = False) -> None:
        """Remove a folder; with what it holds when ``recursive``."""

    @abstractmethod
    def copy(self, source: str, target: str) -> None:
        """Copy a file within this file system, making parent folders.  The target is replaced."""

    @abstractmethod
    def glob(self, pattern: str) -> list[Found]:
        """Return the files (no folders) that match a pattern with ``* ? [] **``, in order of path.

        As in a shell, a wildcard does not match a leading dot.
        """

    @abstractmethod
    def list_folder(self, path: str) -> list[Found]:
        """Return the files below a folder at any depth, in order of path, those with a leading dot left out."""


_registry: dict[str, FileSystem] = {}
_registry_lock = threading.Lock()


def register_filesystem(filesystem: type[FileSystem]) -> type[FileSystem]:
    """Serve the class's ``protocols`` with it from now on; usable as a decorator."""
    instance = filesystem()
    with _registry_lock:
        for protocol in filesystem.protocols:
            _registry[protocol] = instance
    return filesystem


def get_protocol(url: str) -> str:
    """Return the protocol of a path or URL: what stands before ``://``, or "local"."""
    protocol, mark, _ = url.partition("://")
    if not mark or "/" in protocol or protocol == "file":
        return LOCAL
    return protocol


def get_filesystem(proto: str | None = None, url: str | None = None) -> FileSystem:
    """Return the file system of a protocol, or of the protocol that a path or URL names.

    Raises:
        ValueError: both or none are given.
        RedunOSError: later, on first use, when nothing serves the protocol.
    """
    if (proto is None) == (url is None):
        raise ValueError("expected either a protocol or a URL")
    protocol = get_protocol(url) if url is not None else str(proto)
    found = _registry.get(protocol)
    return found if found is not None else _make(protocol)


def list_filesystems() -> list[FileSystem]:
    """Return the file systems that redun knows by name, and those that were registered or used, by name."""
    for protocol in KNOWN_PROTOCOLS:
        get_filesystem(protocol)
    with _registry_lock:
        by_name = {filesystem.name: filesystem for filesystem in _registry.values()}
    return [by_name[name] for name in sorted(by_name)]


def open_file(url: str, mode: str = "r", encoding: str | None = None, **kwargs: Any) -> IO[Any]:
    """Open a file of any protocol."""
    return get_filesystem(url=url).open(url, mode, encoding, **kwargs)


def copy_file(source: str, target: str) -> None:
    """Copy a file from any protocol to any other, streaming."""
    here, there = get_filesystem(url=source), get_filesystem(url=target)
    if here is there:
        here.copy(source, target)
        return
    from shutil import copyfileobj

    with (
        typed_errors(source, f"copy to {target}:"),
        here.open(source, "rb") as reader,
        there.open(target, "wb") as writer,
    ):
        copyfileobj(reader, writer, 1 << 20)


def glob_file(pattern: str) -> list[str]:
    """Return the paths of the files that match a pattern, in order."""
    return [found.path for found in get_filesystem(url=pattern).glob(pattern)]


def has_hidden_part(names: Iterable[str]) -> bool:
    """Tell whether one of a path's names begins with a dot."""
    return any(name.startswith(".") for name in names)


def _make(protocol: str) -> FileSystem:
    made: FileSystem
    if protocol == LOCAL:
        from redun.file.local_filesystem import LocalFileSystem

        made = LocalFileSystem()
    else:
        from redun.file.fsspec_filesystem import FsspecFileSystem

        made = FsspecFileSystem(protocol)
    with _registry_lock:
        return _registry.setdefault(protocol, made)
