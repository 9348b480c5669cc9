"""How long calls take, and so how many go into one part.

A part should be long enough to be worth a Spark task (10 ms), and short enough that results come home soon.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from redun.executors.spark.piece import Piece

LEAST_PART_SECONDS = 0.05
WEIGHT = 0.3  # of the newest call in the mean
MAX_PART_BYTES = 32 << 20
"""Spark sends a part within the description of its task, which may take 128 MiB."""


class Pace:
    """Seconds per call, by task."""

    def __init__(self, part_seconds: float) -> None:
        """``part_seconds``: how long a part should take."""
        self._part_seconds = part_seconds
        self._means: dict[str, float] = {}

    def note(self, task_name: str, seconds: float) -> None:
        """Take into account that a call took so long."""
        mean = self._means.get(task_name, seconds)
        self._means[task_name] = mean + WEIGHT * (seconds - mean)

    def guess(self, task_name: str) -> float:
        """Return how many seconds a call will take; of a task that nobody has seen yet it fills a part."""
        return self._means.get(task_name, self._part_seconds)

    def split(self, pieces: Sequence[Piece], n_slots: int) -> list[list[Piece]]:
        """Return the pieces in parts, in order: as many as there are slots at least, if there are so many pieces.

        One that goes alone is a part of its own.
        """
        costs = [self.guess(piece.task_name) for piece in pieces]
        limit = max(min(self._part_seconds, sum(costs) / n_slots), LEAST_PART_SECONDS)
        return list(_fill(zip(pieces, costs), limit))


def _fill(pieces: Iterable[tuple[Piece, float]], limit_seconds: float) -> Iterable[list[Piece]]:
    part: list[Piece] = []
    seconds, size = 0.0, 0
    for piece, cost in pieces:
        # A part may pass its limit by half a call, or the last part of equal calls would be one of crumbs.
        is_full = seconds + cost / 2 > limit_seconds or size + len(piece.parcel) > MAX_PART_BYTES
        if part and (is_full or piece.goes_alone or part[0].goes_alone):
            yield part
            part, seconds, size = [], 0.0, 0
        part.append(piece)
        seconds += cost
        size += len(piece.parcel)
    if part:
        yield part
