"""What the tests of storages in buckets share: a bucket behind a proxy that counts requests."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from redun.testing.faulty_proxy import FaultyProxy
from redun.testing.s3_server import S3Server


class Place(NamedTuple):
    """An empty place in a bucket, and the proxy by which every S3 client goes there."""

    url: str
    proxy: FaultyProxy


@pytest.fixture
def place(s3_bucket: str, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A place whose requests are counted."""
    with FaultyProxy(s3_server.url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield Place(f"{s3_bucket}/{uuid.uuid4().hex}/a place", proxy)
