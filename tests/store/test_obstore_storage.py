"""Buckets through obstore: the suite of all storages on a real server, and what is its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from redun.settings import StorageSettings
from redun.store.base import ReadOnlyStore
from redun.store.location import open_storage
from redun.store.obstore_storage import ObstoreStorage
from redun.store.storage import Storage
from redun.testing.bucket import BucketSuite
from redun.testing.s3_server import KEY, SECRET, S3Server
from redun.testing.storage import StorageSuite


class TestObstoreStorage(BucketSuite):
    """S3 through obstore."""

    @pytest.fixture
    def storage(self, place) -> Storage:
        return ObstoreStorage(place.url)

    @pytest.fixture
    def asked(self, place) -> list[tuple[str, str]]:
        return place.proxy.requests


@pytest.fixture
def prefix(s3_bucket: str) -> str:
    """An empty place in a bucket."""
    return f"{s3_bucket}/{uuid.uuid4().hex}/a place"


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


def free_port() -> int:
    """Return a port where nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
