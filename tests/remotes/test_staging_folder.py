"""Folders of staged packs: those of the dead go with the next fetch, those of the living stay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from redun.remotes.fetch import fetch
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.remotes.staging_folder import GRACE_SECONDS, StagingFolder, remove_abandoned
from redun.store.liveness import describe_writer, now_us
from redun.store.memory_storage import MemoryStorage
from redun.store.repository import Repository
from redun.testing.objects import make_execution

STAGE = """
import sys
from pathlib import Path
from redun.remotes.staging_folder import StagingFolder
folder = StagingFolder(Path(sys.argv[1]))
(folder.path / "pack").write_bytes(b"half of it")
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """A process that stages packs in the cache, and its folder."""
    command = [sys.executable, "-c", STAGE, str(tmp_path / "cache")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def _age(path, seconds):
    """Make a folder look as if it had last been touched so long ago."""
    moment = now_us() / 1e6 - seconds
    for each in (*path.iterdir(), path):
        os.utime(each, (moment, moment))


def test_a_folder_goes_when_it_is_closed(tmp_path):
    """Nothing is left of a transfer that ends, well or not."""
    folder = StagingFolder(tmp_path / "cache")
    assert folder.path.is_dir()
    folder.close()
    folder.close()
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_folder_of_a_killed_process_goes(tmp_path, other):
    """As soon as its process is dead, and not before, however old it looks."""
    process, path = other
    _age(path, 10 * GRACE_SECONDS)
    assert remove_abandoned(tmp_path / "cache", now_us()) == 0
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (path / "pack").exists()
    assert remove_abandoned(tmp_path / "cache", now_us()) == 1
    assert not path.exists()


def test_the_next_fetch_cleans(tmp_path):
    """What a killed pull left takes room until somebody pulls again."""
    there = MemoryStorage()
    with Repository.init(tmp_path / "source" / ".redun") as source:
        make_execution(source.store, source.refs)
        push(source, Remote("origin", there))
    with Repository.init(tmp_path / "target" / ".redun") as target:
        folder = StagingFolder(target.cache_path)
        left = folder.path
        dead = describe_writer(now_us(), token=b"dead")._replace(pid=2**22 + 1)  # beyond the largest pid there can be
        (left / "writer").write_bytes(dead.encode())
        fetch(target, Remote("origin", there))
        assert not left.exists()


@pytest.mark.parametrize("has_writer", [True, False])
def test_of_who_cannot_be_seen_only_the_age_tells(tmp_path, has_writer):
    """A folder of another host, or one that names nobody, stays for a day."""
    folder = StagingFolder(tmp_path / "cache")
    writer = folder.path / "writer"
    if has_writer:
        writer.write_bytes(describe_writer(now_us(), token=b"far")._replace(host="elsewhere").encode())
    else:
        writer.write_bytes(b"cut off")
    _age(folder.path, GRACE_SECONDS - 60)
    assert remove_abandoned(tmp_path / "cache", now_us()) == 0
    _age(folder.path, GRACE_SECONDS + 60)
    if has_writer:
        folder.touch()
        assert remove_abandoned(tmp_path / "cache", now_us()) == 0
        _age(folder.path, GRACE_SECONDS + 60)
    assert remove_abandoned(tmp_path / "cache", now_us()) == 1


def test_other_parts_of_the_cache_stay(tmp_path):
    """What is no staging folder is none of its business."""
    (tmp_path / "remotes").mkdir()
    (tmp_path / "fetched").mkdir()
    assert remove_abandoned(tmp_path, now_us()) == 0
    assert remove_abandoned(tmp_path / "nowhere", now_us()) == 0
    assert len(list(tmp_path.iterdir())) == 2
