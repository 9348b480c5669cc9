"""Which packs may have an object, told by the first four bytes of its name.

The invariant: a pack that has the object is never left out.  One that has it not may stay in, once in a few thousand.

Most questions are about objects that are in no pack at all.  So these numbers of small packs are gathered in a set, on
the first question: it answers "not here" in 0.05 us, where a search takes 0.6.  Large packs are searched, and whoever
goes on to find the object begins where that search ended.  Packs are merged geometrically (``maintain/repack.py``), so
there are few.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from redun.hashing import Oid
from redun.store.idx import Numbers
from redun.store.pack import PackReader

SMALL_PACK_OBJECTS = 1 << 14
SMALL_PACKS_TOTAL_OBJECTS = 1 << 17

Place = tuple[PackReader, int | None]
"""A pack, and where in its idx those objects begin whose names begin so; None where that was not searched for."""


class _Large(NamedTuple):
    """What is searched of a pack whose numbers are not gathered."""

    reader: PackReader
    prefixes: Numbers
    n_prefixes: int
    reach: int  # how far from where it should be a prefix may be, nearly always
    externs: Numbers  # of what the tables name and the pack does not hold, where that is asked for


class PackFilter:
    """Answers for packs that do not change.  It may be used from any thread."""

    def __init__(self, small: list[tuple[PackReader, set[int]]], large: list[_Large]) -> None:
        self._small = small
        self._large = large
        self._union = set[int]().union(*(numbers for _, numbers in small))

    @classmethod
    def of_held(cls, readers: Sequence[PackReader]) -> PackFilter:
        """Make one for what packs hold; newest first, and gathered at once (60 ns an object of small ones)."""
        small: list[tuple[PackReader, set[int]]] = []
        large: list[_Large] = []
        for reader, is_small in _iter_sizes(readers):
            idx = reader.idx
            if is_small:
                small.append((reader, set(idx.prefixes)))
            else:
                large.append(_Large(reader, idx.prefixes, idx.count, 8 + int(2.5 * idx.count**0.25), ()))
        return cls(small, large)

    def with_named(self) -> PackFilter:
        """Return one for what the tables of these packs name as well, whether the packs hold it or not."""
        readers = [reader for reader, _ in self._small] + [part.reader for part in self._large]
        if not any(reader.idx.extern_prefixes for reader in readers):
            return self
        small = [(reader, numbers.union(reader.idx.extern_prefixes)) for reader, numbers in self._small]
        return PackFilter(small, [part._replace(externs=part.reader.idx.extern_prefixes) for part in self._large])

    def iter_places(self, oid: Oid) -> Iterator[Place]:
        """Yield the packs that may have an object: small ones, then large ones, both newest first.

        Whoever is content with the first need not have the others searched: what is read is mostly new.
        """
        number = int.from_bytes(oid[:4], "big")
        if number in self._union:
            for small, numbers in self._small:
                if number in numbers:
                    yield small, None
        for reader, prefixes, count, reach, externs in self._large:
            # Hashes are spread evenly, so a number stands near number / 2^32 of the way, and nearer still where the
            # difference to what is found there leads.  A search of the whole table takes twice the steps, each in other
            # memory, and large tables are not in the processor's caches (28 us against 21 in 7 packs, all cold).
            at = number * count >> 32
            low = at + ((number - prefixes[at]) * count >> 32) - reach
            high = low + reach + reach
            if low < 0:  # noqa: PLR1730 - a call of `max` takes as long as three steps of the search
                low = 0
            at = bisect_left(prefixes, number, low, high if high < count else count)  # noqa: FURB136 - as above
            if not low < at < high:
                at = bisect_left(prefixes, number)  # further off than nearly always
            if at < count and prefixes[at] == number:
                yield reader, at
            elif externs and _is_among(externs, number):
                yield reader, None


def _iter_sizes(readers: Sequence[PackReader]) -> Iterator[tuple[PackReader, bool]]:
    """Yield each pack, and whether it is small; all small ones together are bounded too."""
    total = 0
    for reader in readers:
        total += len(reader) if len(reader) <= SMALL_PACK_OBJECTS else 0
        is_small = len(reader) <= SMALL_PACK_OBJECTS and total <= SMALL_PACKS_TOTAL_OBJECTS
        yield reader, is_small or not len(reader)


def _is_among(numbers: Numbers, number: int) -> bool:
    at = bisect_left(numbers, number)
    return at < len(numbers) and numbers[at] == number
