"""Reading ahead: order, bounds, and what becomes of pieces that nobody takes."""

from __future__ import annotations

import io
import threading

import pytest

from redun.store import read_ahead
from redun.store.read_ahead import PIECE_BYTES, PIECES_AHEAD, ReadAhead

CONTENT = bytes(range(256)) * (7 * PIECE_BYTES // 256) + b"end"


class Source:
    """A content that is fetched by ranges, and tells how many were under way at once."""

    def __init__(self, content=CONTENT):
        self.content = content
        self.lock = threading.Lock()
        self.asked = []
        self.n_now = self.n_most = 0

    def fetch(self, start, length):
        with self.lock:
            self.asked.append((start, length))
            self.n_now += 1
            self.n_most = max(self.n_most, self.n_now)
        piece = self.content[start : start + length]
        with self.lock:
            self.n_now -= 1
        return piece

    def open(self):
        return ReadAhead(self.content[:PIECE_BYTES], len(CONTENT), self.fetch)


def free_room():
    """Return how many pieces may be ahead now."""
    return len(read_ahead._room)


@pytest.fixture(autouse=True)
def room():
    before = free_room()
    yield before
    assert free_room() == before


def test_bytes_come_in_order_and_each_is_asked_for_once():
    """However they arrive, whatever sizes are read."""
    source = Source()
    with io.BufferedReader(source.open()) as stream:
        assert stream.read(3) + stream.read(10_000_000) + stream.read() == CONTENT
    asked = sorted(source.asked)
    assert [start for start, _ in asked] == list(range(PIECE_BYTES, len(CONTENT), PIECE_BYTES))
    assert sum(length for _, length in asked) == len(CONTENT) - PIECE_BYTES
    assert source.n_most <= PIECES_AHEAD


def test_what_fits_into_one_piece_asks_for_nothing_more():
    """The first piece is all of it then."""
    stream = ReadAhead(b"all", 3, lambda *_: pytest.fail("asked for more"))
    assert stream.read() == b"all"


def test_nothing_more_than_the_window_is_asked_for_before_it_is_read():
    """So memory is bounded, however large the content."""
    source = Source()
    with source.open() as stream:
        stream.read(1)
    assert len(source.asked) <= PIECES_AHEAD


def test_streams_without_room_go_on_piece_by_piece(room):
    """Many streams share the room; one that gets none waits for nobody."""
    sources = [Source() for _ in range(room // PIECES_AHEAD + 3)]
    streams = [source.open() for source in sources]
    assert free_room() == 0
    assert all(stream.read() == CONTENT for stream in reversed(streams))


def test_a_short_piece_is_an_error():
    """A server that gives less than it was asked for has another content by now."""
    source = Source(CONTENT[:-1])
    with source.open() as stream, pytest.raises(OSError, match="expected 3 bytes, found 2"):
        stream.read()


def test_a_fetch_that_fails_is_told_to_the_reader(room):
    """And what was ahead of it is given up."""

    def fail(_start, _length):
        raise ConnectionError("cut off")

    with ReadAhead(b"x", len(CONTENT), fail) as stream:
        assert stream.read(1) == b"x"
        with pytest.raises(ConnectionError, match="cut off"):
            stream.read(1)
