"""What a fetch takes from a remote: a byte for each object of a pack, in place of sets of names.

The invariant: an object is marked in one pack, whichever packs hold it, and only after it was read; with it stand the
packs that its links lead into.  So four million objects take 4 MB here, and whether a walk has been somewhere is told
by the same marks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from redun.hashing import Oid
from redun.store.idx import Idx

UNSEEN, WANTED, PASSED = 0, 1, 2


@dataclass(slots=True)
class Marks:
    """The objects of one pack, by ordinal."""

    idx: Idx
    flags: bytearray  # UNSEEN, WANTED, or PASSED: come to, and not taken
    count: int = 0  # how many are wanted
    links_into: set[Oid] = field(default_factory=set)  # other packs

    def iter_wanted(self, ordinals: range) -> Iterator[int]:
        """Yield those among some ordinals that are wanted, ascending."""
        at, flags = ordinals.start, self.flags
        while (at := flags.find(WANTED, at, ordinals.stop)) >= 0:
            yield at
            at += 1


@dataclass(slots=True)
class Wanted:
    """What is to be taken, and what of it came already."""

    packs: dict[Oid, Marks] = field(default_factory=dict)
    installed: set[Oid] = field(default_factory=set)  # packs that are here whole by now
    large: dict[Oid, int] = field(default_factory=dict)  # contents that are files of their own, with their sizes
    left: dict[Oid, int] = field(default_factory=dict)  # contents that stay in packs over there; 0: size not known
    settled: set[Oid] = field(default_factory=set)  # large contents that came, or were promised

    def marks_of(self, pack: Oid, idx: Idx) -> Marks:
        """Return the marks of a pack; nothing of it is marked before the first time."""
        marks = self.packs.get(pack)
        if marks is None:
            marks = self.packs[pack] = Marks(idx, bytearray(idx.count))
        return marks

    def find_wanted(self, oid: Oid) -> Oid | None:
        """Return the pack from which an object is to be taken."""
        found = self._find(oid)
        return None if found is None else found[0]

    def find_seen(self, oid: Oid) -> Oid | None:
        """Return the pack in which an object was come to."""
        for pack, marks in self.packs.items():
            ordinal = marks.idx.find(oid)
            if ordinal is not None and marks.flags[ordinal] != UNSEEN:
                return pack
        return None

    def drop(self, oids: Iterable[Oid]) -> list[Oid]:
        """Take objects out of what is wanted; return those that were in it."""
        dropped: list[Oid] = []
        for oid in oids:
            found = self._find(oid)
            if found is not None:
                pack, ordinal = found
                self.packs[pack].flags[ordinal] = PASSED
                self.packs[pack].count -= 1
                dropped.append(oid)
        return dropped

    def take_large(self) -> dict[Oid, int]:
        """Return the large contents that were found since this was asked last, with their sizes."""
        taken, self.large = self.large, {}
        self.settled.update(taken)
        return taken

    def take_left(self) -> dict[Oid, int]:
        """Return the contents to be left over there that were found since this was asked last, with their sizes."""
        taken, self.left = self.left, {}
        return taken

    def _find(self, oid: Oid) -> tuple[Oid, int] | None:
        for pack, marks in self.packs.items():
            ordinal = marks.idx.find(oid)
            if ordinal is not None and marks.flags[ordinal] == WANTED:
                return pack, ordinal
        return None
