"""How calls are put into parts."""

from __future__ import annotations

import pytest

from redun.executors.spark.pace import MAX_PART_BYTES, Pace
from redun.executors.spark.piece import Piece
from redun.testing.portable_work import CommandWork


def make_pieces(n: int, *, has_time_limit: bool = False) -> list[Piece]:
    """Return calls of one task, that have been packed."""
    pieces = [Piece(CommandWork("echo", "a"), number, has_time_limit=has_time_limit) for number in range(n)]
    for piece in pieces:
        piece.parcel = b"parcel"
    return pieces


def sizes(pace: Pace, pieces: list[Piece], n_slots: int) -> list[int]:
    """Return how many calls go into each part."""
    return [len(part) for part in pace.split(pieces, n_slots)]


def known(seconds: float) -> Pace:
    """Return a pace of parts of half a second, that has seen a call."""
    pace = Pace(0.5)
    pace.note(CommandWork.task_name, seconds)
    return pace


def test_calls_that_nobody_knows_go_one_by_one():
    """Each may take an hour."""
    assert sizes(Pace(0.5), make_pieces(5), 2) == [1] * 5


@pytest.mark.parametrize(
    ("seconds", "n", "n_slots", "expected"),
    [
        (0.0001, 1000, 2, [500, 500]),  # short ones are shared out between the slots
        (0.0001, 100, 2, [100]),  # but not in crumbs
        (0.1, 20, 2, [5, 5, 5, 5]),  # what takes longer comes home after half a second
        (3.0, 4, 2, [1, 1, 1, 1]),
        (0.1, 4, 8, [1, 1, 1, 1]),
    ],
)
def test_parts_take_half_a_second_at_most_and_keep_all_slots_busy(seconds, n, n_slots, expected):
    """In order."""
    assert sizes(known(seconds), make_pieces(n), n_slots) == expected


def test_large_parcels_make_small_parts():
    """Spark sends a part within a message of limited size."""
    pieces = make_pieces(4)
    for piece in pieces:
        piece.parcel = bytes(MAX_PART_BYTES // 2)
    assert sizes(known(0.0001), pieces, 1) == [2, 2]


def test_calls_with_a_time_limit_go_alone():
    """Their Spark job can be cancelled; those beside them go together."""
    mixed = [*make_pieces(3), *make_pieces(2, has_time_limit=True), *make_pieces(3)]
    assert sizes(known(0.0001), mixed, 1) == [3, 1, 1, 3]


def test_the_pace_follows_what_calls_take():
    """The newest counts for a third or so."""
    pace = known(1.0)
    for _ in range(20):
        pace.note(CommandWork.task_name, 0.01)
    assert 0.01 <= pace.guess(CommandWork.task_name) < 0.02
