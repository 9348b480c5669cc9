"""What a stored value looks like, for people: text made from the payload alone.

The invariant: no user's module is imported, nothing is unpickled, no large content is read, and of a large node only
the beginning is decoded; a value from anywhere can be shown.  The text looks as Python would write the value, cut at a
length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from redun.hashing import Oid
from redun.objects.codec import Node, decode_node
from redun.objects.kinds import Kind
from redun.objects.oid import short
from redun.objects.task_records import TaskRecord
from redun.objects.value_records import FileRecord, HandleForm, HandleRecord, ValueRecord
from redun.value.decoder import Read, guard_read
from redun.value.errors import ValueUndecodable
from redun.value.glance import ITEMS, glance_node
from redun.value.tags import BLOB_BYTES, BLOB_STR, Payload


class Preview(NamedTuple):
    """A value as ``show`` and ``log`` print it.  A named tuple: a log makes thousands."""

    type_name: str
    text: str
    codec: str  # "data" or "pickle"; the kind's name for a node that is no plain value
    size_bytes: (
        int  # of its node and the large contents that are part of it (seen in it, if large), not of nested nodes
    )


PreviewNode = Callable[[Node, Oid, Read], str]
"""Gives the text that stands for a node of a kind other than value."""


def _preview_file(node: Node, oid: Oid, _read: Read) -> str:
    return f"File(path={FileRecord.decode(node).path}, hash={short(oid)})"


def _preview_task(node: Node, oid: Oid, _read: Read) -> str:
    return f"Task(fullname={TaskRecord.decode(node).fullname}, hash={short(oid)})"


def _preview_handle(node: Node, oid: Oid, read: Read) -> str:
    record = HandleRecord.decode(node)
    if record.form is not HandleForm.ROOT:
        record = HandleRecord.decode(decode_node(read(record.links[0])))
    type_name, fullname = record.texts
    return f"{type_name.rpartition('.')[2]}(fullname={fullname}, hash={short(oid)})"


previews: dict[int, PreviewNode] = {
    int(Kind.FILE): _preview_file,
    int(Kind.TASK): _preview_task,
    int(Kind.HANDLE): _preview_handle,
}
"""How nodes of each kind other than value are shown; the layers that own the kinds may put in better ones."""

_KIND_TYPE_NAMES = {int(Kind.FILE): "redun.File", int(Kind.TASK): "redun.Task", int(Kind.HANDLE): "redun.Handle"}


def preview_value(oid: Oid, read: Read, *, max_chars: int = 200) -> Preview:
    """Return what a stored value looks like.

    Args:
        oid: a node of any kind that a task can take or return.
        read: gives the bytes of an object; what it raises passes through, but for nested nodes that are missing.
        max_chars: where the text is cut.

    Raises:
        ValueUndecodable: the node is not a value, or is damaged.
    """
    data = read(oid)
    try:
        return _preview(oid, data, guard_read(read), max_chars)
    except Exception as error:
        raise ValueUndecodable(oid, f"{type(error).__name__}: {error}") from error


def _preview(oid: Oid, data: bytes, read: Read, max_chars: int) -> Preview:
    max_items = max_chars + ITEMS
    node = glance_node(data, max_items)
    if node.kind != Kind.VALUE:
        kind = Kind(node.kind)
        name = _KIND_TYPE_NAMES.get(node.kind, kind.name.lower())
        return Preview(name, _cut(iter((_show_node(node, oid, read),)), max_chars), kind.name.lower(), len(data))
    from redun.value.shown import Shower  # a run that shows nothing need not load it

    record = ValueRecord.decode(node)
    shown = _cut(Shower(node.links, read, _show_node, max_items).show(record.payload, 0), max_chars)
    large = sum(_iter_large(record.payload)) if node.links else 0
    return Preview(record.type_name, shown, record.codec, len(data) + large)


def _show_node(node: Node, oid: Oid, read: Read) -> str:
    preview = previews.get(node.kind)
    return f"<{Kind(node.kind).name.lower()} {short(oid)}>" if preview is None else preview(node, oid, read)


def _cut(pieces: Iterator[str], max_chars: int) -> str:
    """Join pieces as far as they are wanted; the rest is never made."""
    text = ""
    for piece in pieces:
        text += piece
        if len(text) > max_chars:
            return f"{text[: max(max_chars - 3, 0)]}..."
    return text


def _iter_large(payload: Payload) -> Iterator[int]:
    """Yield the sizes of the large contents in a payload."""
    stack = [payload]
    while stack:
        part = stack.pop()
        if type(part) is list:
            if part[0] in {BLOB_BYTES, BLOB_STR}:
                yield part[2]
            stack.extend(part)
