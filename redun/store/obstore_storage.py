"""Storage in a bucket through ``obstore``: ``s3://``, ``gs://`` and ``az://`` where that package is installed.

The invariant is the contract's: a bucket puts a whole object or none.  It is chosen before botocore and
fsspec's file systems: importing it takes 20 ms where botocore takes 100 and s3fs 300, and a request a tenth of theirs.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from redun.hashing import Buffer
from redun.settings import StorageSettings
from redun.store.aws_keys import AwsKeys
from redun.store.base import ReadOnlyStore
from redun.store.cloud_options import WRONG_CLOCK, azure_config, google_config, s3_config
from redun.store.location import GOOGLE_SCHEMES, MAX_ATTEMPTS, S3_SCHEMES
from redun.store.read_ahead import PIECE_BYTES, ReadAhead
from redun.store.storage import Entry, NameMissing, Storage, check_name
from redun.surroundings import aws_surroundings

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Bucket

SINGLE_PUT_BYTES = 16 << 20
"""Larger contents go in parts of this size, so that each request ends within its time on a slow line."""
_PARTS_AT_ONCE = 4
_CLIENT_OPTIONS = {
    "allow_http": True,  # whoever names an endpoint of a server in the house
    "connect_timeout": "3s",
    "read_timeout": "60s",  # until an answer, and between its pieces: a request waits no longer
    "timeout": "3600s",  # for all of one: the 30 s that are the default would cut off a large content
}
_RETRIES = {
    "retry_timeout": timedelta(seconds=90),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5), "base": 2},
}


class ObstoreStorage(Storage):
    """A bucket, or a prefix in one."""

    def __init__(self, url: str, settings: StorageSettings | None = None, keys: AwsKeys | None = None) -> None:
        """Connect lazily.

        Args:
            url: scheme, bucket and prefix.
            settings: how to reach it, where the surroundings do not say.
            keys: credentials of a profile; None takes those of the environment or of the machine.

        Raises:
            ImportError: obstore is not installed.
        """
        scheme, _, rest = url.partition("://")
        bucket, _, prefix = rest.partition("/")
        self._settle(url, _open_bucket(scheme, bucket, settings or StorageSettings(), keys), prefix)

    @classmethod
    def over(cls, location: str, bucket: Bucket, prefix: str = "") -> ObstoreStorage:
        """Return the storage over a client that was made elsewhere."""
        storage = cls.__new__(cls)
        storage._settle(location, bucket, prefix)
        return storage

    def _settle(self, location: str, bucket: Bucket, prefix: str) -> None:
        global _pid
        _pid = _pid or os.getpid()
        self.location = location
        self._bucket = bucket
        self._root = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        return bytes(self._get(name, start, length))

    def view(self, name: str) -> Buffer:
        return memoryview(self._get(name, 0, None))

    def open(self, name: str) -> BinaryIO:
        path = self._locate(name)
        with self._looking(name):
            first, size = self._get_first(path)
        return cast("BinaryIO", io.BufferedReader(ReadAhead(first, size, partial(self._get, name))))

    def write(self, name: str, content: Buffer | Iterable[Buffer]) -> None:
        path = self._locate(name)
        if isinstance(content, (bytes, bytearray, memoryview)):
            self._put(path, bytes(content), len(content))
            return
        # A stream that fails halfway leaves nothing there: what is small goes in one request when all of it is here,
        # and obstore gives up an upload in parts when what it sends raises.
        pieces, first = iter(content), bytearray()
        for piece in pieces:
            first += piece
            if len(first) > SINGLE_PUT_BYTES:
                self._put(path, chain([bytes(first)], map(bytes, pieces)), len(first))
                return
        self._put(path, bytes(first), len(first))

    def write_file(self, name: str, path: Path) -> None:
        with path.open("rb") as stream:
            size = stream.seek(0, io.SEEK_END)
            stream.seek(0)
            self._put(self._locate(name), stream.read() if size <= SINGLE_PUT_BYTES else stream, size)

    def size(self, name: str) -> int | None:
        import obstore

        path = self._locate(name)
        try:
            with self._looking(name):
                return int(obstore.head(self._bucket, path)["size"])
        except NameMissing:
            return None

    def iter_entries(self, prefix: str) -> Iterator[Entry]:
        import obstore

        folder = self._locate(prefix) if prefix else self._root.rstrip("/")
        found: list[Entry] = []
        with self._looking(prefix):
            for page in obstore.list(self._bucket, prefix=folder or None, chunk_size=1000):
                found += [self._entry(meta) for meta in page]
        return iter(sorted(found))

    def find_any(self) -> str | None:
        import obstore

        with self._looking(""):
            for page in obstore.list(self._bucket, prefix=self._root.rstrip("/") or None, chunk_size=1):
                for meta in page:
                    return self._entry(meta).name
        return None

    def delete(self, name: str) -> None:
        import obstore

        path = self._locate(name)
        with suppress(NameMissing), self._writing(), self._looking(name):
            obstore.delete(self._bucket, path)

    def _locate(self, name: str) -> str:
        return f"{self._root}{check_name(name)}"

    def _entry(self, meta: Any) -> Entry:
        name = str(meta["path"]).removeprefix(self._root)
        return Entry(name, int(meta["size"]), int(meta["last_modified"].timestamp() * 1_000_000), meta["e_tag"] or "")

    def _get(self, name: str, start: int, length: int | None) -> Buffer:
        import obstore
        from obstore.exceptions import BaseError

        path = self._locate(name)
        if length == 0:
            return b""
        with self._looking(name):
            if not start and length is None:
                return cast("Buffer", obstore.get(self._bucket, path).bytes())
            try:
                if length is None:
                    return cast("Buffer", obstore.get(self._bucket, path, options={"range": {"offset": start}}).bytes())
                return cast("Buffer", obstore.get_range(self._bucket, path, start=start, length=length))
            except (BaseError, ValueError):
                # A range that begins behind the end is an error to a bucket, and nothing to a reader.
                if start >= int(obstore.head(self._bucket, path)["size"]):
                    return b""
                raise

    def _get_first(self, path: str) -> tuple[Buffer, int]:
        """Return the first bytes of an object, and the size of it all."""
        import obstore
        from obstore.exceptions import BaseError

        try:
            found = obstore.get(self._bucket, path, options={"range": (0, PIECE_BYTES)})
            return cast("Buffer", found.bytes()), int(found.meta["size"])
        except (BaseError, ValueError):
            if int(obstore.head(self._bucket, path)["size"]):
                raise
            return b"", 0  # of nothing there is no range

    def _put(self, path: str, content: Any, size: int) -> None:
        import obstore

        with self._writing(), _errors():
            # Never in parts below the limit: refs must be one request, which is done or not.
            obstore.put(
                self._bucket,
                path,
                content,
                use_multipart=size > SINGLE_PUT_BYTES,
                chunk_size=SINGLE_PUT_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )

    @contextmanager
    def _looking(self, name: str) -> Iterator[None]:
        try:
            with _errors():
                yield
        except FileNotFoundError as error:
            if _NO_BUCKET.search(str(error)):
                raise OSError(f"there is no such bucket: {self.location}") from error
            raise NameMissing(name, self.location) from None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise ReadOnlyStore(f"{self.location} cannot be written: {error}") from error
        except FileNotFoundError as error:
            raise OSError(f"there is no such bucket: {self.location}") from error


_NO_BUCKET = re.compile("NoSuchBucket|ContainerNotFound")
_METADATA = re.compile(r"169\.254\.169\.254|metadata\.google\.internal")
"""Where a machine in a cloud is asked for the keys of its role: the last thing that is tried."""
_REFUSED = re.compile(r"status code: 40[13]|\(code: (AccessDenied|403)\)")
_GENERIC = re.compile(r"^Generic \w+ error: ")
_RETRIED = re.compile(r"Error performing (\w+) (\S+) in .*?after (\d+) retries.*? - (.*)")
_CODE, _MESSAGE = re.compile("<Code>([^<]*)</Code>"), re.compile("<Message>([^<\n]*)")


_pid: int | None = None
"""The process whose threads serve all clients.  A forked one has not these threads, and would wait for ever."""


def is_usable() -> bool:
    """Tell whether clients of this kind work in this process: not in one that was forked after they were used."""
    return _pid in (None, os.getpid())


def _open_bucket(scheme: str, bucket: str, settings: StorageSettings, keys: AwsKeys | None) -> Bucket:
    from obstore.store import AzureStore, GCSStore, S3Store

    retries = {**_RETRIES, "max_retries": (aws_surroundings().max_attempts or MAX_ATTEMPTS) - 1}
    shared: Any = {"client_options": _CLIENT_OPTIONS, "retry_config": retries}
    if scheme in GOOGLE_SCHEMES:
        return GCSStore(bucket, **google_config(settings), **shared)
    if scheme not in S3_SCHEMES:
        container, config = azure_config(f"{scheme}://{bucket}", bucket, settings)
        return AzureStore(container, **config, **shared)
    return S3Store(bucket, **s3_config(settings, keys), **shared)


@contextmanager
def _errors() -> Iterator[None]:
    """Turn what the client raises into OSError, but for what is absent; its account of itself is shortened."""
    from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError

    if not is_usable():
        raise OSError("a process that was forked cannot use the clients of buckets that its parent has used")
    try:
        yield
    except NotFoundError as error:
        raise FileNotFoundError(str(error)) from error
    except BaseError as error:
        # Listing and deleting that are refused have no class of their own.
        is_refused = isinstance(error, (PermissionDeniedError, UnauthenticatedError)) or _REFUSED.search(str(error))
        family = PermissionError if is_refused and WRONG_CLOCK not in str(error) else OSError
        raise family(_shorten(error)) from error


def _shorten(error: Exception) -> str:
    """Return in one line what the server says, or else what the client does."""
    from html import unescape  # 2 ms that only failures need

    text = str(error)
    if _METADATA.search(text):
        return "there are no credentials: neither in the environment, nor in the cloud's own files, nor of this machine"
    code, message = _CODE.search(text), _MESSAGE.search(text)
    if code is not None:
        return unescape(f"{code[1]}: {message[1]}" if message is not None and message[1] else code[1])
    first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
    failed = _RETRIED.search(first)
    if failed is None:
        return _GENERIC.sub("", first)
    why = failed[4].replace("HTTP error: error sending request", "there is no connection, or it breaks off")
    return f"{failed[1]} {failed[2]} failed {int(failed[3]) + 1} times: {why}"
