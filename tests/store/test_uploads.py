"""Contents in parts: sizes, order, and sources that fail."""

from __future__ import annotations

import threading

import pytest

from redun.store.uploads import PARTS_AT_ONCE, iter_parts, send_parts


@pytest.mark.parametrize("sizes", [(), (1,), (10,), (3, 3, 3, 3), (25,), (9, 1, 10, 2), (0, 4, 0)])
def test_parts_are_of_one_size_but_for_the_last(sizes):
    """Whatever the pieces are, none of them empty."""
    content = bytes(range(sum(sizes)))
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    parts = list(iter_parts((content[start : start + size] for start, size in zip(starts, sizes)), 10))
    assert b"".join(parts) == content
    assert all(len(part) == 10 for part in parts[:-1])
    assert all(parts)


def test_what_came_of_parts_is_in_order():
    """Though they are sent at once."""
    numbers = range(1, 20)
    assert send_parts(lambda number, part: (number, bytes(part)), (bytearray([n]) for n in numbers)) == [
        (number, bytes([number])) for number in numbers
    ]


def test_few_parts_are_held_at_once():
    """A source is asked for a part when there is room for it."""
    lock, held, most = threading.Lock(), 0, 0

    def make():
        nonlocal held, most
        for _ in range(30):
            with lock:
                held += 1
                most = max(most, held)
            yield bytearray(1)

    def send(_number, _part):
        nonlocal held
        with lock:
            held -= 1

    send_parts(send, make())
    assert most <= PARTS_AT_ONCE + 1


def test_a_part_that_was_sent_is_emptied():
    """Clients may keep it for a while, and memory is bounded all the same."""
    kept = []
    send_parts(lambda _, part: kept.append(part), (bytearray(1000) for _ in range(9)))
    assert kept == [bytearray()] * 9


@pytest.mark.parametrize("where", ["source", "sending"])
def test_the_first_failure_ends_it(where):
    """Nothing is under way any more when it is told."""
    sent = []

    def make():
        for number in range(100):
            if where == "source" and number == 5:
                raise EOFError
            yield bytearray([number])

    def send(number, _part):
        if where == "sending" and number == 5:
            raise EOFError
        sent.append(number)

    with pytest.raises(EOFError):
        send_parts(send, make())
    assert len(sent) < 5 + 2 * PARTS_AT_ONCE
