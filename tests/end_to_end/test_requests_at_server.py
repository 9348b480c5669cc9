"""What transfers cost in requests at a real server, whatever client makes them."""

from __future__ import annotations

import uuid

import pytest

from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.store.boto_storage import BotoStorage
from redun.store.local_storage import LocalStorage
from redun.store.obstore_storage import ObstoreStorage
from redun.store.repository import Repository
from redun.testing.faulty_proxy import FaultyProxy
from redun.testing.objects import make_execution

N_JOBS = 5_000
CLIENTS = {"obstore": ObstoreStorage, "botocore": BotoStorage}


@pytest.fixture
def proxy(s3_server, monkeypatch):
    with FaultyProxy(s3_server.url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


@pytest.mark.parametrize("client", CLIENTS)
def test_transfers_cost_the_same_requests_through_each_client(client, s3_bucket, proxy, tmp_path):
    """Eight for a first push, two to see that there is nothing new, and so on: the client adds none of its own."""
    url = f"{s3_bucket}/{uuid.uuid4().hex}"

    def count(transfer, repository):
        proxy.calm()
        cache = LocalStorage(repository.cache_path / "remotes" / "origin")
        storage, project = (CLIENTS[client](place) for place in (url, f"{url}/.redun"))
        transfer(repository, Remote("origin", storage, cache, project=project))
        return len(proxy.requests)

    with (
        Repository.init(tmp_path / "here" / ".redun") as here,
        Repository.init(tmp_path / "there" / ".redun") as there,
    ):
        make_execution(here.store, here.refs, N_JOBS)
        assert count(push, here) <= 8
        assert count(push, here) == 2
        assert count(pull, there) <= 8
        assert count(pull, there) == 2
        make_execution(here.store, here.refs, 2, seed=1)
        assert count(push, here) <= 6
        assert count(pull, there) <= 6
