"""A pack's lookup table: where an object stands, which outcomes an eval has, what produced a file.

Normative page: docs/format/pack.md.  The invariant: an idx holds nothing that its pack does not say, so it may be
deleted and rebuilt.  Opening one costs the same whatever its size: counts are checked against the size of the file,
and the checksum over the whole is left to fsck.  A table damaged later shows as ``ObjectCorrupt`` when it is used.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from blake3 import blake3

from redun.hashing import OID_SIZE, Buffer, Oid, hash_blob
from redun.objects.kinds import Kind
from redun.once import once
from redun.store.base import Candidate, ObjectCorrupt
from redun.store.canonical import KIND_COUNT
from redun.store.lookups import LOOKUP_KINDS, find_outcomes, find_produced

MAGIC = b"RDNI"
VERSION = 1
HEADER = struct.Struct(f"<4sI4I32s{KIND_COUNT}IQI")
CHECKSUM_SIZE = 32
_EVAL, _JOBS = int(Kind.EVAL), int(Kind.JOBS)
_IS_BIG_ENDIAN = sys.byteorder == "big"

Numbers = Sequence[int]


class Idx:
    """An idx, open for lookups.  All of it may be used from any thread."""

    def __init__(self, content: Buffer, where: str, pack: Oid) -> None:
        """Open the idx of the pack named ``pack``.

        Raises:
            ObjectCorrupt: it is no idx, of another version or pack, or its size does not fit its counts.
        """
        self.where = where
        view = memoryview(content)
        if len(view) < HEADER.size:
            raise self._damaged(f"expected at least {HEADER.size} bytes, found {len(view)}")
        magic, version, count, n_outcomes, n_produced, n_externs, name, *rest = HEADER.unpack_from(view)
        if (magic, version) != (MAGIC, VERSION):
            raise self._damaged(f"expected {MAGIC!r} version {VERSION}, found {magic!r} version {version}")
        if name != pack:
            raise self._damaged(f"it belongs to pack {name.hex()[:8]}")
        self.count: int = count
        self.ends: list[int] = rest[:KIND_COUNT]  # of each kind, the ordinal after its last object
        self._first_eval = self.ends[_EVAL - 1]
        self.directory_offset, self.directory_size = rest[KIND_COUNT:]
        if self.ends[-1] != count or any(low > high for low, high in zip(self.ends, self.ends[1:])):
            raise self._damaged(f"the ends of kinds do not lead up to {count} objects")
        cut = _Cutter(view, HEADER.size)
        try:
            self.prefixes = cut.take_numbers(count)
            self._order = cut.take_numbers(count)
            self.oids = cut.take(OID_SIZE * count)
            self._externs = cut.take(OID_SIZE * n_externs)
            self._outcome_evals = cut.take_numbers(n_outcomes)
            self._outcome_targets = cut.take_numbers(n_outcomes)
            self._outcome_times = cut.take_numbers(n_outcomes, "q")
            self._produced_files = cut.take_numbers(n_produced)
            self._producers = cut.take_numbers(n_produced)
        except (ValueError, TypeError):
            raise self._damaged("cut short") from None
        if cut.at + CHECKSUM_SIZE != len(view):
            raise self._damaged(f"expected {cut.at + CHECKSUM_SIZE} bytes, found {len(view)}")

    @once
    def extern_prefixes(self) -> Numbers:
        """The first four bytes of the oids that the tables name and the pack does not hold, ascending."""
        return _prefixes(self._externs)

    def find(self, oid: Oid, at: int | None = None) -> int | None:
        """Return an object's ordinal, None when it is not in the pack.

        ``at`` is where its first four bytes begin among the prefixes, where that is known.

        Raises:
            ObjectCorrupt: the table is damaged.
        """
        prefixes = self.prefixes
        prefix = int.from_bytes(oid[:4], "big")
        if at is None:
            at = bisect_left(prefixes, prefix)
        while at < self.count and prefixes[at] == prefix:
            ordinal = self._order[at]
            start = OID_SIZE * ordinal
            if self.oids[start : start + OID_SIZE].tobytes() == oid:
                return ordinal
            if ordinal >= self.count:
                raise self._damaged(f"expected an ordinal below {self.count}, found {ordinal}")
            at += 1
        return None

    def oid_at(self, ordinal: int) -> Oid:
        """Return the name of an object.  Raises ObjectCorrupt when the pack has no such ordinal."""
        start = OID_SIZE * ordinal
        oid = self.oids[start : start + OID_SIZE].tobytes()
        if not oid:
            raise self._damaged(f"expected an ordinal below {self.count}, found {ordinal}")
        return Oid(oid)

    def kind_at(self, ordinal: int) -> int:
        """Return the kind of an object."""
        return bisect_right(self.ends, ordinal)

    def ordinals_of(self, kind: int | None) -> range:
        """Return the ordinals of one kind, or of all."""
        if kind is None:
            return range(self.count)
        return range(self.ends[kind - 1] if kind else 0, self.ends[kind])

    def iter_between(self, low: bytes, high: bytes) -> Iterator[tuple[Oid, int]]:
        """Yield (oid, ordinal) of the objects with low <= oid <= high, in order."""
        at = bisect_left(self.prefixes, int.from_bytes(low[:4], "big"))
        while at < self.count:
            ordinal = self._order[at]
            oid = self.oid_at(ordinal)
            if oid > high:
                return
            if oid >= low:
                yield oid, ordinal
            at += 1

    def find_candidates(self, eval_oid: Oid) -> list[Candidate]:
        """Return the outcomes of an eval that this pack records, in no order.  Raises ObjectCorrupt."""
        return [candidate for candidate, _ in self.list_outcomes(eval_oid)]

    def list_outcomes(self, eval_oid: Oid, at: int | None = None) -> list[tuple[Candidate, int | None]]:
        """Return each outcome of an eval, and its target's ordinal when the pack holds that.

        ``at`` and errors are those of ``find``.
        """
        evals = self._outcome_evals
        reference = self._find_reference(eval_oid, at) if evals else None
        if reference is None:
            return []
        # Nearly always each eval of a pack has one outcome; then its row is its place among the evals.
        row = reference - self._first_eval
        if not (0 < row < len(evals) and evals[row] == reference != evals[row - 1]):
            row = bisect_left(evals, reference)
        found: list[tuple[Candidate, int | None]] = []
        while row < len(evals) and evals[row] == reference:
            target = self._outcome_targets[row]
            candidate = Candidate(self._outcome_times[row], self._name(target))
            found.append((candidate, target if target < self.count else None))
            row += 1
        return found

    def find_producers(self, file_oid: Oid) -> list[Oid]:
        """Return the calls and reductions in this pack that produced a file, in no order.  Raises ObjectCorrupt."""
        reference = self._find_reference(file_oid) if self._produced_files else None
        if reference is None:
            return []
        return [self._name(self._producers[at]) for at in _run(self._produced_files, reference)]

    def _find_reference(self, oid: Oid, at: int | None = None) -> int | None:
        ordinal = self.find(oid, at)
        if ordinal is not None:
            return ordinal
        prefix = int.from_bytes(oid[:4], "big")
        for extern in _run(self.extern_prefixes, prefix):
            if self._externs[OID_SIZE * extern : OID_SIZE * extern + OID_SIZE].tobytes() == oid:
                return self.count + extern
        return None

    def _name(self, reference: int) -> Oid:
        if reference < self.count:
            return self.oid_at(reference)
        start = OID_SIZE * (reference - self.count)
        oid = self._externs[start : start + OID_SIZE].tobytes()
        if not oid:
            raise self._damaged(f"reference {reference} leads nowhere")
        return Oid(oid)

    def _damaged(self, why: str) -> ObjectCorrupt:
        return ObjectCorrupt(None, self.where, why)


def check_idx(content: Buffer) -> bool:
    """Tell whether an idx's checksum fits: what opening leaves out because it costs 0.5 ms a megabyte."""
    view = memoryview(content)
    return hash_blob(view[:-CHECKSUM_SIZE]) == view[-CHECKSUM_SIZE:].tobytes()


@dataclass(frozen=True, slots=True)
class PackShape:
    """What an idx repeats of its pack."""

    name: Oid
    directory_offset: int
    directory_size: int  # bytes


_PIECE = 1 << 14
"""How many oids are joined at once while an idx is written."""


class IdxBuilder:
    """Gathers the lookups of objects in order of ordinal.  Holds their oids (about 150 bytes each), not their bytes."""

    def __init__(self) -> None:
        self.ordinals: dict[Oid, int] = {}
        self.counts = [0] * KIND_COUNT
        self.size = 0  # bytes of the idx, once it is built
        # Numbers in place of oids: an ordinal, or -1 and below for the oids that the pack does not hold (so far).
        self._outcomes: list[tuple[int, int, int]] = []  # eval, time, target
        self._produced: list[tuple[int, int]] = []  # file, maker
        self._strangers: dict[Oid, int] = {}

    @property
    def ends(self) -> list[int]:
        """Of each kind, the ordinal after its last object, as the kinds stand so far."""
        end = 0
        return [end := end + count for count in self.counts]

    def add(self, oid: Oid, kind: int, data: bytes) -> int:
        """Take the next object and return its ordinal.  Kinds must ascend."""
        ordinal = len(self.ordinals)
        self.ordinals[oid] = ordinal
        self.counts[kind] += 1
        if kind == _JOBS:
            refer = self._refer
            self._outcomes += [(refer(key), time_us, refer(target)) for key, target, time_us in find_outcomes(data)]
        elif kind in LOOKUP_KINDS:
            self._produced += [(self._refer(file), ordinal) for file in find_produced(kind, data)]
        return ordinal

    def build(self, pack: PackShape) -> Iterator[bytes]:
        """Yield the bytes of the idx in pieces: at 160 bytes an object it would be large to hold whole.  Once only."""
        hasher = blake3()
        for piece in self._iter_sections(pack):
            hasher.update(piece)
            self.size += len(piece)
            yield piece
        self.size += CHECKSUM_SIZE
        yield hasher.digest()

    def _iter_sections(self, pack: PackShape) -> Iterator[bytes]:
        oids = list(self.ordinals)
        externs = self._settle_strangers()
        outcomes, produced = self._outcomes, self._produced
        outcomes.sort()
        produced.sort()
        counts = (len(oids), len(outcomes), len(produced), len(externs))
        yield HEADER.pack(MAGIC, VERSION, *counts, pack.name, *self.ends, pack.directory_offset, pack.directory_size)
        order = array("I", sorted(range(len(oids)), key=oids.__getitem__))
        for start in range(0, len(order), _PIECE):
            joined = b"".join([oids[ordinal] for ordinal in order[start : start + _PIECE]])
            yield _numbers(_prefixes(memoryview(joined)))
        yield _numbers(order)
        for start in range(0, len(oids), _PIECE):
            yield b"".join(oids[start : start + _PIECE])
        yield b"".join(externs)
        for column, code in ((0, "I"), (2, "I"), (1, "q")):
            yield _numbers([row[column] for row in outcomes], code)
        for column in (0, 1):
            yield _numbers([row[column] for row in produced])

    def _refer(self, oid: Oid) -> int:
        ordinal = self.ordinals.get(oid)
        return self._strangers.setdefault(oid, -1 - len(self._strangers)) if ordinal is None else ordinal

    def _settle_strangers(self) -> list[Oid]:
        """Give each oid that the pack did not hold when it was named its final number; return the externs."""
        if not self._strangers:
            return []
        externs = sorted(oid for oid in self._strangers if oid not in self.ordinals)
        places = dict(zip(externs, range(len(self.ordinals), len(self.ordinals) + len(externs))))
        final = [self.ordinals.get(oid, places.get(oid, 0)) for oid in self._strangers]

        def settle(number: int) -> int:
            return final[-1 - number] if number < 0 else number

        self._outcomes = [(settle(key), time_us, settle(target)) for key, time_us, target in self._outcomes]
        self._produced = [(settle(file), maker) for file, maker in self._produced]
        return externs


class _Cutter:
    """Takes arrays off the front of a buffer without copying them."""

    def __init__(self, view: memoryview, at: int) -> None:
        self._view = view
        self.at = at

    def take(self, size: int) -> memoryview:
        piece = self._view[self.at : self.at + size]
        if len(piece) != size:
            raise ValueError("cut short")
        self.at += size
        return piece

    def take_numbers(self, count: int, code: str = "I") -> Numbers:
        piece = self.take(count * (8 if code == "q" else 4))
        if not _IS_BIG_ENDIAN:
            return piece.cast(code)  # type: ignore[call-overload, no-any-return]
        numbers: array[int] = array(code, piece.tobytes())
        numbers.byteswap()
        return numbers


def _numbers(numbers: Sequence[int], code: str = "I") -> bytes:
    packed: array[int] = array(code, numbers)
    if _IS_BIG_ENDIAN:
        packed.byteswap()
    return packed.tobytes()


def _prefixes(oids: memoryview) -> Numbers:
    """Return the first four bytes of each of the joined oids as big-endian numbers."""
    prefixes: array[int] = array("I", oids.tobytes())[:: OID_SIZE // 4]
    if not _IS_BIG_ENDIAN:
        prefixes.byteswap()
    return prefixes


def _run(numbers: Numbers, number: int) -> range:
    """Return where a number stands in ascending numbers."""
    return range(bisect_left(numbers, number), bisect_right(numbers, number))
