"""The beginning of a large node: as much as a preview shows, without decoding the rest.

Decoding a node of 200 MB takes seconds and several times its size; the 200 characters that a log shows stand in its
first kilobytes.  Links are of one size, so the body begins where it can be computed, and msgpack is read from its
start until the bytes at hand end.  What is cut off is replaced by ``REST``, which is shown as dots.

The invariant: whatever is shown is a beginning of what the whole would show.  Normative page: docs/format/object.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import msgpack

from redun.hashing import OID_SIZE, Oid
from redun.objects.codec import Node, NotCanonical, decode_node
from redun.objects.kinds import Kind
from redun.value import tags
from redun.value.tags import Payload

LARGE_NODE_SIZE = 1 << 20
"""Bytes from which only the beginning of a node is looked at; a smaller one decodes in milliseconds."""

_HEAD_SIZE = 1 << 18
"""Bytes of the body that are read: the longest text or pickle that lies in a node, and then some."""

ITEMS = 2_000
"""Items of the body that are read.  Each shows as a character or more, and takes 2 us."""

_LINK_SIZE = 2 + OID_SIZE  # bin 8, length, digest


class _Rest:
    """Stands for what was cut off."""

    def __repr__(self) -> str:
        return "..."


REST = _Rest()

_CUT_AFTER = {
    **dict.fromkeys((tags.LIST, tags.TUPLE, tags.SET, tags.FROZENSET), 1),
    **dict.fromkeys((tags.DEQUE, tags.FOREIGN), 2),
    **dict.fromkeys((tags.DATACLASS, tags.NAMEDTUPLE), 3),
}
"""Tags of arrays that can be cut, and after how many whole items: the tag, names, a maximal length."""
_CUT_AFTER_PAIRS = {tags.DICT: 1, tags.ORDERED_DICT: 1, tags.COUNTER: 1, tags.DEFAULT_DICT: 2}
"""Tags of pairs, and how many items stand before the first key."""


def glance_node(data: bytes, max_items: int = ITEMS) -> Node:
    """Return a node; of a large one that is a value, only the beginning of the body.

    Raises:
        NotCanonical: the bytes do not begin as a node.
    """
    if len(data) < LARGE_NODE_SIZE:
        return decode_node(data)
    try:
        kind, n_links, start = _read_head(data)
        if kind != Kind.VALUE:
            return decode_node(data)
        end = start + n_links * _LINK_SIZE
        body = _Reader(data[end : end + _HEAD_SIZE], max_items).read_body()
    except (ValueError, msgpack.exceptions.UnpackException) as error:
        raise NotCanonical(f"not a node: {error}") from None
    links: Any = _Links(data, start, n_links)
    return Node(kind, links, body)


def _read_head(data: bytes) -> tuple[int, int, int]:
    """Return the kind, the number of links, and where the first link begins."""
    unpacker = msgpack.Unpacker()
    unpacker.feed(data[:16])
    if unpacker.read_array_header() != 3:
        raise ValueError("expected an array of kind, links and body")
    kind, n_links = unpacker.unpack(), unpacker.read_array_header()
    return kind, n_links, unpacker.tell()


class _Links(Sequence[Oid]):
    """The links of a node, cut out of its bytes one by one as they are asked for."""

    def __init__(self, data: bytes, start: int, count: int) -> None:
        self._data = data
        self._start = start
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Oid: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Oid]: ...
    def __getitem__(self, index: int | slice) -> Oid | Sequence[Oid]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        if not 0 <= index < self._count:
            raise IndexError(index)
        start = self._start + index * _LINK_SIZE + 2
        return Oid(self._data[start : start + OID_SIZE])


class _Cut(Exception):
    """The bytes at hand end within this array; ``part`` is what can be shown of it."""

    def __init__(self, part: Payload) -> None:
        super().__init__()
        self.part = part


class _Reader:
    """Reads one body from the beginning of its bytes."""

    def __init__(self, head: bytes, max_items: int) -> None:
        self._head = head
        self._n_left = max_items
        self._unpacker = msgpack.Unpacker(max_buffer_size=0)
        self._unpacker.feed(head)

    def read_body(self) -> list[Any]:
        """Return type name, codec and payload, the last one cut where the bytes end."""
        size = self._unpacker.read_array_header()
        body = [self._unpacker.unpack() for _ in range(size - 1)]
        return [*body, self._read_payload()]

    def _read_payload(self) -> Payload:
        try:
            return self._read()
        except _Cut as cut:
            return cut.part

    def _read(self) -> Payload:
        """Return one payload.  Raises _Cut when the bytes end within it."""
        self._n_left -= 1
        try:
            if self._n_left < 0:
                raise _Cut(REST)
            if not self._is_array():
                return self._unpacker.unpack()
            size = self._unpacker.read_array_header()
        except msgpack.OutOfData:
            raise _Cut(REST) from None
        made: list[Payload] = []
        for _ in range(size):
            try:
                made.append(self._read())
            except _Cut as cut:
                raise _Cut(_cut_payload(made, cut.part, size)) from None
        return made

    def _is_array(self) -> bool:
        place = self._unpacker.tell()
        if place >= len(self._head):
            raise msgpack.OutOfData
        first = self._head[place]
        return 0x90 <= first <= 0x9F or first in {0xDC, 0xDD}


def _cut_payload(fields: list[Payload], part: Payload, size: int) -> Payload:
    """Return what can be shown of an array of ``size`` items, of which some were read and the next one in part."""
    tag = fields[0] if fields else None
    if tag in _CUT_AFTER_PAIRS and len(fields) >= _CUT_AFTER_PAIRS[tag]:
        return [*fields, part]
    if tag in _CUT_AFTER and len(fields) >= _CUT_AFTER[tag]:
        return [*fields, part]
    if tag == tags.OBJECT and len(fields) == 2:
        return [*fields, part, None]
    if tag == tags.PROXY and len(fields) == size - 1:
        return [*fields, part]
    if tag == tags.PICKLE and len(fields) >= 3:
        content = fields[2]
        # Without its table, what the pickle names is not known: as if its bytes were a blob elsewhere.
        return [*fields[:2], [tags.BLOB_BYTES, 0, len(content)] if type(content) is bytes else content]
    return REST
