"""Which objects no pack of a remote holds, and which only one holds: told by a bit or two for each, mostly.

The invariant: what is told is true of every object that was added; of one in eight others, or fewer, it is not known.
To ask each of many packs takes 0.6 us a pack; to ask here takes 0.2 us, and gathering it 0.2 us an object.
"""

from __future__ import annotations

from redun.hashing import Oid
from redun.store.idx import Numbers

_BITS_PER_OBJECT = 16
_MIN_BITS, _MAX_BITS = 16, 27
"""Exponents of two: 8 KiB for each of the two tables, and 16 MiB."""


class Sketch:
    """Two bit tables over the first bytes of names."""

    def __init__(self, count: int) -> None:
        """``count``: how many objects are to be added, about."""
        bits = min(max((count * _BITS_PER_OBJECT).bit_length(), _MIN_BITS), _MAX_BITS)
        self.capacity = (1 << bits) // _BITS_PER_OBJECT * 2 if bits < _MAX_BITS else 1 << 32
        """How many objects it serves well."""
        self.count = 0
        self._shift = 32 - bits
        self._once = bytearray(1 << bits - 3)
        self._twice = bytearray(1 << bits - 3)

    def add(self, prefixes: Numbers) -> None:
        """Add the objects of one pack, by the first four bytes of their names, ascending."""
        once, twice, shift = self._once, self._twice, self._shift
        last = -1
        for prefix in prefixes:
            place = prefix >> shift
            if place == last:
                continue  # neighbours in one pack, most likely two objects, and not one twice
            last = place
            at, bit = place >> 3, 1 << (place & 7)
            if once[at] & bit:
                twice[at] |= bit
            else:
                once[at] |= bit
        self.count += len(prefixes)

    def may_hold(self, oid: Oid) -> bool:
        """Tell whether some pack may hold an object."""
        place = int.from_bytes(oid[:4], "big") >> self._shift
        return bool(self._once[place >> 3] >> (place & 7) & 1)

    def may_be_doubled(self, oid: Oid) -> bool:
        """Tell whether several packs may hold an object."""
        place = int.from_bytes(oid[:4], "big") >> self._shift
        return bool(self._twice[place >> 3] >> (place & 7) & 1)
