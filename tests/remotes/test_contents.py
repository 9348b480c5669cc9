"""Large contents on their way: how many at once, what is told, and what a remote that goes away costs."""

from __future__ import annotations

import threading

import pytest

from redun.hashing import hash_blob
from redun.remotes.contents import MAX_REQUESTS, get_contents, map_contents
from redun.remotes.push import push
from redun.remotes.reach import RemoteDamaged, RemoteUnreachable
from redun.remotes.remote import Remote
from redun.store.blobs import blob_name
from redun.store.local_storage import LocalStorage
from redun.store.memory_storage import MemoryStorage
from redun.store.repository import Repository
from redun.testing.objects import make_execution

CONTENTS = {hash_blob(content): content for content in (bytes([number]) * (1 << 20) for number in range(40))}
SIZES = {oid: len(content) for oid, content in CONTENTS.items()}


class Place(MemoryStorage):
    """A place far away that fails when told to, and may hold requests until two are there."""

    def __init__(self, contents=()):
        super().__init__()
        self.is_down = False
        self.n_opened = 0
        self.both = None
        for oid in contents:
            self.write(blob_name(oid), CONTENTS[oid])

    def open(self, name):
        self.n_opened += 1
        if self.is_down:
            raise OSError("no route")
        if self.both is not None:
            self.both.wait()
        return super().open(name)

    def write(self, name, content):
        if self.both is not None and name.startswith("objects/blob/"):
            self.both.wait()
        super().write(name, content)


@pytest.fixture
def both():
    """Passes only who comes as one of two."""
    return threading.Barrier(2, timeout=30)


def test_several_come_at_once(both, tmp_path):
    """One that waits for its bytes does not keep the next from asking."""
    place = Place(CONTENTS)
    place.both = both
    target = LocalStorage(tmp_path)
    assert get_contents(Remote("origin", place), target, SIZES) == []
    assert all(target.read(blob_name(oid)) == content for oid, content in CONTENTS.items())


def test_several_are_sent_at_once(both, tmp_path):
    """A push writes contents as a pull reads them."""
    place = Place()
    place.both = both
    told = []
    with Repository.init(tmp_path / ".redun") as repository:
        make_execution(repository.store, repository.refs, 1, blobs=list(CONTENTS.values()))
        push(
            repository, Remote("origin", place), on_progress=lambda done, total, what: told.append((done, total, what))
        )
    assert all(place.read(blob_name(oid)) == content for oid, content in CONTENTS.items())
    sending = [(done, total) for done, total, what in told if what == "sending contents"]
    assert sending == [((number + 1) << 20, 40 << 20) for number in range(40)]


def test_bytes_are_told_as_they_come(tmp_path):
    """From nothing to all, in pieces of 1 MiB."""
    told = []
    get_contents(
        Remote("origin", Place(CONTENTS)),
        LocalStorage(tmp_path),
        SIZES,
        lambda done, total, _: told.append((done, total)),
    )
    assert told == [(number << 20, 40 << 20) for number in range(41)]


def test_what_is_wrong_with_some_is_told_while_the_others_come(tmp_path):
    """A content that is not what its name says, and one that is gone, keep nothing else away."""
    place, target = Place(CONTENTS), LocalStorage(tmp_path)
    damaged, gone, *others = CONTENTS
    place.write(blob_name(damaged), b"x")
    place.delete(blob_name(gone))
    errors = get_contents(Remote("origin", place), target, SIZES)
    assert [isinstance(error, RemoteDamaged) for error in errors] == [True, True]
    assert all(target.size(blob_name(oid)) == 1 << 20 for oid in others)
    assert target.size(blob_name(damaged)) is target.size(blob_name(gone)) is None


def test_a_remote_that_is_down_is_not_asked_for_each(tmp_path):
    """Each request is repeated for a while by the client: a thousand contents would take hours to fail."""
    place = Place(CONTENTS)
    place.is_down = True
    errors = get_contents(Remote("origin", place), LocalStorage(tmp_path), SIZES)
    assert len(errors) == len(CONTENTS)
    assert all(isinstance(error, RemoteUnreachable) for error in errors)
    assert place.n_opened < 2 * MAX_REQUESTS


def test_contents_that_take_memory_go_one_by_one():
    """Three of some size, and one of those that are several requests by themselves; results keep their order."""
    lock, now, most = threading.Lock(), 0, {}

    def move(oid):
        nonlocal now
        with lock:
            now += 1
            most[sizes[oid]] = max(most.get(sizes[oid], 0), now)
        with lock:
            now -= 1
        return oid

    sizes = {oid: (1 << 20, 8 << 20, 64 << 20)[number % 3] for number, oid in enumerate(CONTENTS)}
    assert map_contents(Remote("origin", Place()), move, sizes) == list(sizes)
    assert most[1 << 20] <= MAX_REQUESTS
    assert most[8 << 20] <= 3
    assert most[64 << 20] == 1
