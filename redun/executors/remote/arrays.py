"""Gathers equal jobs into arrays.  Pure: no clock, no thread.

Jobs of one task with equal options wait for each other until none has come for a while, or there are enough.  The
invariant: what goes in comes out once, in its order.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Sizes(NamedTuple):
    """When jobs make an array."""

    stale_seconds: float
    fewest: int
    most: int  # 1 or less: there are no arrays

    @property
    def has_arrays(self) -> bool:
        """Whether there are arrays at all."""
        return self.fewest > 0 and self.most > 1


@dataclass(frozen=True, slots=True)
class Batch(Generic[T]):
    """Jobs to be submitted together."""

    jobs: list[T]
    is_array: bool

    def split(self, most: int) -> Iterator[Batch[T]]:
        """Yield batches of at most so many jobs."""
        for at in range(0, len(self.jobs), most):
            yield Batch(self.jobs[at : at + most], self.is_array)


@dataclass(slots=True)
class _Group(Generic[T]):
    due: float
    jobs: list[T] = field(default_factory=list)


class Grouper(Generic[T]):
    """Holds jobs back until their array is full, or stale."""

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self._groups: dict[Hashable, _Group[T]] = {}

    def add(self, like: Hashable, job: T, now: float) -> Iterator[Batch[T]]:
        """Take a job; yield what is to be submitted at once.  Jobs with an equal ``like`` can be in one array."""
        if not self._sizes.has_arrays:
            yield Batch([job], is_array=False)
            return
        group = self._groups.setdefault(like, _Group(now))
        group.jobs.append(job)
        group.due = now + self._sizes.stale_seconds
        if len(group.jobs) >= self._sizes.most:
            yield from self._end(like)

    def take_due(self, now: float) -> Iterator[Batch[T]]:
        """Yield what has waited long enough."""
        for like in [like for like, group in self._groups.items() if group.due <= now]:
            yield from self._end(like)

    def take_all(self) -> list[T]:
        """Return all jobs that wait, and hold none of them any more."""
        found = [job for group in self._groups.values() for job in group.jobs]
        self._groups.clear()
        return found

    def next_due(self) -> float | None:
        """Return when there is something to take; None when nothing waits."""
        return min((group.due for group in self._groups.values()), default=None)

    def _end(self, like: Hashable) -> Iterator[Batch[T]]:
        jobs = self._groups.pop(like).jobs
        if len(jobs) >= max(2, self._sizes.fewest):
            yield Batch(jobs, is_array=True)
        else:
            yield from (Batch([job], is_array=False) for job in jobs)
