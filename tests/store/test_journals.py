"""Journals: the own one and those of other writers as one."""

from __future__ import annotations

import pytest

from redun.hashing import hash_blob
from redun.store.journals import Journals

NOW_US = 1_750_000_000_000_000


@pytest.fixture
def make(tmp_path):
    """Make journals over one folder, as processes do, each with a way to put blobs into its own."""

    def make(**options):
        return Journals(tmp_path, clock=lambda: NOW_US, durability="off", **{"is_writable": True, **options})

    return make


def _put(journals, *contents):
    for content in contents:
        journals.own.put(hash_blob(content), content, 0)
    journals.own.flush()
    return [hash_blob(content) for content in contents]


def test_objects_of_all_writers_are_found(make):
    """Wherever they were put; the own ones come first, of each writer the last one first."""
    mine, theirs = make(), make()
    a, b = _put(mine, b"a", b"b")
    c, d = _put(theirs, b"c", b"d")
    assert mine.get(c) is None
    mine.refresh()
    assert [mine.get(oid) for oid in (a, b, c, d)] == [b"a", b"b", b"c", b"d"]
    assert [oid for oid, _ in mine.iter_oids()] == [b, a, d, c]
    assert mine.get(hash_blob(b"e")) is None


def test_who_only_reads_has_no_journal(make):
    """Nothing is written on its behalf, and others are read all the same."""
    (a,) = _put(make(), b"a")
    reader = make(is_writable=False)
    reader.refresh()
    assert reader.own is None
    assert reader.get(a) == b"a"
    assert reader.find_producers(a) == set()


def test_without_a_folder_there_are_none():
    """As under a URL: every question has its answer."""
    journals = Journals(None, clock=lambda: NOW_US, durability="off", is_writable=True)
    journals.refresh()
    assert (journals.own, list(journals.others), list(journals.iter_oids())) == (None, [], [])
    assert journals.pinned_packs() == set()


def test_packs_that_a_journal_names_are_pinned(make):
    """The own one's, and those of any other that was replaced in the middle of its run."""
    mine, theirs = make(), make()
    first, second = hash_blob(b"1"), hash_blob(b"2")
    theirs.own.packs.append(first)
    theirs.own.roll_over()
    mine.own.packs.append(second)
    mine.refresh()
    assert mine.pinned_packs() == {first, second}
