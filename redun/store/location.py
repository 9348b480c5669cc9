"""From what a user calls a place to the Storage that holds it.

The invariant: a relative path means the same whoever says it and wherever: it starts at the project directory.
"""

from __future__ import annotations

from pathlib import Path

from redun.config import StorageSettings
from redun.errors import RemoteError
from redun.store.local_storage import LocalStorage
from redun.store.storage import Storage

_FILE_SCHEME = "file://"


class UnsupportedUrl(RemoteError):
    """A URL of a kind that this installation cannot reach."""

    def __init__(self, url: str, why: str, hint: str) -> None:
        super().__init__(f"cannot reach {url}: {why}", hint=hint)
        self.url = url


def is_local(url: str) -> bool:
    """Tell whether a URL is a path of this machine's file system."""
    return "://" not in url or url.startswith(_FILE_SCHEME)


def locate(url: str, base: Path) -> str:
    """Return a URL that no longer depends on the working directory: a relative path is taken from ``base``."""
    if not is_local(url):
        return url.rstrip("/")
    return str((base / Path(url.removeprefix(_FILE_SCHEME)).expanduser()).resolve())


def open_storage(url: str, base: Path | None = None, settings: StorageSettings | None = None) -> Storage:
    """Return the storage behind a path or a URL.  Nothing is read yet.

    Args:
        url: a path, ``file://`` or any URL that fsspec has a file system for.
        base: where a relative path starts; the working directory when None.
        settings: how to reach it; None takes what the environment and the client libraries' own files say.

    Raises:
        UnsupportedUrl: there is no such scheme, or the package that reaches it is not installed.
    """
    if is_local(url):
        return LocalStorage(Path(locate(url, base or Path.cwd())))
    from redun.store.fsspec_storage import FsspecStorage

    return FsspecStorage(url, settings)
