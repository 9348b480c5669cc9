"""Kept listings: few requests, and what this process has done is in them."""

from __future__ import annotations

from redun.store.listings import LISTING_SECONDS, Listings, folder_of
from redun.store.memory_storage import MemoryStorage
from redun.store.storage import Entry
from redun.testing.probed import ProbedStorage

PACK, CONTENT, REF = "objects/pack/p", "objects/blob/aa/b", "refs/executions/r"


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


def make():
    bucket, clock = ProbedStorage(MemoryStorage()), Clock()
    for name in (PACK, CONTENT, REF):
        bucket.inner.write(name, b"x")
    return bucket, clock, Listings(bucket, clock=clock)


def test_a_folder_is_listed_once_for_many_questions():
    """What is there and what is not is answered from one listing."""
    bucket, _, listings = make()
    assert listings.find(PACK).size == 1
    assert listings.find("objects/pack/absent") is None
    assert [entry.name for entry in listings.list_below("objects/pack")] == [PACK]
    assert bucket.calls == [("list", "objects/pack")]


def test_a_listing_grows_old():
    """What another machine wrote is seen when the listing has had its time, or is known to be wrong."""
    bucket, clock, listings = make()
    listings.load("refs")
    bucket.inner.write("refs/executions/later", b"")
    assert listings.find("refs/executions/later") is None
    clock.seconds += LISTING_SECONDS
    assert listings.find("refs/executions/later") is not None
    bucket.inner.write("refs/executions/latest", b"")
    listings.expire("refs")
    assert listings.find("refs/executions/latest") is not None


def test_what_this_process_did_shows_at_once():
    """A write and a deletion change the listing without another request."""
    bucket, _, listings = make()
    listings.load("objects/pack")
    listings.note(Entry("objects/pack/new", 3, 0))
    listings.forget(PACK)
    assert [entry.name for entry in listings.list_below("objects/pack")] == ["objects/pack/new"]
    assert len(bucket.calls) == 1


def test_contents_are_listed_after_packs():
    """Contents that a pack speaks of are found once the pack is: they were written before it."""
    bucket, clock, listings = make()
    listings.load("objects/blob")
    clock.seconds += LISTING_SECONDS / 2
    bucket.inner.write("objects/blob/cc/d", b"")
    listings.load("objects/pack")
    assert listings.find("objects/blob/cc/d") is not None


def test_a_slow_listing_serves_for_longer():
    """A bucket of many pages is not listed all the time."""
    clock = Clock()

    class Slow(MemoryStorage):
        def iter_entries(self, prefix):
            clock.seconds += 60
            return super().iter_entries(prefix)

    bucket = ProbedStorage(Slow())
    listings = Listings(bucket, clock=clock)
    listings.load("refs")
    clock.seconds += 1000
    listings.load("refs")
    assert len(bucket.calls) == 1


def test_names_belong_to_folders():
    """The folder itself and what is below it at any depth, and nothing that only begins alike."""
    assert folder_of("objects/pack") == folder_of(PACK) == "objects/pack"
    assert folder_of(CONTENT) == "objects/blob"
    assert folder_of("refs/tags/x") == "refs"
    assert folder_of("objects/format") == folder_of("objects/packs") == folder_of("") == ""
