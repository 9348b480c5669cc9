"""Some of the objects of packs, children first, in batches: for packs to be written one after the other.

The invariant: each object comes after all that its links lead to among these, so batches that were written are whole
whenever the next one is not.  Memory holds a few bytes an object of one batch, and a byte for each object there is.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

from redun.hashing import Oid
from redun.objects.kinds import Kind
from redun.remotes.wanted import WANTED
from redun.store.canonical import split_node
from redun.store.pack import PackReader

_ENTERED, _DONE = 3, 4
_BLOB = int(Kind.BLOB)


def iter_batches(
    readers: Sequence[PackReader], flags: Sequence[bytearray], limit: int
) -> Iterator[Iterator[tuple[Oid, int, bytes]]]:
    """Yield batches of (oid, kind, bytes), each grouped by kind; one is to be used up before the next is asked for.

    Args:
        readers: packs.
        flags: of each pack, a byte an object: those that are WANTED are taken; the bytes are used up.
        limit: how many objects a batch holds at most.

    Raises:
        ObjectCorrupt: an object is damaged.
    """
    batch: dict[int, array[int]] = {}
    count = 0
    for place in _iter_places(readers, flags):
        kind = readers[place % len(readers)].idx.kind_at(place // len(readers))
        batch.setdefault(kind, array("Q")).append(place)
        count += 1
        if count == limit:
            yield _read(readers, batch)
            batch, count = {}, 0
    if count:
        yield _read(readers, batch)


def _read(readers: Sequence[PackReader], batch: dict[int, array[int]]) -> Iterator[tuple[Oid, int, bytes]]:
    for kind in sorted(batch):
        for place in batch[kind]:
            reader, ordinal = readers[place % len(readers)], place // len(readers)
            oid = reader.idx.oid_at(ordinal)
            yield oid, kind, reader.read(ordinal, oid)


def _iter_places(readers: Sequence[PackReader], flags: Sequence[bytearray]) -> Iterator[int]:
    """Yield places, children first.  A place is a number: the ordinal, and as the rest which pack."""
    n_packs = len(readers)
    for number, marks in enumerate(flags):
        at = -1
        while (at := marks.find(WANTED, at + 1)) >= 0:
            stack = [at * n_packs + number]
            while stack:
                place = stack[-1]
                ordinal, which = divmod(place, n_packs)
                if flags[which][ordinal] == WANTED:
                    flags[which][ordinal] = _ENTERED
                    stack += _find_children(readers, flags, readers[which], ordinal)
                    continue
                stack.pop()
                if flags[which][ordinal] == _ENTERED:
                    flags[which][ordinal] = _DONE
                    yield place


def _find_children(
    readers: Sequence[PackReader], flags: Sequence[bytearray], reader: PackReader, ordinal: int
) -> Iterator[int]:
    """Yield the places of what an object links to and what is still to be taken."""
    if reader.idx.kind_at(ordinal) == _BLOB:
        return
    for link in reversed(split_node(reader.read(ordinal))[0]):
        for which, other in enumerate(readers):
            at = other.idx.find(link)
            if at is not None and flags[which][at] == WANTED:
                yield at * len(readers) + which
                break
