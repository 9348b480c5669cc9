"""Files of any protocol that fsspec serves: s3, gs, az, http, ftp, memory and more.

A content is identified by the strongest checksum that the file system tells without reading it: a content digest, an
ETag, a generation, else size and mtime; it is read and hashed only where there is none of these.  fsspec keeps listings
in memory, and a stale listing would be a wrong answer, so they are dropped before every look.

fsspec is imported on first use, because importing it takes 0.1 to 0.2 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, ClassVar, cast

from redun.errors import ConfigError
from redun.file.errors import RedunFileNotFoundError, RedunOSError, typed_errors
from redun.file.filesystems import READ_ONLY_PROTOCOLS, Checksum, FileSystem, Found, has_hidden_part
from redun.file.streams import type_close_errors
from redun.hashing import hash_stream
from redun.objects.value_records import CONTENT_SCHEME

MTIME_SCHEME = "mtime"
_UNSUPPORTED = NotImplementedError  # what fsspec raises for a question that a protocol has no answer to
"""The digest is the time of change as the file system writes it; the size stands beside it."""

_CHECKSUM_FIELDS = (
    # What fsspec's back ends call them.  A digest of the content is equal after uploading the same bytes again, an
    # ETag only sometimes, a generation never.
    ("md5", "md5Hash"),
    ("md5", "md5"),
    ("etag", "ETag"),
    ("etag", "etag"),
    ("generation", "generation"),
    ("md5", "Content-MD5"),
)
_MTIME_FIELDS = ("LastModified", "last_modified", "mtime", "modify", "updated", "modified")
_PACKAGES = {
    **dict.fromkeys(("s3", "s3a"), "redun[s3]"),
    **dict.fromkeys(("gs", "gcs"), "redun[gs]"),
    **dict.fromkeys(("az", "abfs", "abfss", "adl"), "redun[az]"),
    **dict.fromkeys(("ssh", "sftp"), "redun[ssh]"),
    **dict.fromkeys(("http", "https"), "redun[http]"),
}

_GONE_STATUSES = (404, 410)

Info = Mapping[str, Any]


class ProtocolUnknown(RedunOSError, ConfigError):
    """Nothing that is installed serves a protocol."""


class FsspecFileSystem(FileSystem):
    """One protocol, served by fsspec.  fsspec keeps a client per thread and process by itself."""

    protocols: ClassVar[tuple[str, ...]] = ()

    def __init__(self, protocol: str) -> None:
        self._protocol = protocol

    @property
    def name(self) -> str:
        return self._protocol

    def open(self, path: str, mode: str = "r", encoding: str | None = None, **kwargs: Any) -> IO[Any]:
        fs, inner = self._reach(path)
        if "b" not in mode:
            kwargs["encoding"] = encoding or "utf-8"
        writes = any(letter in mode for letter in "wax+")
        with typed_errors(path, "open", catch=Exception):
            try:
                stream = cast("IO[Any]", fs.open(inner, mode, **kwargs))
            except FileNotFoundError:
                # Buckets have no folders to make, and asking first would cost a request; so only after a refusal.
                if not writes:
                    raise
                fs.makedirs(inner.rpartition("/")[0], exist_ok=True)
                stream = cast("IO[Any]", fs.open(inner, mode, **kwargs))
        if writes:
            type_close_errors(stream, path)
        return stream

    def exists(self, path: str) -> bool:
        return self._info(path) is not None

    def isfile(self, path: str) -> bool:
        return (self._info(path) or {}).get("type") == "file"

    def isdir(self, path: str) -> bool:
        return (self._info(path) or {}).get("type") == "directory"

    def size(self, path: str) -> int:
        info = self._info(path)
        if info is None:
            raise RedunFileNotFoundError(f"there is no file {path}", path)
        if info.get("size") is None:
            raise RedunOSError(f"the server does not tell the size of {path}", path)
        return int(info["size"])

    def modified(self, path: str) -> float:
        fs, inner = self._reach(path)
        with typed_errors(path, "look at", catch=Exception):
            try:
                return float(fs.modified(inner).timestamp())
            except (_UNSUPPORTED, AttributeError):
                return super().modified(path)

    def checksum(self, path: str, scheme: str | None = None) -> Checksum | None:
        info = self._info(path)
        if info is None:
            return None
        if info.get("type") == "directory":
            raise RedunOSError(f"expected a file, found a folder: {path}", path, hint="use Dir for a folder")
        if scheme != CONTENT_SCHEME:
            found = _pick_checksum(info, scheme) or self._ask_mtime(path, info)
            if found is not None:
                return found
        with self.open(path, "rb") as stream, typed_errors(path, "read", catch=Exception):
            return Checksum(CONTENT_SCHEME, *hash_stream(stream))  # type: ignore[arg-type]

    def remove(self, path: str) -> None:
        fs, inner = self._reach(path)
        with typed_errors(path, "remove", catch=Exception):
            try:
                fs.rm_file(inner)
            except FileNotFoundError:
                return

    def touch(self, path: str, time: float | None = None) -> None:
        fs, inner = self._reach(path)
        if time is not None:
            raise RedunOSError(f"times of {path} cannot be set: {self.name} stamps files by itself", path)
        with typed_errors(path, "touch", catch=Exception):
            if not self.exists(path):
                fs.touch(inner, truncate=True)
                return
            try:
                fs.touch(inner, truncate=False)
            except (_UNSUPPORTED, ValueError):
                return  # a bucket stamps its objects when they are written, and at no other time

    def mkdir(self, path: str) -> None:
        fs, inner = self._reach(path)
        with typed_errors(path, "make folder", catch=Exception):
            fs.makedirs(inner, exist_ok=True)

    def rmdir(self, path: str, *, recursive: bool = False) -> None:
        fs, inner = self._reach(path)
        with typed_errors(path, "remove folder", catch=Exception):
            if recursive:
                fs.rm(inner, recursive=True)
            else:
                fs.rmdir(inner)

    def copy(self, source: str, target: str) -> None:
        fs, inner = self._reach(source)
        _, inner_target = self._reach(target)
        with typed_errors(source, f"copy to {target}:", catch=Exception):
            if inner != inner_target:
                fs.cp_file(inner, inner_target)

    def glob(self, pattern: str) -> list[Found]:
        fs, inner = self._reach(pattern)
        with typed_errors(pattern, "list", catch=Exception):
            fs.invalidate_cache()
            matches: Mapping[str, Info] = fs.glob(inner, detail=True)
        shows_hidden = has_hidden_part(inner.split("/"))
        return [
            found
            for found in _as_found(matches, _prefix(fs, pattern, inner))
            if shows_hidden or not has_hidden_part(found.path.split("/"))
        ]

    def list_folder(self, path: str) -> list[Found]:
        url = path.rstrip("/")
        fs, inner = self._reach(url)
        with typed_errors(path, "list", catch=Exception):
            fs.invalidate_cache()
            try:
                matches: Mapping[str, Info] = fs.find(inner, detail=True)
            except FileNotFoundError:
                return []
        # A file of the folder's own name is what some stores answer when there is no folder.
        below = [found for found in _as_found(matches, _prefix(fs, url, inner)) if found.path.startswith(url + "/")]
        return [found for found in below if not has_hidden_part(found.path[len(url) :].split("/"))]

    def _reach(self, path: str) -> tuple[Any, str]:
        """Return fsspec's file system for a URL, and what that calls the file."""
        import fsspec.core

        try:
            fs, inner = fsspec.core.url_to_fs(path)
        except (ValueError, ImportError) as error:
            package = _PACKAGES.get(self._protocol)
            hint = f"`pip install '{package}'`" if package else "see fsspec's list of protocols for what to install"
            raise ProtocolUnknown(f"cannot reach {path}: {error}", path, hint=hint) from error
        return fs, str(inner)

    def _info(self, path: str) -> Info | None:
        fs, inner = self._reach(path)
        with typed_errors(path, "look at", catch=Exception):
            fs.invalidate_cache(inner)
            try:
                return cast("Info", fs.info(inner))
            except FileNotFoundError as error:
                if self._protocol in READ_ONLY_PROTOCOLS:
                    _refuse_unreachable(error)
                return None

    def _ask_mtime(self, path: str, info: Info) -> Checksum | None:
        fs, inner = self._reach(path)
        try:
            modified = fs.modified(inner)
        except (_UNSUPPORTED, KeyError, AttributeError, OSError):
            return None
        return Checksum(MTIME_SCHEME, str(modified).encode(), info.get("size"))


def _refuse_unreachable(error: FileNotFoundError) -> None:
    """Raise what made fsspec say over HTTP that there is no file, unless a server said so.

    A server that is down must not look like one whose file is gone.
    """
    cause = error.__cause__
    if isinstance(cause, Exception) and getattr(cause, "status", None) not in _GONE_STATUSES:
        raise cause


def _pick_checksum(info: Info, scheme: str | None) -> Checksum | None:
    """Return the checksum of the scheme that is asked for, else the strongest; None when there is none."""
    size = info.get("size")
    found = [
        Checksum(name, str(info[field]).strip('"').encode(), size)
        for name, field in _CHECKSUM_FIELDS
        if info.get(field)
    ]
    if not found:
        found = [Checksum(MTIME_SCHEME, str(info[field]).encode(), size) for field in _MTIME_FIELDS if info.get(field)]
    return next((checksum for checksum in found if checksum.scheme == scheme), found[0] if found else None)


def _as_found(matches: Mapping[str, Info], prefix: str) -> list[Found]:
    return [
        Found(prefix + name, _pick_checksum(info, None))
        for name, info in sorted(matches.items())
        if info.get("type") == "file" and not name.endswith("/")
    ]


def _prefix(fs: Any, url: str, inner: str) -> str:
    """Return what stands before a file's inner name in its URL: a protocol, for some with user and host."""
    if url.endswith(inner):
        return url[: len(url) - len(inner)]
    return str(fs.unstrip_protocol("")).rstrip("/") + "//"
