"""Storage at any URL that fsspec has a file system for: ``gs://``, ``az://``, ``sftp://``, ``memory://``.

For S3 there is ``boto_storage``, and for buckets where obstore is installed ``obstore_storage``.

The invariant is the contract's: what stands under a name is whole.  Object stores put a whole object or none; on other
file systems a content goes to a temporary name and is moved.  Listings are never cached: another machine may write.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from redun.hashing import READ_SIZE_BYTES, Buffer
from redun.settings import StorageSettings
from redun.store.base import ReadOnlyStore
from redun.store.cloud_options import fsspec_options, install_hint
from redun.store.location import UnsupportedUrl
from redun.store.storage import Entry, NameMissing, Storage, check_name

TEMPORARY_PREFIX = ".tmp-"
_WHOLE_OBJECTS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory"})
_NETWORK_PACKAGES = frozenset({"aiohttp", "aiobotocore", "azure", "botocore", "google", "paramiko", "requests"})
# FileExistsError: what memory:// says of a name below another name.
_ABSENT = (FileNotFoundError, IsADirectoryError, NotADirectoryError, FileExistsError)
_FORBIDDEN = (401, 403)
_TIME_KEYS = ("LastModified", "last_modified", "mtime", "updated", "created")


class FsspecStorage(Storage):
    """A folder or bucket prefix behind a URL."""

    def __init__(self, url: str, settings: StorageSettings | None = None) -> None:
        """Connect lazily.

        Args:
            url: as fsspec writes it.
            settings: how to reach it, where the surroundings do not say.

        Raises:
            UnsupportedUrl: fsspec knows no such scheme, or lacks the package for it; nothing names the account.
        """
        from fsspec.core import url_to_fs

        self.location = url
        try:
            self._fs, root = url_to_fs(
                url, use_listings_cache=False, **fsspec_options(url, settings or StorageSettings())
            )
        except (ValueError, ImportError) as error:
            raise UnsupportedUrl(url, str(error), install_hint(url.partition("://")[0])) from error
        self._root = str(root).rstrip("/")
        protocol = self._fs.protocol
        schemes = {protocol, *([] if isinstance(protocol, str) else protocol)}
        self._is_whole = bool(_WHOLE_OBJECTS & schemes)

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        if length == 0:
            return b""
        end = None if length is None else start + length
        with self._looking(name):
            path = self._locate(name)
            try:
                content: bytes = self._fs.cat_file(path, start=start or None, end=end)
            except Exception:
                # A range that begins behind the end is an error to some buckets, of any class, and nothing to a reader.
                if not start or start < self._fs.size(path):
                    raise
                return b""
        return content

    def view(self, name: str) -> Buffer:
        return self.read(name)

    def open(self, name: str) -> BinaryIO:
        with self._looking(name):
            stream: BinaryIO = self._fs.open(self._locate(name), "rb")
        if (getattr(stream, "details", None) or {}).get("type") == "directory":
            raise NameMissing(name, self.location)  # what s3fs opens, to fail at the first reading
        return io.BufferedReader(_Reading(stream), READ_SIZE_BYTES)

    def write(self, name: str, content: Buffer | Iterable[Buffer]) -> None:
        path = self._locate(name)
        if isinstance(content, (bytes, bytearray, memoryview)):
            self._put(path, lambda target: self._fs.pipe_file(target, bytes(content)))
            return
        # A stream that fails halfway must leave nothing there, and few file systems can give up an upload.
        with tempfile.NamedTemporaryFile(prefix=TEMPORARY_PREFIX) as spool:
            for piece in content:
                spool.write(piece)
            spool.flush()
            self._put(path, lambda target: self._fs.put_file(spool.name, target))

    def write_file(self, name: str, path: Path) -> None:
        with path.open("rb") as stream:
            self.write(name, iter(lambda: stream.read(READ_SIZE_BYTES), b""))

    def size(self, name: str) -> int | None:
        try:
            with self._looking(name):
                info = self._fs.info(self._locate(name))
        except NameMissing:
            return None
        return None if info["type"] == "directory" else int(info["size"])

    def iter_entries(self, prefix: str) -> Iterator[Entry]:
        folder = self._locate(prefix) if prefix else self._root
        try:
            with self._looking(prefix):
                found = self._fs.find(folder, detail=True)
        except NameMissing:
            return
        if not isinstance(found, dict):
            return  # what adlfs says of an absent folder: an empty list, or the name of a file that is in its place
        skip = len(self._root.lstrip("/"))
        rows = sorted((path.lstrip("/")[skip:].lstrip("/"), info) for path, info in found.items())
        for name, info in rows:
            is_below = not prefix or name.startswith(f"{prefix}/")
            if is_below and not name.rpartition("/")[2].startswith(TEMPORARY_PREFIX):
                version = str(info.get("ETag") or info.get("etag") or "")
                yield Entry(name, int(info["size"]), _modified_us(info), version)

    def find_any(self) -> str | None:
        try:
            with self._looking(""):
                found = self._fs.ls(self._root, detail=False)
        except NameMissing:
            return None
        names = (
            str(path).rstrip("/").rpartition("/")[2] for path in found if str(path).strip("/") != self._root.strip("/")
        )
        return next((name for name in sorted(names) if name and not name.startswith(TEMPORARY_PREFIX)), None)

    def delete(self, name: str) -> None:
        with suppress(NameMissing), self._looking(name):
            self._fs.rm_file(self._locate(name))

    def _locate(self, name: str) -> str:
        return f"{self._root}/{check_name(name)}"

    def _put(self, path: str, send: Callable[[str], object]) -> None:
        folder, _, last = path.rpartition("/")
        try:
            with _network_errors():
                if self._is_whole:
                    send(path)
                    return
                self._fs.makedirs(folder, exist_ok=True)
                temporary = f"{folder}/{TEMPORARY_PREFIX}{os.urandom(8).hex()}-{last}"
                send(temporary)
                self._fs.mv(temporary, path)
        except PermissionError as error:
            raise ReadOnlyStore(f"{self.location} cannot be written: {error}") from error

    @contextmanager
    def _looking(self, name: str) -> Iterator[None]:
        """Turn what file systems raise for an absent name into NameMissing."""
        try:
            with _network_errors():
                yield
        except _ABSENT:
            raise NameMissing(name, self.location) from None


class _Reading(io.RawIOBase):
    """A file of a file system, which raises OSError where the client of a network raises what it likes."""

    def __init__(self, inner: BinaryIO) -> None:
        self._inner = inner

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        with _network_errors():
            piece = self._inner.read(len(target))
        target[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._inner.close()
        super().close()


@contextmanager
def _network_errors() -> Iterator[None]:
    """Turn what the clients of networks raise into OSError."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) or type(error).__module__.partition(".")[0] not in _NETWORK_PACKAGES:
            raise
        is_refused = getattr(error, "status_code", None) in _FORBIDDEN
        first = next(iter(str(error).splitlines()), "")  # Azure's says all that the server said
        raise (PermissionError if is_refused else OSError)(f"{type(error).__name__}: {first}") from error


def _modified_us(info: dict[str, Any]) -> int:
    """Return when something was written, in whichever of its spellings the file system tells it; 0 when it does not."""
    for key in _TIME_KEYS:
        moment = info.get(key)
        if isinstance(moment, str):
            try:
                moment = datetime.fromisoformat(moment.replace("Z", "+00:00"))
            except ValueError:
                continue
        if isinstance(moment, datetime):
            return int(moment.timestamp() * 1_000_000)
        if isinstance(moment, (int, float)):
            return int(moment * 1_000_000)
    return 0
