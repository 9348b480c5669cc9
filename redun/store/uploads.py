"""Contents on their way to a bucket in parts, a few at once.

The invariant: parts are of one size but for the last, which some servers insist on; a source that raises ends it all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from redun.hashing import Buffer

if TYPE_CHECKING:
    from concurrent.futures import Future

PARTS_AT_ONCE = 4

_Sent = TypeVar("_Sent")


def iter_parts(pieces: Iterable[Buffer], part_bytes: int) -> Iterator[bytearray]:
    """Yield the bytes of pieces of any size in parts of one size, the last of which may be smaller."""
    part = bytearray()
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            taken = rest[: part_bytes - len(part)]
            part += taken
            rest = rest[len(taken) :]
            if len(part) == part_bytes:
                yield part
                part = bytearray()
    if part:
        yield part


def send_parts(send: Callable[[int, bytearray], _Sent], parts: Iterable[bytearray]) -> list[_Sent]:
    """Send parts with their numbers, from 1; return what came of each, in order.  A part that was sent is emptied.

    Raises:
        Exception: what the source or the first part that failed raised; nothing is under way any more then.
    """
    from concurrent.futures import ThreadPoolExecutor  # 10 ms that only what is large needs

    def work(number: int, part: bytearray) -> _Sent:
        outcome = send(number, part)
        part.clear()  # clients leave it in cycles, and who collects them knows nothing of its size
        return outcome

    waiting: deque[Future[_Sent]] = deque()
    sent: list[_Sent] = []
    with ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="upload") as pool:
        try:
            for number, part in enumerate(parts, 1):
                if len(waiting) == PARTS_AT_ONCE:
                    sent.append(waiting.popleft().result())
                waiting.append(pool.submit(work, number, part))
            sent += [future.result() for future in waiting]
        except BaseException:
            for future in waiting:
                future.cancel()
            raise
    return sent
