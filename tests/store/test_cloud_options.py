"""Buckets of Google and of Azure, through obstore and through fsspec: one suite, on real servers."""

from __future__ import annotations

import importlib
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

import pytest

from redun.settings import StorageSettings
from redun.store.base import ReadOnlyStore
from redun.store.fsspec_storage import FsspecStorage
from redun.store.location import UnsupportedUrl, open_storage
from redun.store.obstore_storage import ObstoreStorage
from redun.store.storage import NameMissing, Storage
from redun.testing import azure_server as azure
from redun.testing.azure_server import AzureServer
from redun.testing.bucket import BucketSuite
from redun.testing.faulty_proxy import Fault, FaultyProxy
from redun.testing.s3_server import S3Server
from redun.testing.storage import StorageSuite


class Place(NamedTuple):
    """An empty place, and the proxy by which clients go there."""

    url: str
    proxy: FaultyProxy


@pytest.fixture
def google(xml_server: S3Server, xml_bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An empty place in a bucket of Google's, for obstore, whose requests are counted."""
    with FaultyProxy(xml_server.url) as proxy:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
        yield Place(f"{xml_bucket}/{uuid.uuid4().hex}/a place", proxy)


@pytest.fixture
def azure_place(azure_server: AzureServer, azure_container: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An empty place in a container of Azure's, whose requests are counted."""
    with FaultyProxy(azure_server.url) as proxy:
        for name, value in azure_server.environment_at(proxy.url).items():
            monkeypatch.setenv(name, value)
        yield Place(f"{azure_container}/{uuid.uuid4().hex}/a place", proxy)


class TestGoogleThroughObstore(BucketSuite):
    """Google's XML API."""

    @pytest.fixture
    def storage(self, google: Place) -> Storage:
        return ObstoreStorage(google.url)

    @pytest.fixture
    def asked(self, google: Place) -> list[tuple[str, str]]:
        return google.proxy.requests


class TestAzureThroughObstore(BucketSuite):
    """Azure's blobs."""

    names_a_page = 5000
    forgets_parts = True

    @pytest.fixture
    def storage(self, azure_place: Place) -> Storage:
        return ObstoreStorage(azure_place.url)

    @pytest.fixture
    def asked(self, azure_place: Place) -> list[tuple[str, str]]:
        return azure_place.proxy.requests


class TestGoogleThroughGcsfs(StorageSuite):
    """Google's JSON API."""

    @pytest.fixture
    def storage(self, gcs_bucket: str) -> Storage:
        pytest.importorskip("gcsfs", reason="there is no gcsfs: pip install 'redun[gs]'")
        return FsspecStorage(f"{gcs_bucket}/{uuid.uuid4().hex}/a place")


class TestAzureThroughAdlfs(StorageSuite):
    """Azure's blobs."""

    @pytest.fixture
    def storage(self, azure_container: str) -> Storage:
        pytest.importorskip("adlfs", reason="there is no adlfs: pip install 'redun[az]'")
        return FsspecStorage(f"{azure_container}/{uuid.uuid4().hex}/a place")


@pytest.fixture(params=["google", "azure_place"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Each of the two, with a client that tries twice."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("fault", [Fault.INTERNAL_ERROR, Fault.SLOW_DOWN, Fault.RESET, Fault.LOST_REPLY])
def test_what_passes_is_tried_again(place: Place, fault: Fault) -> None:
    """A write and a read each have one request that fails."""
    storage = ObstoreStorage(place.url)
    for method, ask in (("PUT", lambda: storage.write("a", b"x")), ("GET", lambda: storage.read("a"))):
        rule = place.proxy.inject(fault, method, times=1)
        ask()
        assert rule.hits == 1
    assert storage.read("a") == b"x"


def test_what_lasts_is_an_error(place: Place) -> None:
    """A server that refuses has a reader before it; one that is never well, or cuts its answers, has failed."""
    storage = ObstoreStorage(place.url)
    storage.write("a", bytes(1 << 20))
    for fault, error in ((Fault.FORBIDDEN, ReadOnlyStore), (Fault.SLOW_DOWN, OSError), (Fault.RESET, OSError)):
        place.proxy.calm()
        place.proxy.inject(fault)
        with pytest.raises(error):
            storage.write("a", b"y")
        with pytest.raises(OSError, match=r"AccessDenied|SlowDown|there is no connection"):
            storage.read("a")
    place.proxy.calm()
    place.proxy.inject(Fault.TRUNCATED, "GET")
    with pytest.raises(OSError):
        storage.read("a")
    place.proxy.calm()
    assert storage.read("a") == bytes(1 << 20)


@pytest.fixture(params=["obstore", "adlfs"])
def client(request: pytest.FixtureRequest) -> type[ObstoreStorage | FsspecStorage]:
    """Each of the storages that reach Azure."""
    pytest.importorskip(request.param, reason=f"there is no {request.param}: pip install 'redun[fast,az]'")
    return ObstoreStorage if request.param == "obstore" else FsspecStorage


def forget_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave nothing in the environment that names a place or a key."""
    for name in ("STORAGE_EMULATOR_HOST", "AZURE_STORAGE_CONNECTION_STRING"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("spelling", ["az", "abfs"])
def test_azure_is_found_by_settings(
    azure_server: AzureServer, azure_container: str, monkeypatch: pytest.MonkeyPatch, client, spelling: str
) -> None:
    """Account and endpoint stand in the settings, the key in the variable of Azure's own tool."""
    forget_surroundings(monkeypatch)
    monkeypatch.setenv("AZURE_STORAGE_KEY", azure.KEY)
    endpoint = f"{azure_server.url}/{azure.ACCOUNT}"
    url = f"{azure_container.replace('az', spelling, 1)}/x"
    if spelling == "abfs":
        url = url.replace("/x", f"@{azure.ACCOUNT}.dfs.core.windows.net/x")
    account = azure.ACCOUNT if spelling == "az" else None
    storage = client(url, StorageSettings(endpoint=endpoint, account=account))
    storage.write("a", b"x")
    assert storage.read("a") == b"x"


def test_a_container_needs_an_account(monkeypatch: pytest.MonkeyPatch, client) -> None:
    """Without one nothing is asked, and the message names the setting."""
    forget_surroundings(monkeypatch)
    with pytest.raises(UnsupportedUrl, match="nothing names the storage account") as caught:
        client("az://container/x")
    assert "account = NAME" in str(caught.value.hint)


def test_a_wrong_key_is_told(
    azure_server: AzureServer, azure_container: str, monkeypatch: pytest.MonkeyPatch, client
) -> None:
    """What the server says comes in one line, and a write that is refused is that of a reader."""
    wrong = azure_server.environment["AZURE_STORAGE_CONNECTION_STRING"].replace(azure.KEY, "d3Jvbmc=")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", wrong)
    storage = client(f"{azure_container}/x")
    with pytest.raises(PermissionError, match="authenticate"):
        storage.read("a")
    with pytest.raises(ReadOnlyStore, match="authenticate"):
        storage.write("a", b"")


def test_a_token_that_reads_does_not_write(
    azure_server: AzureServer, azure_container: str, monkeypatch: pytest.MonkeyPatch, client
) -> None:
    """A shared access signature is taken from the environment, and whoever has one to read with is a reader."""
    blob = pytest.importorskip("azure.storage.blob", reason="there is no azure.storage.blob: pip install 'redun[az]'")
    client(f"{azure_container}/x").write("a", b"x")
    rights = blob.AccountSasPermissions(read=True, list=True)
    kinds = blob.ResourceTypes(container=True, object=True)
    until = datetime.now(timezone.utc) + timedelta(hours=1)
    forget_surroundings(monkeypatch)
    token = blob.generate_account_sas(azure.ACCOUNT, azure.KEY, kinds, rights, until)
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", token)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", azure.ACCOUNT)
    settings = StorageSettings(endpoint=f"{azure_server.url}/{azure.ACCOUNT}")
    storage = client(f"{azure_container}/x", settings)
    assert storage.read("a") == b"x"
    assert [entry.name for entry in storage.iter_entries("")] == ["a"]
    with pytest.raises(ReadOnlyStore, match=r"cannot be written: .*(Authorization|not authorized)"):
        storage.write("a", b"y")


def test_azure_is_read_by_anybody_where_it_says_so(
    azure_server: AzureServer, azure_container: str, monkeypatch: pytest.MonkeyPatch, client
) -> None:
    """`anonymous` signs nothing: a public container is read and not written, and another is not there."""
    name = f"public-{uuid.uuid4().hex}"
    azure_server.make_container(name, is_public=True)
    client(f"az://{name}/x").write("a", b"x")
    forget_surroundings(monkeypatch)
    settings = StorageSettings(anonymous=True, account=azure.ACCOUNT, endpoint=f"{azure_server.url}/{azure.ACCOUNT}")
    storage = client(f"az://{name}/x", settings)
    assert storage.read("a") == b"x"
    assert [entry.name for entry in storage.iter_entries("")] == ["a"]
    with pytest.raises(ReadOnlyStore, match=name):
        storage.write("b", b"y")
    closed = client(f"{azure_container}/x", settings)
    with pytest.raises((OSError, NameMissing)):
        closed.read("a")
    azure_server.delete_container(name)


def test_google_is_found_by_settings(xml_server: S3Server, xml_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Endpoint and `anonymous` of the settings count, under both spellings of the scheme."""
    forget_surroundings(monkeypatch)
    for scheme in ("gs", "gcs"):
        url = f"{xml_bucket.replace('gs', scheme, 1)}/x"
        storage = open_storage(url, settings=StorageSettings(endpoint=xml_server.url, anonymous=True))
        assert isinstance(storage, ObstoreStorage)
        storage.write("a", scheme.encode())
        assert storage.read("a") == scheme.encode()


def test_gcsfs_is_found_by_settings(gcs_server, gcs_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same through fsspec."""
    pytest.importorskip("gcsfs", reason="there is no gcsfs: pip install 'redun[gs]'")
    forget_surroundings(monkeypatch)
    storage = FsspecStorage(f"{gcs_bucket}/x", StorageSettings(endpoint=gcs_server.url, anonymous=True))
    storage.write("a", b"x")
    assert storage.read("a") == b"x"


@pytest.mark.parametrize(("cloud", "package"), [("gcs_bucket", "gcsfs"), ("azure_container", "adlfs")])
def test_fsspec_serves_where_obstore_does_not(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, cloud: str, package: str
) -> None:
    """Where it is not installed, or in a process that was forked after it was used."""
    pytest.importorskip(package, reason=f"there is no {package}: pip install 'redun[gs,az]'")
    url = f"{request.getfixturevalue(cloud)}/x"
    monkeypatch.setattr("redun.store.location._is_installed", lambda name: name != "obstore")
    storage = open_storage(url, settings=StorageSettings())
    assert isinstance(storage, FsspecStorage)
    storage.write("a", b"x")
    assert storage.read("a") == b"x"


@pytest.mark.parametrize(
    ("url", "settings", "odd"),
    [
        ("gs://b/x", StorageSettings(region="eu"), "region"),
        ("az://b/x", StorageSettings(profile="p", requester_pays=True), "profile, requester_pays"),
        ("s3://b/x", StorageSettings(account="a"), "account"),
        ("memory://x", StorageSettings(endpoint="http://x"), "endpoint"),
    ],
)
def test_settings_of_another_cloud_are_refused(url: str, settings: StorageSettings, odd: str) -> None:
    """What a place has no use for is no setting of it."""
    with pytest.raises(UnsupportedUrl, match=f"has no setting {odd}$"):
        open_storage(url, settings=settings)


@pytest.mark.parametrize(
    ("scheme", "package", "extra"),
    [("gs", "gcsfs", "redun[fast]` or `redun[gs]"), ("az", "adlfs", "redun[fast]` or `redun[az]")],
)
def test_what_is_to_be_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, scheme: str, package: str, extra: str
) -> None:
    """Without a client for it, a URL is refused with the extra that brings one."""
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr("redun.store.location._is_installed", lambda name: name != "obstore")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.delitem(importlib.import_module("fsspec.registry")._registry, scheme, raising=False)
    with pytest.raises(UnsupportedUrl) as caught:
        open_storage(f"{scheme}://b/x")
    assert extra in str(caught.value.hint)
