"""What the store answers besides "what is this object": which outcomes an eval has, and what produced a file.

Both follow from nodes alone: ``find_outcomes`` reads the first from *jobs* nodes, ``find_produced`` the second from
*call* and *reduction* nodes.  A pack carries the answers in its idx (docs/format/pack.md); ``RecentLookups`` keeps them
for objects that are in no pack yet, and reads a node only once somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import msgpack

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.codec import decode_node
from redun.objects.execution_records import CANDIDATE_STATUSES
from redun.objects.kinds import Kind
from redun.store.base import Candidate
from redun.store.canonical import locate_links, split_node

_CALL, _JOBS, _REDUCTION = int(Kind.CALL), int(Kind.JOBS), int(Kind.REDUCTION)
LOOKUP_KINDS = frozenset({_CALL, _JOBS, _REDUCTION})
"""Kinds of node that answer a lookup."""

_CANDIDATE_STATUSES = frozenset(map(int, CANDIDATE_STATUSES))
_TIME_LIMIT = 1 << 63


def find_outcomes(jobs: bytes) -> list[tuple[Oid, Oid, int]]:
    """Return (eval, target, time in microseconds since 1970) of each row of a *jobs* node that is a candidate.

    It reads the columns and makes no ``JobRow``: 0.4 us a row against 2 us.  A malformed node has none:
    whoever reads it for its own sake is told what is wrong with it.
    """
    outcomes = []
    try:
        _, links, body = decode_node(jobs)
        _, time_us, _, columns = body
        _, _, starts, durations, statuses, _, _, shapes, _ = columns
        at = 0
        for later, duration, status, shape in zip(starts, durations, statuses, shapes):
            time_us += later
            if shape == 3:
                if status in _CANDIDATE_STATUSES:
                    outcomes.append((links[at], links[at + 1], _check_time(time_us + duration)))
                at += 2
            elif shape:
                at += 1
    except (ObjectError, TypeError, ValueError, IndexError):
        return []
    return outcomes


def _check_time(time_us: int) -> int:
    if not -_TIME_LIMIT <= time_us < _TIME_LIMIT:
        raise ValueError("a time beyond 64 bits")
    return time_us


def find_produced(kind: int, data: bytes) -> list[Oid]:
    """Return the files that a *call* or *reduction* lists as produced by itself.

    A node that does not fit its kind has none.
    """
    try:
        if kind == _REDUCTION:
            return split_node(data)[0][2:]
        body: Any = msgpack.unpackb(data[locate_links(data)[1] :])
        own = body[6]
        if not own:  # most calls write no file; their links need not be read
            return []
        externals_at = 2 + body[0] + body[1] + sum(count for _, count in body[2]) + body[4]
        externals = split_node(data)[0][externals_at:]
        return [externals[code >> 1] for code in own]
    except (ObjectError, TypeError, ValueError, IndexError):
        return []


class RecentLookups:
    """Candidates and producers of objects outside packs.  Any thread notes and asks."""

    def __init__(self, read: Callable[[Oid], bytes]) -> None:
        """Make an empty table; ``read`` gives the bytes of a noted object."""
        self._read = read
        self._fresh_jobs: list[Oid] = []
        self._fresh_makers: list[tuple[Oid, int]] = []
        self._candidates: dict[Oid, list[Candidate]] = {}
        self._producers: dict[Oid, list[Oid]] = {}
        self._lock = Lock()  # who finds nothing fresh must not overtake the one who is still reading it

    def note(self, oid: Oid, kind: int) -> None:
        """Remember a node of one of LOOKUP_KINDS, to be read at the next question."""
        if kind == _JOBS:
            self._fresh_jobs.append(oid)
        else:
            self._fresh_makers.append((oid, kind))

    def find_candidates(self, eval_oid: Oid) -> Sequence[Candidate]:
        """Return the outcomes of an eval, in no order."""
        with self._lock:
            while self._fresh_jobs:
                for key, target, time_us in find_outcomes(self._read(self._fresh_jobs.pop())):
                    self._candidates.setdefault(key, []).append(Candidate(time_us, target))
            return self._candidates.get(eval_oid, ())

    def find_producers(self, file_oid: Oid) -> Sequence[Oid]:
        """Return the calls and reductions that produced a file, in no order."""
        with self._lock:
            while self._fresh_makers:
                oid, kind = self._fresh_makers.pop()
                for file in find_produced(kind, self._read(oid)):
                    self._producers.setdefault(file, []).append(oid)
            return self._producers.get(file_oid, ())


def newest_first(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Put candidates into the order in which they are tried, each once: by time, then by oid, both descending."""
    return list(candidates) if len(candidates) < 2 else sorted(set(candidates), reverse=True)
