"""A large content in a bucket: the same bytes as a slice of it, in few requests."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.store.ranged import MAX_PARTS_AT_ONCE, PART_BYTES, Ranged

CONTENT = bytes(range(251)) * (5 * PART_BYTES // 251 + 7)
N_PARTS = (len(CONTENT) - 1) // PART_BYTES + 1


class Bucket:
    def __init__(self, content=CONTENT):
        self.content = content
        self.requests = []

    def fetch(self, start, length):
        self.requests.append((start, length))
        return self.content[start : start + length]


@given(st.lists(st.tuples(st.integers(0, len(CONTENT) + 5), st.integers(0, len(CONTENT) + 5)), max_size=5))
@settings(max_examples=30)
def test_a_slice_is_what_it_is_of_the_content(ranges):
    """Whatever was read before, a slice has the bytes of the content's, clipped as a slice clips."""
    ranged = Ranged(len(CONTENT), Bucket().fetch)
    for start, stop in ranges:
        assert ranged[start:stop] == CONTENT[start:stop]
    assert len(ranged) == len(CONTENT)


def test_a_part_is_fetched_once():
    """Small slices of one part cost one request in all."""
    bucket = Bucket()
    ranged = Ranged(len(CONTENT), bucket.fetch)
    for start in range(0, 1000, 10):
        assert ranged[start : start + 10] == CONTENT[start : start + 10]
    assert bucket.requests == [(0, PART_BYTES)]


def test_reading_in_order_takes_ever_larger_requests():
    """Twice as many parts each time: a pack that is read from end to end is not read in many requests."""
    bucket = Bucket()
    ranged = Ranged(len(CONTENT), bucket.fetch)
    assert b"".join(bytes(ranged[at : at + 65536]) for at in range(0, len(CONTENT), 65536)) == CONTENT
    assert len(bucket.requests) < N_PARTS
    assert all(length <= MAX_PARTS_AT_ONCE * PART_BYTES for _, length in bucket.requests)


def test_what_an_earlier_process_kept_is_not_fetched():
    """A part that is kept serves, unless it is cut short."""
    bucket = Bucket()
    kept = {0: CONTENT[:PART_BYTES], 1: b"short"}
    ranged = Ranged(len(CONTENT), bucket.fetch, find=kept.get, keep=kept.__setitem__)
    assert ranged[10:20] == CONTENT[10:20]
    assert bucket.requests == []
    assert ranged[PART_BYTES : PART_BYTES + 9] == CONTENT[PART_BYTES : PART_BYTES + 9]
    assert len(kept[1]) == PART_BYTES


def test_a_reply_that_is_cut_short_is_an_error():
    """Nothing is made of half a part."""
    ranged = Ranged(len(CONTENT), Bucket(CONTENT[:100]).fetch)
    with pytest.raises(OSError, match="found 100"):
        ranged[0:10]


def test_only_plain_slices_are_taken():
    """A step is a mistake of ours."""
    with pytest.raises(ValueError, match="plain slice"):
        Ranged(10, Bucket().fetch)[0:10:2]
