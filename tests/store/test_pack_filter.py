"""PackFilter: no pack that has an object is left out, and a large one is not read from end to end to tell."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.hashing import Oid, hash_blob
from redun.store.pack_filter import SMALL_PACK_OBJECTS, PackFilter

NUMBERS = st.integers(0, (1 << 32) - 1)
# Spread evenly, as hashes are, or as whoever makes up names may have it: all in one corner, many times the same.
TABLES = st.lists(NUMBERS | st.integers(0, 50) | st.integers((1 << 32) - 50, (1 << 32) - 1), min_size=1).map(sorted)


class Table(Sequence):
    """Numbers that note which of them were read."""

    def __init__(self, numbers):
        self.numbers = numbers
        self.read = []

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, at):
        self.read.append(at)
        return self.numbers[at]


class Pack:
    """What a filter asks of a pack's reader, and of its idx."""

    def __init__(self, prefixes, externs=(), count=None):
        self.prefixes = prefixes
        self.extern_prefixes = externs
        self.count = len(prefixes) if count is None else count
        self.idx = self

    def __len__(self):
        return self.count


@pytest.fixture
def all_large(monkeypatch):
    """Any pack is a large one."""
    monkeypatch.setattr("redun.store.pack_filter.SMALL_PACK_OBJECTS", 0)


def _name(number):
    return Oid(number.to_bytes(4, "big") + bytes(28))


def _places(pack_filter, number):
    return [(reader, at) for reader, at in pack_filter.iter_places(_name(number))]


@given(st.lists(TABLES, min_size=1, max_size=4), st.lists(NUMBERS, max_size=5))
def test_a_search_ends_where_the_number_begins(tables, others):
    """Whatever is in the tables, each pack that has a number is told, with its first place; one that has not is not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("redun.store.pack_filter.SMALL_PACK_OBJECTS", 0)
        packs = [Pack(table) for table in tables]
        held = PackFilter.of_held(packs)
    for number in {number for table in tables for number in table} | set(others):
        expected = [(pack, bisect_left(pack.prefixes, number)) for pack in packs if number in pack.prefixes]
        assert _places(held, number) == expected


@given(st.lists(NUMBERS, min_size=1), NUMBERS)
def test_a_table_out_of_order_is_no_error(table, number):
    """In a damaged one a number may be missed, as an object in a damaged pack may; nothing else happens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("redun.store.pack_filter.SMALL_PACK_OBJECTS", 0)
        held = PackFilter.of_held([Pack(table)])
    for _, at in held.iter_places(_name(number)):
        assert table[at] == number


def test_small_packs_are_told_without_a_search():
    """Their numbers are gathered; who asks on has to search for the place."""
    packs = [Pack([1, 5]), Pack([5, 9]), Pack([7])]
    held = PackFilter.of_held(packs)
    assert _places(held, 5) == [(packs[0], None), (packs[1], None)]
    assert _places(held, 6) == []


def test_what_tables_only_name_is_told_where_it_is_asked_for(all_large):
    """An object that a pack names and does not hold is of interest to who looks for outcomes, not to who reads."""
    packs = [Pack([1, 5]), Pack([2], externs=[5, 8]), Pack([3])]
    held = PackFilter.of_held(packs)
    named = held.with_named()
    assert _places(held, 5) == [(packs[0], 1)]
    assert _places(named, 5) == [(packs[0], 1), (packs[1], None)]
    assert _places(named, 8) == [(packs[1], None)]
    assert _places(named, 9) == []


def test_named_numbers_of_small_packs_are_told():
    """As of large ones."""
    packs = [Pack([1, 5]), Pack([2], externs=[5, 8])]
    named = PackFilter.of_held(packs).with_named()
    assert _places(named, 5) == [(packs[0], None), (packs[1], None)]
    assert _places(named, 8) == [(packs[1], None)]


def test_packs_that_hold_all_they_name_need_no_second_filter():
    """Numbers are gathered once then, and not twice."""
    held = PackFilter.of_held([Pack([1, 5]), Pack([2])])
    assert held.with_named() is held


def test_packs_behind_the_first_that_has_it_are_not_searched(all_large):
    """Who reads what the newest pack has does not touch the tables of all the others."""
    packs = [Pack(Table([1, 5])), Pack(Table([5])), Pack(Table([5, 9]))]
    held = PackFilter.of_held(packs)
    assert next(held.iter_places(_name(5))) == (packs[0], 1)
    assert packs[0].prefixes.read
    assert not packs[1].prefixes.read
    assert not packs[2].prefixes.read


def test_a_pack_without_objects_is_passed_over(all_large):
    """It has nothing to begin a search at."""
    packs = [Pack([]), Pack([4]), Pack([], externs=[4])]
    held = PackFilter.of_held(packs)
    assert _places(held, 4) == [(packs[1], 0)]
    assert {reader for reader, _ in held.with_named().iter_places(_name(4))} == {packs[1], packs[2]}


def test_a_large_table_is_read_in_few_places_close_together():
    """A search of 300 000 numbers reads 9 of them and not 18, nearly all within a kilobyte."""
    count = 300_000
    numbers = array("I", sorted(int.from_bytes(hash_blob(b"%d" % n)[:4], "big") for n in range(count)))
    assert count > SMALL_PACK_OBJECTS
    n_read, n_far = [], 0
    for n in range(count, count + 400):
        table = Table(numbers)
        list(PackFilter.of_held([Pack(table)]).iter_places(hash_blob(b"%d" % n)))
        n_read.append(len(table.read))
        near = table.read[1:]  # the first is where the number should be
        n_far += max(near) - min(near) > 1024 // 4
    assert sum(n_read) / len(n_read) < 10
    assert n_far <= 4
