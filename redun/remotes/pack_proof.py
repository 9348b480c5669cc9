"""One pass over a pack that has come: every object is hashed, and the idx that the remote has for it is proven.

The invariant: nothing is believed of the pack but its hash, and nothing of the idx; what is proven is what
``rebuild_idx`` would make.  That takes 300 bytes an object of the pack, and this 60 bytes a job.
"""

from __future__ import annotations

from bisect import bisect_right

from redun.errors import ObjectError
from redun.hashing import Buffer, Oid, hash_blob, hash_node
from redun.objects.kinds import Kind
from redun.store.idx import Idx
from redun.store.idx_proof import IdxProof
from redun.store.lookups import LOOKUP_KINDS
from redun.store.pack_format import Record, decode_block, decode_directory, locate_directory, restore_object

_BLOB = int(Kind.BLOB)


def is_proven(pack: Oid, content: Buffer, idx: Idx, where: str) -> bool:
    """Tell whether a pack is what its name says, and an idx the one that it gives.

    Args:
        pack: its name.
        content: the whole of it.
        idx: one whose checksum fits.
        where: what to call the pack in messages.
    """
    view = memoryview(content)
    try:
        return hash_blob(view) == pack and _PackProof(idx).holds(view, where)
    except (ObjectError, ValueError, TypeError, LookupError):
        return False


class _PackProof:
    def __init__(self, idx: Idx) -> None:
        self._idx = idx
        self._tables = IdxProof(idx)
        self._ordinal = 0  # of the object that is looked at

    def holds(self, view: memoryview, where: str) -> bool:
        """Tell whether all fits.  Raises what decoding raises."""
        idx = self._idx
        offset, size = locate_directory(view, where)
        directory = decode_directory(view[offset : offset + size], where)
        if (directory.ends, offset, size) != (idx.ends, idx.directory_offset, idx.directory_size):
            return False
        rows = directory.rows
        for row, end in zip(rows, [*(row.first for row in rows[1:]), idx.count]):
            frame = view[row.offset : row.offset + row.compressed_size]
            records = decode_block(frame, row, end - row.first, where)
            if not all(self._take(ordinal, record) for ordinal, record in enumerate(records, row.first)):
                return False
        return self._tables.holds()

    def _take(self, ordinal: int, record: Record) -> bool:
        kind = bisect_right(self._idx.ends, ordinal)
        self._ordinal = ordinal
        data = restore_object(kind, record, ordinal, self._name_before)
        if (hash_blob(data) if kind == _BLOB else hash_node(data)) != self._idx.oid_at(ordinal):
            return False
        if kind in LOOKUP_KINDS:
            self._tables.take(ordinal, kind, data)
        return True

    def _name_before(self, ordinal: int) -> Oid:
        """Return the name of an object that stands before this one: numbered links only point back."""
        if not 0 <= ordinal < self._ordinal:
            raise IndexError(ordinal)
        return self._idx.oid_at(ordinal)
