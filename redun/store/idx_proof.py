"""Proving that an idx is the one that its pack gives, without making it anew.  Format: docs/format/pack.md.

The invariant: what is proven would come out of ``rebuild_idx`` byte for byte.  Making it anew takes 300 bytes an object
of the pack; this takes 60 bytes a job.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from blake3 import blake3

from redun.errors import ObjectError
from redun.hashing import OID_SIZE, READ_SIZE_BYTES, Oid
from redun.objects.kinds import Kind
from redun.store.idx import CHECKSUM_SIZE, Idx, check_idx
from redun.store.local_storage import LocalStorage
from redun.store.lookups import find_outcomes, find_produced
from redun.store.storage import Storage

_JOBS = int(Kind.JOBS)
_OUTCOME = struct.Struct(">IQI")  # eval, time, target: as bytes they sort as the numbers do
_PRODUCED = struct.Struct(">II")
_TIME_OFFSET = 1 << 63
_PIECE = 1 << 14


class IdxProof:
    """Takes the nodes of a pack that its tables are made of, and compares the tables in the end."""

    def __init__(self, idx: Idx) -> None:
        """``idx`` is the one in question; that the names in it are those of the objects is for the caller to see."""
        self._idx = idx
        self._outcomes: list[bytes] = []
        self._produced: list[bytes] = []
        self._externs = bytearray(len(idx.extern_prefixes))
        self._is_lost = False  # something is named that the tables do not know

    def take(self, ordinal: int, kind: int, data: bytes) -> None:
        """Take a node of one of LOOKUP_KINDS."""
        if kind == _JOBS:
            for key, target, time_us in find_outcomes(data):
                row = _OUTCOME.pack(self._refer(key), time_us + _TIME_OFFSET, self._refer(target))
                self._outcomes.append(row)
        else:
            self._produced += [_PRODUCED.pack(self._refer(file), ordinal) for file in find_produced(kind, data)]

    def holds(self) -> bool:
        """Tell whether the idx is the one that its pack gives, once all nodes were taken."""
        try:
            return (
                not self._is_lost
                and all(self._externs)
                and _is_same(sorted(self._outcomes), self._iter_outcomes())
                and _is_same(sorted(self._produced), self._iter_produced())
                and self._is_in_order()
            )
        except (ObjectError, struct.error):
            return False

    def _refer(self, oid: Oid) -> int:
        reference = self._idx._find_reference(oid)
        if reference is None:
            self._is_lost = True
            return 0
        if reference >= self._idx.count:
            self._externs[reference - self._idx.count] = 1
        return reference

    def _iter_outcomes(self) -> Iterator[bytes]:
        idx = self._idx
        for key, time_us, target in zip(idx._outcome_evals, idx._outcome_times, idx._outcome_targets):
            yield _OUTCOME.pack(key, time_us + _TIME_OFFSET, target)

    def _iter_produced(self) -> Iterator[bytes]:
        return map(_PRODUCED.pack, self._idx._produced_files, self._idx._producers)

    def _is_in_order(self) -> bool:
        """Tell whether names ascend, here and among those of other packs, and begin as it is said."""
        idx = self._idx
        last = b""
        for at in range(0, idx.count, _PIECE):
            oids = [idx.oid_at(ordinal) for ordinal in idx._order[at : at + _PIECE]]
            first = [int.from_bytes(oid[:4], "big") for oid in oids]
            if list(idx.prefixes[at : at + _PIECE]) != first or not last < oids[0] or sorted(set(oids)) != oids:
                return False
            last = oids[-1]
        externs = [bytes(idx._externs[at : at + OID_SIZE]) for at in range(0, len(idx._externs), OID_SIZE)]
        return sorted(set(externs)) == externs and not any(idx.find(Oid(oid)) is not None for oid in externs)


def is_whole_idx(storage: Storage, name: str) -> bool:
    """Tell whether the checksum of an idx fits; on a disk it is read in pieces, so that no memory is mapped for it.

    Raises:
        NameMissing: it is not there.
    """
    if not isinstance(storage, LocalStorage):
        return check_idx(storage.view(name))  # what is damaged is not kept here, so each piece would be fetched whole
    hasher = blake3()
    tail = b""
    at = 0
    while piece := storage.read(name, at, READ_SIZE_BYTES):
        at += len(piece)
        piece = tail + piece
        hasher.update(piece[:-CHECKSUM_SIZE])
        tail = piece[-CHECKSUM_SIZE:]
    return len(tail) == CHECKSUM_SIZE and hasher.digest() == tail


def _is_same(expected: list[bytes], found: Iterator[bytes]) -> bool:
    count = 0
    for count, (one, other) in enumerate(zip(expected, found), 1):  # noqa: B007 - counted
        if one != other:
            return False
    return count == len(expected) and next(found, None) is None
