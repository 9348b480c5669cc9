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
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Semaphore

from redun.hashing import Buffer

PIECE_BYTES = 4 << 20
PIECES_AHEAD = 4
_room = Semaphore(3 * PIECES_AHEAD)
"""Pieces that may be ahead in this process; the next one of each stream needs no room, so none waits for another."""

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
        self._ahead: deque[tuple[Future[Buffer], int, bool]] = deque()  # with its length, and whether it takes room
        self._pool: ThreadPoolExecutor | None = None
        self._look_ahead()

    def readable(self) -> bool:
        return True

    def readinto(self, target: bytearray | memoryview) -> int:  # type: ignore[override]
        if not self._rest and self._ahead:
            self._rest = self._next()
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        while self._ahead:
            future, _, takes_room = self._ahead.popleft()
            future.cancel()
            if takes_room:
                _room.release()
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None
        super().close()

    def _next(self) -> memoryview:
        future, length, takes_room = self._ahead.popleft()
        try:
            piece = memoryview(future.result())
        finally:
            if takes_room:
                _room.release()
        if len(piece) != length:
            raise OSError(f"expected {length} bytes, found {len(piece)}")
        self._look_ahead()
        return piece

    def _look_ahead(self) -> None:
        while self._at < self._size and len(self._ahead) < PIECES_AHEAD:
            takes_room = bool(self._ahead)
            if takes_room and not _room.acquire(blocking=False):
                return
            if self._pool is None:
                self._pool = ThreadPoolExecutor(PIECES_AHEAD, thread_name_prefix="read ahead")
            length = min(PIECE_BYTES, self._size - self._at)
            self._ahead.append((self._pool.submit(self._fetch, self._at, length), length, takes_room))
            self._at += length
