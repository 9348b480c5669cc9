"""OverlayStore: the contract, over an empty and over a filled lower store."""

from __future__ import annotations

import pytest

from redun.objects.execution_records import JobStatus
from redun.store.memory import MemoryStore
from redun.store.overlay import OverlayStore
from redun.testing.object_store import ABSENT, ObjectStoreSuite, put_jobs, put_value


class TestOverlayStore(ObjectStoreSuite):
    @pytest.fixture
    def store(self):
        return OverlayStore(MemoryStore(), MemoryStore())


@pytest.fixture
def lower():
    store = MemoryStore()
    put_value(store, "below")
    return store


def test_what_the_lower_store_has_is_not_written_again(lower):
    """Only what is new goes to the upper store, and nothing to the lower one."""
    upper = MemoryStore()
    store = OverlayStore(upper, lower)
    below, above = put_value(store, "below"), put_value(store, "above")
    assert store.get(below) == lower.get(below)
    assert [oid for oid, _ in upper.iter_oids()] == [above]
    assert not lower.has(above)


def test_both_stores_are_read_and_nothing_comes_twice(lower):
    """Listings join both stores: oids, prefixes, kinds."""
    upper = MemoryStore()
    below = put_value(upper, "below")
    store = OverlayStore(upper, lower)
    above = put_value(store, "above")
    assert sorted(oid for oid, _ in store.iter_oids()) == sorted([below, above])
    assert [oid for oid, _ in store.find_prefix(below.hex())] == [below]
    assert store.kind_of(below) == store.kind_of(above)
    assert store.kind_of(ABSENT) is None


def test_candidates_of_both_stores_come_newest_first(lower):
    """A result of this run stands before the older one below."""
    evaluated, old, new = (put_value(lower, name) for name in ("eval", "old", "new"))
    put_jobs(lower, [(evaluated, old, 1_000, JobStatus.DONE)])
    store = OverlayStore(MemoryStore(), lower)
    put_jobs(store, [(evaluated, new, 2_000, JobStatus.DONE)])
    assert [candidate.target for candidate in store.find_candidates(evaluated)] == [new, old]
