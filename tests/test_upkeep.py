"""Packs at a remote that many push to: few, whoever pushes, and with all that was in them."""

from __future__ import annotations

import pytest

from redun.errors import RemoteError
from redun.remotes.connect import connect
from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.store.base import ReadOnlyStore
from redun.store.local_storage import LocalStorage
from redun.store.maintain.fsck import check_repository
from redun.store.pack_format import FOLDER, PACK_SUFFIX
from redun.store.repository import Repository
from redun.testing.objects import make_execution
from redun.upkeep import repack_remote

LIMIT = 17  # above what a repository at a URL lets lie


class Pusher:
    """A project that pushes runs one by one, and looks after the remote."""

    def __init__(self, folder, url, *lines):
        self.repository = Repository.init(folder / ".redun")
        (folder / ".redun" / "redun.ini").write_text("\n".join(["[remotes.origin]", f"url = {url}", *lines]))

    def push(self, seed, max_packs=LIMIT):
        """Make a run, push it, and return how many packs were merged."""
        make_execution(self.repository.store, self.repository.refs, seed=seed)
        remote = connect(self.repository, "origin")
        push(self.repository, remote)
        return repack_remote(self.repository, remote, max_packs=max_packs)

    def count_packs(self):
        """Return how many packs the remote has."""
        entries = connect(self.repository, "origin").storage.iter_entries(FOLDER)
        return sum(entry.name.endswith(PACK_SUFFIX) for entry in entries)


@pytest.fixture(params=["folder", "bucket"])
def url(request, tmp_path):
    """Where the remote is."""
    return "../shared" if request.param == "folder" else f"memory://{tmp_path.name}/cache"


@pytest.fixture
def pusher(tmp_path, url):
    """One that has pushed until the next push merges."""
    made = Pusher(tmp_path / "one", url)
    merged = [made.push(seed) for seed in range(LIMIT)]
    assert not any(merged)
    assert made.count_packs() == LIMIT
    yield made
    made.repository.close()


def test_pushes_leave_few_packs_with_all_that_was_pushed(pusher, url, tmp_path):
    """One push too many merges them; who pulls gets every run, whole."""
    assert pusher.push(LIMIT) == LIMIT + 1
    assert pusher.count_packs() == 1
    assert pusher.push(LIMIT + 1) == 0
    reader = Pusher(tmp_path / "two", url)
    report = pull(reader.repository, connect(reader.repository, "origin"))
    assert report.executions == LIMIT + 2
    assert check_repository(reader.repository).is_clean
    reader.repository.close()


def test_a_push_goes_on_over_packs_that_were_merged_meanwhile(pusher, url, tmp_path):
    """Another has listed the packs before they were merged: it sends what is new, and nothing dangles."""
    other = Pusher(tmp_path / "two", url)
    remote = connect(other.repository, "origin")
    remote.load_packs()
    pusher.push(LIMIT)
    make_execution(other.repository.store, other.repository.refs, seed=99)
    push(other.repository, remote)
    report = pull(pusher.repository, connect(pusher.repository, "origin"))
    assert report.executions == 1
    assert check_repository(pusher.repository).is_clean
    other.repository.close()


def test_nothing_is_written_where_nothing_can_be_deleted(tmp_path, monkeypatch):
    """Who may only write leaves merging to others, and no copies behind."""
    pusher = Pusher(tmp_path / "one", "../shared")
    for seed in range(2):
        pusher.push(seed)
    shared = str((tmp_path / "shared").resolve())
    delete = LocalStorage.delete

    def refuse(storage, name):
        if storage.location == shared:
            raise ReadOnlyStore(f"access denied: {name}")
        delete(storage, name)

    monkeypatch.setattr(LocalStorage, "delete", refuse)
    with pytest.raises(ReadOnlyStore, match="access denied"):
        pusher.push(2, max_packs=2)
    assert pusher.count_packs() == 3
    pusher.repository.close()


@pytest.mark.parametrize("line", ["namespace = pr", "trust = data"])
def test_what_is_not_trusted_is_left_to_others(tmp_path, line):
    """A namespace of an untrusted writer, and a remote from which only data is taken."""
    pusher = Pusher(tmp_path / "one", "../shared", line)
    for seed in range(3):
        assert pusher.push(seed, max_packs=1) == 0
    pusher.repository.close()


def test_a_remote_that_went_away_is_an_error(tmp_path):
    """The push was done by then; whoever called tells of the rest."""
    pusher = Pusher(tmp_path / "one", "../shared")
    pusher.push(0)
    remote = connect(pusher.repository, "origin")
    remote.load_packs()
    (tmp_path / "one" / ".redun" / "redun.ini").write_text("")
    with pytest.raises(RemoteError, match="there is no remote 'origin'"):
        repack_remote(pusher.repository, remote, max_packs=0)
    pusher.repository.close()
