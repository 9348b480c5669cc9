"""Recorded results that must not serve again.  Normative page: docs/format/forgotten.md.

The invariant: forgetting only ever takes candidates away, so what it gets wrong costs a job that runs again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.oid import parse_oid
from redun.store.base import Candidate
from redun.store.lists import write_list
from redun.store.storage import Storage

SUFFIX = ".forgotten"
VERSION_LINE = "redun-forgotten 1"
_EVAL, _TASK = "eval", "task"


class Forgotten(NamedTuple):
    """Up to which time, in microseconds since 1970 UTC, what was recorded does not count."""

    evals: Mapping[Oid, int]  # outcomes of these
    tasks: Mapping[Oid, int]  # calls in one step that have these tasks, or callings, below them

    def __bool__(self) -> bool:
        return bool(self.evals or self.tasks)

    def filter(self, key: Oid, found: list[Candidate]) -> list[Candidate]:
        """Return the candidates of an eval or a task that count; a forgotten task is one that was contested then."""
        limit = self.evals.get(key)
        if limit is not None:
            found = [candidate for candidate in found if candidate.time_us > limit]
        contested = self.tasks.get(key)
        return found if contested is None else [*found, Candidate(contested, key)]


def write_forgotten(storage: Storage, forgotten: Forgotten, now_us: int) -> str:
    """Write a list; return its name.  Raises as ``write_list`` does."""
    rows = ((_EVAL, forgotten.evals), (_TASK, forgotten.tasks))
    lines = sorted(f"{what} {oid.hex()} {time_us}" for what, times in rows for oid, time_us in times.items())
    return write_list(storage, SUFFIX, [VERSION_LINE, *lines], now_us)


def parse_forgotten(lines: Iterable[str]) -> tuple[Forgotten, list[str]]:
    """Read lines of lists; return what they say together, and those of another form."""
    found: dict[str, dict[Oid, int]] = {_EVAL: {}, _TASK: {}}
    strange: list[str] = []
    for line in lines:
        try:
            what, digits, text = line.split(" ")
            oid, time_us = parse_oid(digits), int(text)
            times = found[what]
        except (ObjectError, ValueError, KeyError):
            strange.append(line)
            continue
        times[oid] = max(time_us, times.get(oid, time_us))
    return Forgotten(found[_EVAL], found[_TASK]), strange
