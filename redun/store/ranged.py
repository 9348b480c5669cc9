"""A large pack in a bucket, read where it is needed.

The invariant: bytes come in parts of 4 MiB that are kept once they came; parts that follow one another come in one
request, up to eight.  Nothing here is checked: each block of a pack has a checksum, and each object is hashed.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from redun.hashing import Buffer

PART_BYTES = 4 << 20
MAX_PARTS_AT_ONCE = 8

Fetch = Callable[[int, int], Buffer]
"""From a start and a length to the bytes there: one request."""


class Ranged:
    """A content that is sliced as if it were there: ``content[a:b]`` is a memoryview, ``len(content)`` its size."""

    def __init__(
        self,
        size: int,
        fetch: Fetch,
        *,
        find: Callable[[int], Buffer | None] = lambda _index: None,
        keep: Callable[[int, Buffer], object] = lambda _index, _part: None,
    ) -> None:
        """Make one; nothing is fetched yet.

        Args:
            size: of the whole, in bytes.
            fetch: gets bytes that are not here.
            find: gives the part of a number where an earlier process has kept it.
            keep: keeps a part for later processes.
        """
        self._size = size
        self._fetch = fetch
        self._find = find
        self._keep = keep
        self._parts: dict[int, memoryview] = {}
        self._n_last = 0  # parts that the last request brought
        self._next = -1  # the part behind them
        self._lock = Lock()

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, wanted: slice) -> memoryview:
        start, stop, step = wanted.indices(self._size)
        if step != 1:
            raise ValueError(f"expected a plain slice, found {wanted}")
        if stop <= start:
            return memoryview(b"")
        first, last = start // PART_BYTES, (stop - 1) // PART_BYTES
        pieces = []
        for index in range(first, last + 1):
            base = index * PART_BYTES
            pieces.append(self._part(index, last)[max(start - base, 0) : stop - base])
        return pieces[0] if len(pieces) == 1 else memoryview(b"".join(pieces))

    def _part(self, index: int, last: int) -> memoryview:
        with self._lock:
            part = self._parts.get(index) or self._find_kept(index)
            if part is None:
                self._load(index, last - index + 1)
                part = self._parts[index]
            return part

    def _find_kept(self, index: int) -> memoryview | None:
        kept = self._find(index)
        if kept is None or len(kept) != self._length_of(index):
            return None
        part = self._parts[index] = memoryview(kept)
        return part

    def _load(self, index: int, n_wanted: int) -> None:
        """Fetch a part and those behind it: as many as are wanted, or twice as many as last time when read in order."""
        n_ahead = 2 * self._n_last if index == self._next else 1
        n_parts = (self._size - 1) // PART_BYTES + 1
        count = 1
        while (
            count < min(max(n_wanted, n_ahead), MAX_PARTS_AT_ONCE)
            and index + count < n_parts
            and index + count not in self._parts
        ):
            count += 1
        length = min(count * PART_BYTES, self._size - index * PART_BYTES)
        content = memoryview(self._fetch(index * PART_BYTES, length))
        if len(content) != length:
            raise OSError(f"expected {length} bytes from byte {index * PART_BYTES}, found {len(content)}")
        for number in range(count):
            part = content[number * PART_BYTES : (number + 1) * PART_BYTES]
            self._parts[index + number] = part
            self._keep(index + number, part)
        self._n_last, self._next = count, index + count

    def _length_of(self, index: int) -> int:
        return min(PART_BYTES, self._size - index * PART_BYTES)
