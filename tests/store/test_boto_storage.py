"""Buckets through botocore: the suite of all buckets on a real server, and what is its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from redun.settings import StorageSettings
from redun.store.base import ReadOnlyStore
from redun.store.boto_storage import BotoStorage
from redun.store.storage import Storage
from redun.testing.bucket import BucketSuite
from redun.testing.faulty_proxy import Fault
from redun.testing.s3_server import KEY, SECRET, S3Server


class TestBotoStorage(BucketSuite):
    """S3 through botocore."""

    @pytest.fixture
    def storage(self, place) -> Storage:
        return BotoStorage(place.url)

    @pytest.fixture
    def asked(self, place) -> list[tuple[str, str]]:
        return place.proxy.requests


LOADED = """
import sys
sys.modules["obstore"] = None
from redun.store.location import open_storage
storage = open_storage(sys.argv[1])
storage.write("a", b"x")
assert [entry.name for entry in storage.iter_entries("")] == ["a"] and storage.read("a") == b"x"
heavy = {"aiobotocore", "aiohttp", "asyncio", "boto3", "fsspec", "s3fs"}
print(type(storage).__name__, *sorted(heavy & set(sys.modules)))
"""


def test_no_other_client_is_imported(place) -> None:
    """Where obstore is not installed, S3 is written, listed and read without s3fs and what it imports."""
    done = subprocess.run([sys.executable, "-c", LOADED, place.url], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["BotoStorage"]


def test_a_reply_that_is_cut_short_is_asked_for_again(place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a body is not the content: the request is made again, as often as any; then it is an error."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    storage = BotoStorage(place.url)
    storage.write("a", bytes(1000))
    place.proxy.inject(Fault.TRUNCATED, "GET", times=1)
    assert storage.read("a") == bytes(1000)
    place.proxy.inject(Fault.TRUNCATED, "GET", times=1)
    with storage.open("a") as stream:
        assert stream.read() == bytes(1000)
    rule = place.proxy.inject(Fault.TRUNCATED, "GET")
    with pytest.raises(OSError, match="500 more expected"):
        storage.read("a")
    assert rule.hits == 2


def test_a_part_that_fails_ends_the_upload(place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the server refuses for good, nothing is left there."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    storage = BotoStorage(place.url)
    place.proxy.inject(Fault.INTERNAL_ERROR, "PUT", "partNumber=3")
    with pytest.raises(OSError, match="InternalError"):
        storage.write("large", (bytes(16 << 20) for _ in range(5)))
    assert storage.size("large") is None
    assert any(method == "DELETE" for method, _ in place.proxy.requests)


def test_errors_say_what_the_server_says(s3_server: S3Server, place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is refused, a bucket that is not there, a server that is down: one line each, and no more."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    unsigned = BotoStorage(place.url, StorageSettings(anonymous=True))
    for ask in (lambda: unsigned.read("a"), unsigned.find_any):
        with pytest.raises(OSError, match=r"^AccessDenied: Access Denied"):
            ask()
    with pytest.raises(ReadOnlyStore, match="AccessDenied: Access Denied"):
        unsigned.write("a", b"")
    with pytest.raises(OSError, match="no such bucket: s3://nowhere"):
        BotoStorage(f"s3://nowhere-{uuid.uuid4().hex}/x").read("a")
    with pytest.raises(OSError, match="Could not connect") as caught:
        BotoStorage(place.url, StorageSettings(endpoint=f"http://127.0.0.1:{free_port()}")).read("a")
    assert "\n" not in str(caught.value)
    with pytest.raises(OSError, match="profile"):
        BotoStorage(place.url, StorageSettings(profile="absent")).read("a")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(OSError, match="there are no credentials"):
        BotoStorage(place.url).read("a")


def test_settings_come_before_the_environment(
    s3_server: S3Server, place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Endpoint, region and profile of the settings count."""
    BotoStorage(place.url).write("a", b"x")
    (tmp_path / "credentials").write_text(f"[team]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    changed = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"), "AWS_ACCESS_KEY_ID": "wrong"}
    for name, value in {**changed, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}.items():
        monkeypatch.setenv(name, value)
    settings = StorageSettings(endpoint=s3_server.url, region="us-east-1", profile="team", requester_pays=True)
    storage = BotoStorage(place.url, settings)
    assert storage.read("a") == b"x"
    storage.write("b", (bytes(16 << 20) for _ in range(2)))
    assert [entry.name for entry in storage.iter_entries("")] == ["a", "b"]
    assert (storage.find_any(), storage.size("b")) == ("a", 32 << 20)
    storage.delete("b")
    assert storage.size("b") is None


FORKED = """
import os, sys
from redun.store.boto_storage import BotoStorage
storage = BotoStorage(sys.argv[1])
storage.write("a", b"1")
if os.fork() == 0:
    for _ in range(20):
        assert storage.read("a") == b"1"
    storage.write("b", b"2")
    os._exit(0)
for _ in range(20):
    assert storage.read("a") == b"1"
assert os.wait()[1] == 0
print(storage.read("b").decode())
"""


def test_a_forked_process_has_connections_of_its_own(place) -> None:
    """Parent and child go on at the same time, and neither reads the other's answers."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED, place.url], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "2"


def free_port() -> int:
    """Return a port where nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
