"""Walking links: what is reachable from some roots, knowing nothing of kinds but which links may be soft."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from redun.hashing import Oid
from redun.objects.codec import decode_node
from redun.objects.kinds import SOFT_LINK_KINDS, Kind


class Reached(NamedTuple):
    """An object that a walk came to."""

    oid: Oid
    kind: int
    data: bytes | None  # None where a soft link points at content that is not kept


Reader = Callable[[Oid], "tuple[int, bytes] | None"]
"""Gives kind and bytes of an object, or None when it is absent."""


class BrokenLink(Exception):
    """A walk came to a link that must resolve and does not."""

    def __init__(self, oid: Oid, source: Oid | None) -> None:
        super().__init__(oid, source)
        self.oid = oid
        self.source = source


def walk(roots: Iterable[Oid], read: Reader, *, skip: Callable[[Oid], bool] | None = None) -> Iterator[Reached]:
    """Yield every object reachable from ``roots`` once, depth first, without recursion.

    Args:
        roots: where to start.
        read: gives an object's kind and bytes.
        skip: names to pass over together with whatever only they reach (what a remote already has).

    Raises:
        BrokenLink: a root or a hard link is absent.
    """
    seen: set[Oid] = set()
    stack: list[tuple[Oid, Oid | None, bool]] = [(oid, None, False) for oid in roots]
    while stack:
        oid, source, soft = stack.pop()
        if oid in seen or (skip is not None and skip(oid)):
            continue
        found = read(oid)
        if found is None:
            if not soft:
                raise BrokenLink(oid, source)
            # Not marked as seen: a hard link elsewhere to the same content must still be noticed.
            yield Reached(oid, Kind.BLOB, None)
            continue
        seen.add(oid)
        kind, data = found
        yield Reached(oid, kind, data)
        if kind == Kind.BLOB:
            continue
        is_soft = kind in SOFT_LINK_KINDS
        stack.extend((link, oid, is_soft) for link in reversed(decode_node(data).links))
