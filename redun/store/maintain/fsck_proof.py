"""One pass over a whole pack: every object is hashed and decoded, its links are marked, and its idx is proven.

The invariant: nothing is believed of the pack but its hash, and nothing of the idx.  Whatever does not fit ends the
pass, and the slow way, which makes the idx anew, finds out what is wrong.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from redun.errors import ObjectError
from redun.hashing import OID_SIZE, Buffer, Oid, hash_blob, hash_node
from redun.objects.codec import Node, decode_body
from redun.objects.kinds import SOFT_LINK_KINDS, Kind
from redun.store.canonical import join_node
from redun.store.idx_proof import IdxProof
from redun.store.lookups import LOOKUP_KINDS
from redun.store.maintain.fsck_objects import RECORDS
from redun.store.maintain.known import NEEDED, WHOLE, Known, PackMarks
from redun.store.pack_format import Record, decode_block, decode_directory, locate_directory, restore_parts

_BLOB = int(Kind.BLOB)


class Misfit(NamedTuple):
    """An object that hashes to its name and is none of its kind."""

    oid: Oid
    why: str


class _Unproven(Exception):
    """Something does not fit."""


def prove(content: Buffer, marks: PackMarks, known: Known, where: str) -> list[Misfit] | None:
    """Check a pack whose hash is right, and its idx; None when one of them is not what it should be.

    Args:
        content: the pack.
        marks: where its objects and what they link to are marked, with its idx.
        known: takes the links into other packs.
        where: what to call the pack in messages.
    """
    proof = _PackProof(marks, known)
    try:
        return proof.run(memoryview(content), where)
    except (_Unproven, ObjectError, ValueError, TypeError, LookupError):
        marks.forget_whole()
        return None


class _PackProof:
    def __init__(self, marks: PackMarks, known: Known) -> None:
        self._idx = marks.idx
        self._marks = marks.marks
        self._known = known
        self._tables = IdxProof(marks.idx)
        self._misfits: list[Misfit] = []

    def run(self, view: memoryview, where: str) -> list[Misfit]:
        """Raises _Unproven, and what decoding raises."""
        offset, size = locate_directory(view, where)
        directory = decode_directory(view[offset : offset + size], where)
        idx = self._idx
        if (directory.ends, offset, size) != (idx.ends, idx.directory_offset, idx.directory_size):
            raise _Unproven
        rows = directory.rows
        for row, end in zip(rows, [*(row.first for row in rows[1:]), idx.count]):
            kind = bisect_right(idx.ends, row.first)
            if end > idx.ends[kind]:
                raise _Unproven  # a block holds objects of one kind
            records = decode_block(view[row.offset : row.offset + row.compressed_size], row, end - row.first, where)
            if kind == _BLOB:
                self._take_blobs(records, row.first)
            else:
                self._take_nodes(kind, records, row.first)
        if not self._tables.holds():
            raise _Unproven
        return self._misfits

    def _take_blobs(self, records: list[Record], first: int) -> None:
        for ordinal, record in enumerate(records, first):
            if type(record) is not bytes or hash_blob(record) != self._idx.oid_at(ordinal):
                raise _Unproven
            self._marks[ordinal] |= WHOLE

    def _take_nodes(self, kind: int, records: list[Record], first: int) -> None:
        name_of, marks, need = self._idx.oid_at, self._marks, self._known.need
        names = self._idx.oids[OID_SIZE * first : OID_SIZE * (first + len(records))].tobytes()
        record_class, is_looked_up, is_hard = RECORDS.get(kind), kind in LOOKUP_KINDS, kind not in SOFT_LINK_KINDS
        for ordinal, record in enumerate(records, first):
            links, body = restore_parts(record, ordinal, name_of)
            data = join_node(kind, links, body)
            oid = hash_node(data)
            if oid != names[OID_SIZE * (ordinal - first) : OID_SIZE * (ordinal - first + 1)]:
                raise _Unproven
            marks[ordinal] |= WHOLE
            if is_looked_up:
                self._tables.take(ordinal, kind, data)
            try:
                node = Node(kind, links, decode_body(body))
                if record_class is not None:
                    record_class.decode(node)
            except ObjectError as error:
                self._misfits.append(Misfit(oid, str(error)))
                continue
            if not is_hard:
                continue
            for form, link in zip(record[0], links):
                if type(form) is int:
                    marks[ordinal - form if form > 0 else -form] |= NEEDED
                else:
                    need(link)
