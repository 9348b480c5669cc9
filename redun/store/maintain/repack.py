"""Merging packs, so that a lookup costs the same after ten thousand runs.

The invariant: an object is in a whole pack at every moment.  The merged pack is written, read back and taken in before
one of its parts is removed; a reader that loses a part lists the packs anew and finds the object in the merged one.

Rule: each pack has at least twice the objects of the next newer one.  Then n runs leave about log2(n) packs, and an
object is written about log2(n) times in all its life.  What would hold more than two million objects is not merged:
merging takes 150 bytes of memory an object.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from redun.hashing import OID_SIZE, Oid, hash_blob
from redun.store.base import ObjectCorrupt
from redun.store.canonical import KIND_COUNT
from redun.store.maintain.merge_notes import merge_notes
from redun.store.objectdb import ObjectDb
from redun.store.pack import PackReader
from redun.store.pack_format import idx_name, pack_name
from redun.store.storage import NameMissing

MAX_MERGED_OBJECTS = 2_000_000
GROWTH = 2
_NOBODYS_PACK = pack_name(Oid(bytes(OID_SIZE)))
"""There is none: deleting it tells whether this process may delete, before anything is written in vain."""


def plan_merge(sizes: Sequence[int]) -> int:
    """Return how many of the newest packs to merge into one, 0 when the rule holds among them.

    Args:
        sizes: of each pack, newest first, in any unit.
    """
    # The last place that breaks the rule counts, not the first that keeps it: a small pack in front of many equal ones,
    # as a long run or a pull leaves them, must not hide them.
    broken = [place for place in range(1, len(sizes)) if sizes[place] < GROWTH * sizes[place - 1]]
    if not broken:
        return 0
    count = broken[-1] + 1
    while count < len(sizes) and sizes[count] < GROWTH * sum(sizes[:count]):
        count += 1
    return count


def plan_repack(store: ObjectDb, *, is_all: bool = False) -> tuple[PackReader, ...]:
    """Return the packs that ``consolidate`` would merge, newest first; nothing is changed."""
    store.refresh(force=True)
    pinned = store.journals.pinned_packs()
    chosen: list[PackReader] = []
    total = 0
    for reader in store.packs.readers:
        if is_all and reader.name in pinned:
            continue
        total += len(reader)
        if reader.name in pinned or total > MAX_MERGED_OBJECTS:
            break
        chosen.append(reader)
    # By objects and not by bytes: what a look-up costs follows them, and a run that finds everything cached writes many
    # bytes (its rows link into other packs) in few objects, which would have the whole merged for nothing.
    n_merged = len(chosen) if is_all else plan_merge([len(reader) for reader in chosen])
    return tuple(chosen[:n_merged]) if n_merged > 1 else ()


def consolidate(store: ObjectDb, *, is_all: bool = False) -> Oid | None:
    """Merge the newest packs where they break the rule; return the merged pack's name, None when nothing was merged.

    With ``is_all`` every pack is merged, as far as the limit of objects allows.

    When anything is in doubt (a part is damaged, or another process merges too) nothing is removed.

    Raises:
        ReadOnlyStore: the storage cannot be written, or nothing in it be deleted; nothing was written.
        OSError: it is full, or fails; nothing was removed.
    """
    parts = plan_repack(store, is_all=is_all)
    merge_notes(store)
    if not parts:
        return None
    store.storage.delete(_NOBODYS_PACK)
    try:
        merged = store.sealer.write(_iter_merged(parts))
        if merged is None or hash_blob(store.storage.view(pack_name(merged.name))) != merged.name:
            return None
    except (ObjectCorrupt, NameMissing):
        return None  # one of the parts, or the merged pack itself: another process was here first, and merged it on
    whole = store.packs.find_reader(merged.name)
    if whole is None or not all(whole.has(oid) for part in parts for oid in _iter_oids(part)):
        return None
    for part in parts:
        if part.name != merged.name:
            # The pack first: a reader takes one without an idx for damaged, one that is gone for merged.
            store.storage.delete(pack_name(part.name))
            store.storage.delete(idx_name(part.name))
    store.refresh(force=True)
    return merged.name


def _iter_merged(parts: Sequence[PackReader]) -> Iterator[tuple[Oid, int, bytes]]:
    """Yield all objects by kind and, within a kind, from the oldest pack to the newest, each checked on the way."""
    for kind in range(KIND_COUNT):
        for part in reversed(parts):
            yield from part.iter_objects(kind)


def _iter_oids(part: PackReader) -> Iterator[Oid]:
    return (part.idx.oid_at(ordinal) for ordinal in range(len(part)))
