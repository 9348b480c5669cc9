"""A content of a bucket as a file: read in pieces, a few of which are on their way while one is taken.

The invariant: the bytes come out in order, each once.  They are of one content only where the name stands for one: what
is read in pieces is named by its hash, which whoever reads it checks.

One connection to a bucket brings some 50 to 90 MB a second, and a line carries more.  What is ahead is bounded for all
streams of the process together, so that many at once need no more memory than a few.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from redun.hashing import Buffer

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

PIECE_BYTES = 8 << 20
PIECES_AHEAD = 4
_room = deque([None] * 6)
"""For pieces ahead, in this process.  A stream that finds none fetches piece by piece, and waits for nobody.

No lock: a process that was forked while it was held would wait for ever."""

Fetch = Callable[[int, int], Buffer]
"""From a start and a length to the bytes there: one request."""


class ReadAhead(io.RawIOBase):
    """The stream.  It holds threads until it is closed or read to its end."""

    def __init__(self, first: Buffer, size: int, fetch: Fetch) -> None:
        """Begin a stream.

        Args:
            first: its first bytes, at most ``PIECE_BYTES`` unless they are all.
            size: of the whole, in bytes.
            fetch: gets what follows; called from several threads at once.
        """
        self._rest = memoryview(first)
        self._at = len(first)  # where the first piece begins that was not asked for
        self._size = size
        self._fetch = fetch
        self._ahead: deque[tuple[Future[Buffer], int]] = deque()  # with the length that is expected
        self._pool: ThreadPoolExecutor | None = None
        self._look_ahead()

    def readable(self) -> bool:
        return True

    def readinto(self, target: bytearray | memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            self._rest = self._next()
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        while self._ahead:
            self._ahead.popleft()[0].cancel()
            _room.append(None)
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None
        super().close()

    def _next(self) -> memoryview:
        """Return the next piece; an empty one at the end."""
        if self._ahead:
            future, length = self._ahead.popleft()
            try:
                piece = memoryview(future.result())
            finally:
                _room.append(None)
        else:
            start, length = self._advance()
            piece = memoryview(self._fetch(start, length) if length else b"")
        if len(piece) != length:
            raise OSError(f"expected {length} bytes, found {len(piece)}")
        self._look_ahead()
        return piece

    def _look_ahead(self) -> None:
        while self._at < self._size and len(self._ahead) < PIECES_AHEAD and _takes_room():
            if self._pool is None:
                from concurrent.futures import ThreadPoolExecutor  # 10 ms that only what is large needs

                self._pool = ThreadPoolExecutor(PIECES_AHEAD, thread_name_prefix="read ahead")
            start, length = self._advance()
            self._ahead.append((self._pool.submit(self._fetch, start, length), length))

    def _advance(self) -> tuple[int, int]:
        """Return where the next piece begins and how long it is, and go behind it."""
        start, length = self._at, min(PIECE_BYTES, max(self._size - self._at, 0))
        self._at += length
        return start, length


def _takes_room() -> bool:
    try:
        _room.pop()
    except IndexError:
        return False
    return True
