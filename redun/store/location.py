"""From what a user calls a place to the Storage that holds it.

The invariant: a relative path means the same whoever says it and wherever: it starts at the project directory.
"""

from __future__ import annotations

from pathlib import Path

from redun.errors import RemoteError
from redun.settings import StorageSettings
from redun.store.local_storage import LocalStorage
from redun.store.storage import Storage
from redun.surroundings import aws_surroundings

_FILE_SCHEME = "file://"
S3_SCHEMES = ("s3", "s3a")
GOOGLE_SCHEMES = ("gs", "gcs")
AZURE_SCHEMES = ("az", "abfs", "abfss")
BUCKET_SCHEMES = (*S3_SCHEMES, *GOOGLE_SCHEMES, *AZURE_SCHEMES)
MAX_ATTEMPTS = 6
"""How often a request to a bucket is made, where the environment does not say."""


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
        url: a path, ``file://`` or any URL that fsspec has a file system for; buckets go through obstore where it is
            installed, those of S3 else through botocore.
        base: where a relative path starts; the working directory when None.
        settings: how to reach it; None takes what the environment and the client libraries' own files say.

    Raises:
        UnsupportedUrl: there is no such scheme, a setting is of another, or the package for it is not installed.
    """
    if is_local(url):
        return LocalStorage(Path(locate(url, base or Path.cwd())))
    if settings is not None:
        from redun.store.cloud_options import check_settings

        check_settings(url, settings)
    return _open_by_obstore(url, settings) or _open_by_botocore(url, settings) or _open_by_fsspec(url, settings)


def _open_by_obstore(url: str, settings: StorageSettings | None) -> Storage | None:
    """Return a bucket through obstore, None where that is not installed or does not serve."""
    scheme = url.partition("://")[0]
    if scheme not in BUCKET_SCHEMES or not _is_installed("obstore"):
        return None
    from redun.store.obstore_storage import ObstoreStorage, is_usable

    if not is_usable():
        return None
    if scheme not in S3_SCHEMES:
        return ObstoreStorage(url, settings)
    from redun.store.aws_keys import KeysElsewhere, find_keys

    try:
        keys = find_keys(aws_surroundings(), None if settings is None else settings.profile)
    except KeysElsewhere:
        return None  # botocore knows how to ask for them
    return ObstoreStorage(url, settings, keys)


def _open_by_botocore(url: str, settings: StorageSettings | None) -> Storage | None:
    """Return a bucket of S3 through botocore, which comes with s3fs and boto3; None where it is not installed."""
    if url.partition("://")[0] not in S3_SCHEMES or not _is_installed("botocore"):
        return None
    from redun.store.boto_storage import BotoStorage

    return BotoStorage(url, settings)


def _open_by_fsspec(url: str, settings: StorageSettings | None) -> Storage:
    from redun.store.fsspec_storage import FsspecStorage

    return FsspecStorage(url, settings)


def _is_installed(package: str) -> bool:
    from importlib.util import find_spec  # a millisecond that only URLs need

    return find_spec(package) is not None
