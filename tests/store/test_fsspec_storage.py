"""Storage behind fsspec URLs: memory:// keeps whole objects, file:// stands for file systems that move."""

from __future__ import annotations

import io
import uuid
from pathlib import Path

import pytest

from redun.store.fsspec_storage import FsspecStorage
from redun.store.storage import NameMissing
from redun.testing.storage import StorageSuite


class TestMemoryFileSystem(StorageSuite):
    """A file system that puts whole objects, as buckets do."""

    @pytest.fixture
    def storage(self, tmp_path: Path) -> FsspecStorage:
        return FsspecStorage(f"memory://{tmp_path}")


class TestLocalFileSystem(StorageSuite):
    """A file system where a content is written under another name and moved."""

    @pytest.fixture
    def storage(self, tmp_path: Path) -> FsspecStorage:
        return FsspecStorage(f"file://{tmp_path}/root")


class TestBucket(StorageSuite):
    """A bucket on a real server: s3fs stands for the file systems of all buckets."""

    @pytest.fixture
    def storage(self, s3_bucket: str) -> FsspecStorage:
        return FsspecStorage(f"{s3_bucket}/{uuid.uuid4().hex}/a place")


def _failing(storage: FsspecStorage, error: Exception) -> FsspecStorage:
    """Return a storage whose every request fails."""

    class Failing:
        protocol = "s3"

        def __getattr__(self, name: str) -> object:
            def fail(*_: object, **__: object) -> object:
                raise error

            return fail

    storage._fs = Failing()
    return storage


def test_errors_while_a_stream_is_read_are_os_errors() -> None:
    """A line that breaks in the middle of a content is told as one that breaks before it."""

    class ResponsePayloadError(Exception):
        pass

    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise ResponsePayloadError("half of it came")
            return super().read(size)

    ResponsePayloadError.__module__ = "aiobotocore.httpsession"
    storage = FsspecStorage("memory://x")
    storage.write("a", bytes(5 << 20))
    storage._fs = type("Breaks", (), {"open": lambda *_: Breaking(bytes(5 << 20))})()
    with storage.open("a") as stream:
        assert stream.read(1 << 20) == bytes(1 << 20)
        with pytest.raises(OSError, match="half of it came"):
            stream.read()


def test_errors_of_network_clients_are_os_errors() -> None:
    """Whatever a client raises, callers see one family; a mistake of ours stays what it is."""

    class EndpointConnectionError(Exception):
        pass

    EndpointConnectionError.__module__ = "botocore.exceptions"
    storage = _failing(FsspecStorage("memory://x"), EndpointConnectionError("no route"))
    for verb in (storage.read, storage.size, storage.open, storage.delete):
        with pytest.raises(OSError, match="no route"):
            verb("a")
    with pytest.raises(OSError, match="no route"):
        storage.write("a", b"")
    with pytest.raises(ZeroDivisionError):
        _failing(storage, ZeroDivisionError()).read("a")
    with pytest.raises(NameMissing):
        _failing(storage, FileNotFoundError()).read("a")
