"""Buckets through obstore and through s3fs: one suite, the same server."""

from __future__ import annotations

import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from redun.config import StorageSettings
from redun.store.base import ReadOnlyStore
from redun.store.fsspec_storage import FsspecStorage
from redun.store.location import open_storage
from redun.store.obstore_storage import SINGLE_PUT_BYTES, ObstoreStorage
from redun.store.storage import Storage
from redun.testing.s3_server import KEY, SECRET, S3Server
from redun.testing.storage import StorageSuite


@pytest.fixture
def prefix(s3_bucket: str) -> str:
    """An empty place in a bucket."""
    return f"{s3_bucket}/{uuid.uuid4().hex}/a place"


class TestObstoreStorage(StorageSuite):
    """S3 through obstore."""

    @pytest.fixture
    def storage(self, prefix: str) -> Storage:
        return ObstoreStorage(prefix)


class TestS3fsStorage(StorageSuite):
    """The same through s3fs."""

    @pytest.fixture
    def storage(self, prefix: str) -> Storage:
        return FsspecStorage(prefix)


class TestObstoreInMemory(StorageSuite):
    """What obstore does alike for all clouds."""

    @pytest.fixture
    def storage(self) -> Storage:
        from obstore.store import MemoryStore

        return ObstoreStorage.over("memory", MemoryStore(), "a/prefix")


LOADED = """
import sys
from redun.store.location import open_storage
storage = open_storage(sys.argv[1])
storage.write("a", b"x")
assert [entry.name for entry in storage.iter_entries("")] == ["a"] and storage.read("a") == b"x"
heavy = {"aiobotocore", "asyncio", "boto3", "botocore", "fsspec", "s3fs"}
print(*sorted(heavy & set(sys.modules)))
"""


def test_no_other_client_is_imported(prefix: str) -> None:
    """Where obstore serves, a bucket is written, listed and read without the modules that take a second to import."""
    done = subprocess.run([sys.executable, "-c", LOADED, prefix], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("way", ["bytes", "pieces", "file"])
def test_what_is_larger_than_one_request_goes_in_parts(prefix: str, tmp_path: Path, way: str) -> None:
    """A content above the limit is there whole, by each way of writing and of reading."""
    storage = ObstoreStorage(prefix)
    content = uuid.uuid4().bytes * (SINGLE_PUT_BYTES // 16 + 1)
    if way == "bytes":
        storage.write("large", content)
    elif way == "pieces":
        storage.write("large", (content[at : at + 1_000_000] for at in range(0, len(content), 1_000_000)))
    else:
        (tmp_path / "large").write_bytes(content)
        storage.write_file("large", tmp_path / "large")
    assert storage.view("large") == content
    with storage.open("large") as stream:
        assert stream.read(100) + stream.read() == content
    assert storage.read("large", len(content) - 10, 100) == content[-10:]


FORKED = """
import os, sys
from redun.store.location import open_storage
before = open_storage(sys.argv[1])
before.write("a", b"1")
if os.fork() == 0:
    after = open_storage(sys.argv[1])
    assert after.read("a") == b"1"
    try:
        before.read("a")
    except OSError as error:
        after.write("told", str(error).encode())
    os._exit(0)
assert os.wait()[1] == 0
print(type(before).__name__, before.read("told").decode())
"""


def test_a_forked_process_does_not_wait_for_ever(prefix: str) -> None:
    """It has not the threads that serve the client: it takes the other one, and what was open tells why it fails."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED, prefix], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("ObstoreStorage a process that was forked")


def test_a_listing_of_many_pages_is_whole(prefix: str) -> None:
    """A server tells a thousand names at a time; all of them come, in order, through either client."""
    names = sorted(f"{number:04d}" for number in range(1_050))
    storage = ObstoreStorage(prefix)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: storage.write(name, b""), names))
    for one in (storage, FsspecStorage(prefix)):
        entries = list(one.iter_entries(""))
        assert [entry.name for entry in entries] == names
        assert all(entry.version for entry in entries)


def test_a_large_stream_that_breaks_off_leaves_nothing(prefix: str) -> None:
    """Not even when parts of it are there already."""
    storage = ObstoreStorage(prefix)

    def break_off() -> Iterator[bytes]:
        for _ in range((SINGLE_PUT_BYTES >> 20) + 16):
            yield bytes(1 << 20)
        raise EOFError

    with pytest.raises(EOFError):
        storage.write("large", break_off())
    assert storage.size("large") is None
    size = SINGLE_PUT_BYTES + (5 << 20) + 1
    storage.write("large", (bytes(piece) for piece in (SINGLE_PUT_BYTES + 1, 5 << 20)))
    assert storage.size("large") == size


def test_errors_say_what_the_server_says(s3_server: S3Server, prefix: str) -> None:
    """A request that is refused, a bucket that is not there, a server that is down: one line each, and no more."""
    unsigned = ObstoreStorage(prefix, StorageSettings(anonymous=True))
    for ask in (lambda: unsigned.read("a"), unsigned.find_any):
        with pytest.raises(OSError, match=r"^AccessDenied: Access Denied"):
            ask()
    with pytest.raises(ReadOnlyStore, match="AccessDenied: Access Denied"):
        unsigned.write("a", b"")
    with pytest.raises(OSError, match="no such bucket: s3://nowhere"):
        ObstoreStorage(f"s3://nowhere-{uuid.uuid4().hex}/x").read("a")
    down = ObstoreStorage(prefix, StorageSettings(endpoint=f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(OSError, match="times: there is no connection") as caught:
        down.read("a")
    assert "\n" not in str(caught.value)


def test_settings_come_before_the_environment(
    s3_server: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Endpoint, region and profile of the settings count; a profile's keys are read from the files of AWS."""
    ObstoreStorage(prefix).write("a", b"x")
    files = {"AWS_SHARED_CREDENTIALS_FILE": tmp_path / "credentials", "AWS_CONFIG_FILE": tmp_path / "config"}
    files["AWS_SHARED_CREDENTIALS_FILE"].write_text(
        f"[team]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
    )
    files["AWS_CONFIG_FILE"].write_text("[profile team]\nregion = eu-central-1\n")
    for name, value in {**files, "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "wrong"}.items():
        monkeypatch.setenv(name, str(value))
    found = open_storage(prefix, settings=StorageSettings(endpoint=s3_server.url, profile="team", requester_pays=True))
    assert isinstance(found, ObstoreStorage)
    assert found.read("a") == b"x"
    other = FsspecStorage(prefix, StorageSettings(endpoint=s3_server.url, region="us-east-1", profile="team"))
    assert other.read("a") == b"x"


def free_port() -> int:
    """Return a port where nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
