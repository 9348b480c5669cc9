"""What fsck knows while it looks: which objects are here whole, and which something links to.

The invariant: an object counts as here once its bytes were read and fit its name, and as needed once a whole node links
to it.  Memory: a byte for each object of a pack; names only of what is in no pack (journals, large contents), and of
what is missing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from redun.hashing import Oid
from redun.objects.kinds import Kind
from redun.store.canonical import KIND_COUNT
from redun.store.idx import Idx

if TYPE_CHECKING:
    from redun.store.beyond import Beyond

WHOLE, NEEDED = 1, 2
_NEEDED_ALONE = bytes([NEEDED])
_FORGET_WHOLE = bytes(byte & ~WHOLE for byte in range(256))
_SLICES = 256
"""In so many parts, by first byte, packs are searched for objects that another has too: memory holds one part."""
_MAX_RECENT = 1 << 16


class PackMarks:
    """The marks of one pack's objects, by ordinal."""

    def __init__(self, idx: Idx) -> None:
        self.idx = idx
        self.marks = bytearray(idx.count)

    def is_whole(self, oid: Oid) -> bool:
        """Tell whether an object is in this pack, whole."""
        ordinal = self.idx.find(oid)
        return ordinal is not None and bool(self.marks[ordinal] & WHOLE)

    def set_all_whole(self) -> None:
        """Take every object for whole: a quick check believes the idx."""
        self.marks = bytearray([WHOLE]) * self.idx.count

    def forget_whole(self) -> None:
        """Begin to look at the objects anew; what is needed stays so."""
        self.marks = bytearray(self.marks.translate(_FORGET_WHOLE))

    def iter_needed(self) -> Iterator[Oid]:
        """Yield what is needed of this pack and not whole in it."""
        at = self.marks.find(_NEEDED_ALONE)
        while at >= 0:
            yield self.idx.oid_at(at)
            at = self.marks.find(_NEEDED_ALONE, at + 1)

    def count(self, kind: int) -> int:
        """Return how many objects of a kind are whole."""
        ordinals = self.idx.ordinals_of(kind)
        part = self.marks[ordinals.start : ordinals.stop]
        return part.count(WHOLE) + part.count(WHOLE | NEEDED)


class Known:
    """The objects that are here whole, and the links that were seen so far."""

    def __init__(self, promised: Collection[Oid] = (), beyond: Beyond | None = None) -> None:
        """Know nothing yet.

        Args:
            promised: contents that a remote has, here or not.
            beyond: the alternates: what is read from there is whole for a check over there to say.
        """
        self._promised = promised
        self._beyond = beyond
        self._packs: list[PackMarks] = []
        self.loose: dict[Oid, int] = {}
        """The kinds of objects outside of packs."""
        self.linked: dict[Oid, Oid] = {}
        """What nodes in journals link to, each with the first of them."""
        self._strangers: set[Oid] = set()  # what nodes in packs link to and no pack has
        self._recent: set[Oid] = set()  # what was found needed lately: the same task a million times

    def add_pack(self, idx: Idx) -> PackMarks:
        """Take in a pack, of which nothing is whole yet."""
        marks = PackMarks(idx)
        self._packs.append(marks)
        return marks

    def drop_pack(self, marks: PackMarks) -> None:
        """Forget a pack whose idx turned out to be wrong; what was needed of it is needed still."""
        self._packs.remove(marks)
        marks.forget_whole()
        self._strangers.update(marks.iter_needed())
        self._recent.clear()

    def need(self, oid: Oid) -> None:
        """Note that a whole node links to an object, which is in another pack than the node, if in any."""
        if oid in self._recent:
            return
        if len(self._recent) >= _MAX_RECENT:
            self._recent.clear()
        self._recent.add(oid)
        for pack in self._packs:
            ordinal = pack.idx.find(oid)
            if ordinal is not None:
                pack.marks[ordinal] |= NEEDED
                return
        if self._beyond is None or self._beyond.kind_of(oid) is None:
            self._strangers.add(oid)

    def kind_of(self, oid: Oid) -> int | None:
        """Return the kind of an object that is here whole, beyond, or promised."""
        kind = self.loose.get(oid)
        if kind is None:
            kind = next((pack.idx.kind_at(pack.idx.find(oid) or 0) for pack in self._packs if pack.is_whole(oid)), None)
        if kind is None and self._beyond is not None:
            kind = self._beyond.kind_of(oid)
        return Kind.BLOB if kind is None and oid in self._promised else kind

    def find_missing(self) -> set[Oid]:
        """Return what is needed and is neither here whole, nor beyond, nor promised."""
        missing = {oid for pack in self._packs for oid in pack.iter_needed() if self.kind_of(oid) is None}
        missing.update(oid for oid in self._strangers if self.kind_of(oid) is None)
        missing.update(oid for oid in self.linked if self.kind_of(oid) is None)
        return missing

    def count_kinds(self) -> dict[int, int]:
        """Return how many distinct objects of each kind are here whole."""
        counts = dict.fromkeys(range(KIND_COUNT), 0)
        for pack in self._packs:
            for kind in counts:
                counts[kind] += pack.count(kind)
        for kind in self._iter_again():
            counts[kind] -= 1
        for oid, kind in self.loose.items():
            if not any(pack.is_whole(oid) for pack in self._packs):
                counts[kind] = counts.get(kind, 0) + 1
        return {kind: count for kind, count in counts.items() if count}

    def _iter_again(self) -> Iterator[int]:
        """Yield the kind of each whole object of a pack that an earlier pack has whole too."""
        starts = [0] * len(self._packs)
        for part in range(_SLICES if len(self._packs) > 1 else 0):
            seen: set[int] = set()
            for number, pack in enumerate(self._packs):
                prefixes = pack.idx.prefixes
                low = starts[number]
                starts[number] = high = _find_end(prefixes, part)
                mine = prefixes[low:high]
                for prefix in seen.intersection(mine):
                    yield from self._iter_doubles(number, prefix)
                seen.update(mine)

    def _iter_doubles(self, number: int, prefix: int) -> Iterator[int]:
        pack = self._packs[number]
        first = prefix.to_bytes(4, "big")
        for oid, ordinal in pack.idx.iter_between(first + bytes(28), first + b"\xff" * 28):
            if pack.marks[ordinal] & WHOLE and any(earlier.is_whole(oid) for earlier in self._packs[:number]):
                yield pack.idx.kind_at(ordinal)


def _find_end(prefixes: Sequence[int], part: int) -> int:
    """Return where the numbers end whose first byte is at most ``part``."""
    return bisect_left(prefixes, (part + 1) << 24)
