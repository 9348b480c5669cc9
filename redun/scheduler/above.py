"""What a worker knows of the run whose job it runs, for a run inside that job; see ``redun.scheduler.elsewhere``.

Apart from that module since every worker imports this, and few have such a run.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from redun.hashing import Oid


class Above(NamedTuple):
    """The run above, as far as a run inside one of its jobs must know of it."""

    repository: str  # the path of the ``.redun`` folder
    config: dict[str, dict[str, str]]
    argv: list[str]
    start_us: int
    use_cache: bool
    is_dryrun: bool
    keep_going: bool


class Added(NamedTuple):
    """What a run inside a job has left for the run above."""

    children: list[Oid]
    summary: tuple[bool, list[Oid], list[Oid], list[int]] | None
    is_unsure: bool
    batches: list[Oid]
    sources: list[Oid]
    own_tags: list[Oid]
    other_tags: list[Oid]


class Place:
    """Where a worker's job runs."""

    def __init__(self, above: Above | None) -> None:
        """``above``: None where the run is kept in no repository on a disk."""
        self.above = above
        self.added: Added | None = None


_here = threading.local()


def find_place() -> Place | None:
    """Return where the job of this thread runs; None outside of workers."""
    place: Place | None = getattr(_here, "place", None)
    return place


@contextmanager
def working_below(above: Mapping[str, Any] | None) -> Iterator[Place]:
    """Know, in this thread, of the run above the job that runs here; ``added`` tells afterwards what was added."""
    place = _here.place = Place(None if above is None else Above(**above))
    try:
        yield place
    finally:
        _here.place = None
