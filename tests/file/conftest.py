"""Each test of file/ runs in a folder of its own, with a stat cache of its own."""

import os

import pytest

from redun.file.local_filesystem import set_hash_mode
from redun.file.statcache import StatCache, use_stat_cache


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def stat_cache(own_folder):
    cache = StatCache()
    previous = use_stat_cache(cache)
    yield cache
    use_stat_cache(previous)
    set_hash_mode("content")


@pytest.fixture
def write_old():
    """Write a file whose stamps lie well in the past of the clock that a far-future cache reads."""

    def write(path, content: bytes, *, mtime: float = 1_000_000_000.5):
        with open(path, "wb") as stream:
            stream.write(content)
        os.utime(path, (mtime, mtime))
        return str(path)

    return write
