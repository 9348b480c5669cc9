"""Storage in a bucket of S3 through ``botocore``: where obstore is not installed, or cannot get the keys.

The invariant is the contract's: a bucket puts a whole object or none, and an upload in parts shows when it is complete.

s3fs stands on botocore too, and is not used here: it asks whether names are folders (13 requests for a push that takes
8), it cannot give up an upload, and importing it costs 0.3 s of CPU where botocore costs 0.1.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from redun.hashing import READ_SIZE_BYTES, Buffer
from redun.settings import StorageSettings
from redun.store.base import ReadOnlyStore
from redun.store.cloud_options import WRONG_CLOCK
from redun.store.location import MAX_ATTEMPTS
from redun.store.read_ahead import PIECE_BYTES, ReadAhead
from redun.store.storage import Entry, NameMissing, Storage, check_name
from redun.store.uploads import iter_parts, send_parts
from redun.surroundings import aws_surroundings

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

SINGLE_PUT_BYTES = 16 << 20
"""Larger contents go in parts of this size, so that each request ends within its time on a slow line."""
_CONNECT_SECONDS = 3
_READ_SECONDS = 60  # until an answer, and between its pieces
_CONNECTIONS = 32  # as many as requests are made at once
_FORBIDDEN, _ABSENT, _BEHIND_THE_END = (401, 403), 404, 416


class BotoStorage(Storage):
    """A bucket, or a prefix in one."""

    def __init__(self, url: str, settings: StorageSettings | None = None) -> None:
        """Connect lazily.

        Args:
            url: scheme, bucket and prefix.
            settings: how to reach it, where the surroundings do not say.
        """
        self.location = url
        self._settings = settings or StorageSettings()
        self._bucket, _, prefix = url.partition("://")[2].partition("/")
        self._root = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._client: Any = None
        self._pid = os.getpid()
        self._lock = Lock()
        self._n_attempts = aws_surroundings().max_attempts or MAX_ATTEMPTS

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        path = self._locate(name)
        if length == 0:
            return b""
        with self._looking(name):
            return self._get(path, start, length)[0]

    def view(self, name: str) -> Buffer:
        return self.read(name)

    def open(self, name: str) -> BinaryIO:
        path = self._locate(name)
        with self._looking(name):
            first, size = self._get(path, 0, PIECE_BYTES)
        stream = ReadAhead(first, size, lambda start, length: self._get(path, start, length)[0])
        return cast("BinaryIO", io.BufferedReader(stream))

    def write(self, name: str, content: Buffer | Iterable[Buffer]) -> None:
        path = self._locate(name)
        if isinstance(content, (bytes, bytearray, memoryview)):
            content = [content]
        # Never in parts below the limit: refs must be one request, which is done or not.
        parts = iter_parts(content, SINGLE_PUT_BYTES)
        first = next(parts, bytearray())
        second = next(parts, None)
        if second is None:
            self._change("put_object", path, Body=first)
        else:
            self._put_in_parts(path, chain([first, second], parts))

    def write_file(self, name: str, path: Path) -> None:
        with path.open("rb") as stream:
            self.write(name, iter(lambda: stream.read(READ_SIZE_BYTES), b""))

    def size(self, name: str) -> int | None:
        try:
            return int(self._ask("head_object", Key=self._locate(name))["ContentLength"])
        except FileNotFoundError:
            return None

    def iter_entries(self, prefix: str) -> Iterator[Entry]:
        folder = f"{self._locate(prefix)}/" if prefix else self._root
        found: list[Entry] = []
        more: dict[str, str] = {}
        while True:
            page = self._ask("list_objects_v2", Prefix=folder, **more)
            found += [self._entry(row) for row in page.get("Contents", ()) if not row["Key"].endswith("/")]
            if not page.get("IsTruncated"):
                return iter(sorted(found))
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def find_any(self) -> str | None:
        # Two, since one may be the mark of the folder itself.
        page = self._ask("list_objects_v2", Prefix=self._root, MaxKeys=2)
        names = (row["Key"].removeprefix(self._root).rstrip("/") for row in page.get("Contents", ()))
        return next(filter(None, names), None)

    def delete(self, name: str) -> None:
        self._change("delete_object", self._locate(name))

    def _locate(self, name: str) -> str:
        return f"{self._root}{check_name(name)}"

    def _entry(self, row: Any) -> Entry:
        modified_us = int(row["LastModified"].timestamp() * 1_000_000)
        return Entry(row["Key"].removeprefix(self._root), int(row["Size"]), modified_us, row.get("ETag", ""))

    def _get(self, path: str, start: int, length: int | None) -> tuple[bytes, int]:
        """Return bytes of an object, and its size where they are only a part of it."""
        wanted = {}
        if start or length is not None:
            wanted["Range"] = f"bytes={start}-{'' if length is None else start + length - 1}"
        for n_left in reversed(range(self._n_attempts)):
            try:
                answer = self._ask("get_object", Key=path, **wanted)
            except _BehindTheEnd:  # an error to a bucket, and nothing to a reader
                return b"", 0
            try:
                with _errors(self.location):
                    content: bytes = answer["Body"].read()
            except OSError:  # cut off in the middle, which the client does not mend
                if not n_left:
                    raise
            else:
                size = answer.get("ContentRange", "").rpartition("/")[2]
                return content, int(size) if size.isdecimal() else len(content)
        raise AssertionError("the last attempt returns or raises")

    def _put_in_parts(self, path: str, parts: Iterable[bytearray]) -> None:
        upload = self._change("create_multipart_upload", path)["UploadId"]

        def send(number: int, part: bytearray) -> dict[str, Any]:
            answer = self._change("upload_part", path, UploadId=upload, PartNumber=number, Body=part)
            return {"PartNumber": number, "ETag": answer["ETag"]}

        try:
            sent = send_parts(send, parts)
            self._change("complete_multipart_upload", path, UploadId=upload, MultipartUpload={"Parts": sent})
        except BaseException:
            # When even this fails: nobody sees the parts, and a rule of the bucket may end such uploads.
            with suppress(OSError, ReadOnlyStore):
                self._change("abort_multipart_upload", path, UploadId=upload)
            raise

    def _change(self, verb: str, path: str, **wanted: Any) -> Any:
        """Make one request that writes.  Raises ReadOnlyStore and OSError, whatever the server says is absent."""
        try:
            return self._ask(verb, Key=path, **wanted)
        except PermissionError as error:
            raise ReadOnlyStore(f"{self.location} cannot be written: {error}") from error
        except FileNotFoundError as error:
            raise OSError(str(error)) from error

    def _ask(self, verb: str, **wanted: Any) -> Any:
        """Make one request; the client repeats it when it fails for a while."""
        if self._settings.requester_pays:
            wanted["RequestPayer"] = "requester"
        with _errors(self.location):
            return getattr(self._connect(), verb)(Bucket=self._bucket, **wanted)

    def _connect(self) -> Any:
        if self._pid != os.getpid():
            # Forked: the connections are the parent's, and a lock that was held meanwhile is never released.
            self._client, self._pid, self._lock = None, os.getpid(), Lock()
        with self._lock:
            if self._client is None:
                self._client = _make_client(self.location, self._settings, self._n_attempts)
            return self._client

    @contextmanager
    def _looking(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise NameMissing(name, self.location) from None


class _BehindTheEnd(OSError):
    """A range begins behind the end of what it is of."""


@cache
def _shared_loader() -> Any:
    """Return what reads the descriptions of services: 40 ms for the first client, nothing for the next."""
    from botocore.loaders import Loader

    class Descriptions(Loader):  # type: ignore[misc]
        def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - the name is botocore's
            """Return what may be there; to see what is, the original looks into 400 folders, which takes 15 ms."""
            return [found.name for path in self.search_paths for found in Path(path).glob("*")]

    return Descriptions()


def _make_client(where: str, settings: StorageSettings, n_attempts: int) -> Any:
    import botocore
    from botocore.config import Config
    from botocore.session import Session

    with _errors(where):
        session = Session(profile=settings.profile)
        session.register_component("data_loader", _shared_loader())
        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            max_pool_connections=_CONNECTIONS,
            retries={"mode": "standard", "total_max_attempts": n_attempts},
            signature_version=botocore.UNSIGNED if settings.anonymous else None,
            # What is named by its hash needs no other checksum, and not all servers know all kinds of them.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        return session.create_client("s3", region_name=settings.region, endpoint_url=settings.endpoint, config=config)


@contextmanager
def _errors(where: str) -> Iterator[None]:
    """Turn what the client raises into OSError, with what is absent and what is refused told apart."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except ClientError as error:
        raise _translate(error, where) from error
    except NoCredentialsError as error:
        raise OSError(
            "there are no credentials: neither in the environment, nor in AWS's files, nor of this machine"
        ) from error
    except BotoCoreError as error:
        raise OSError(str(error)) from error


def _translate(error: ClientError, where: str) -> OSError:
    """Return the error for what a server says."""
    said = error.response.get("Error", {})
    code, message = said.get("Code", ""), said.get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    text = f"{code}: {message}" if message else code
    if code == "NoSuchBucket":
        return OSError(f"there is no such bucket: {where}")
    if status == _BEHIND_THE_END:
        return _BehindTheEnd(text)
    if status == _ABSENT:
        return FileNotFoundError(text)
    return PermissionError(text) if status in _FORBIDDEN and code != WRONG_CLOCK else OSError(text)
