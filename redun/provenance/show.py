"""One object of any kind, taken apart for people and for scripts.

The invariant: every kind has a description, and every link of a node is listed with its name, so that the store can be
walked by hand from any object to any other.  Formats: docs/format/object.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from blake3 import blake3

from redun.hashing import READ_SIZE_BYTES, Oid
from redun.objects.codec import decode_node
from redun.objects.kinds import Kind
from redun.provenance.describe import Field, describe_node
from redun.provenance.values import view_value
from redun.store.base import ObjectCorrupt, ObjectMissing, ObjectStore

HEAD_BYTES = 4_096
"""How much of a blob is looked at."""
_KIND_NUMBERS = frozenset(int(kind) for kind in Kind)


class LinkView(NamedTuple):
    """One link of a node, by the part it plays."""

    name: str
    oid: Oid
    kind: int | None  # None: not in the store


@dataclass(frozen=True, slots=True)
class ObjectView:
    """An object, taken apart."""

    oid: Oid
    kind: int
    kind_name: str
    size: int  # bytes, uncompressed
    fields: tuple[Field, ...]
    links: tuple[LinkView, ...]
    preview: str  # of a value or a file; else empty
    text: str  # of a source or an expression; else empty
    head: bytes  # the first HEAD_BYTES of a blob; else empty
    pointers: tuple[LinkView, ...]  # what points here, as far as the store's tables tell


def kind_name(kind: int | None) -> str:
    """Return a kind as text; ``missing`` for None."""
    if kind is None:
        return "missing"
    return Kind(kind).name.lower() if kind in _KIND_NUMBERS else f"kind {kind}"


def show_object(store: ObjectStore, oid: Oid) -> ObjectView:
    """Take an object apart.

    Raises:
        ObjectMissing: it is not in the store.
        ObjectError: it is damaged, or not what its kind allows.
    """
    kind = store.kind_of(oid)
    if kind is None:
        raise ObjectMissing(oid)
    if kind == Kind.BLOB:
        head, size = _read_head(store, oid)
        return ObjectView(oid, kind, kind_name(kind), size, (), (), "", "", head, ())
    data = store.get(oid)
    node = decode_node(data)
    fields, links, text = describe_node(node)
    named = tuple(LinkView(name, link, store.kind_of(link)) for name, link in links)
    preview = view_value(store, oid).text if kind in {Kind.VALUE, Kind.FILE, Kind.HANDLE} else ""
    return ObjectView(
        oid, kind, kind_name(kind), len(data), fields, named, preview, text, b"", _find_pointers(store, oid, kind)
    )


def iter_raw(store: ObjectStore, oid: Oid) -> Iterator[bytes]:
    """Yield an object's bytes in pieces: a blob's content, or a node's canonical bytes.

    Raises:
        ObjectMissing: it is not in the store.
        ObjectCorrupt: its bytes do not hash to its name; for a blob this shows only after its last piece.
    """
    if store.kind_of(oid) != Kind.BLOB:
        yield store.get(oid)
        return
    hasher = blake3()
    with store.open(oid) as stream:
        while piece := stream.read(READ_SIZE_BYTES):
            hasher.update(piece)
            yield piece
    if hasher.digest() != oid:
        raise ObjectCorrupt(oid, "the store", "its bytes do not hash to its name")


def _read_head(store: ObjectStore, oid: Oid) -> tuple[bytes, int]:
    """Return the first bytes of a blob and its size, without holding it in memory."""
    with store.open(oid) as stream:
        head = stream.read(HEAD_BYTES)
        if stream.seekable():
            return head, stream.seek(0, 2)
        size = len(head)
        while piece := stream.read(READ_SIZE_BYTES):
            size += len(piece)
    return head, size


def _find_pointers(store: ObjectStore, oid: Oid, kind: int) -> tuple[LinkView, ...]:
    """Return what the store's own tables know to point here: outcomes of an eval, producers of a file."""
    found: list[tuple[str, Oid]] = []
    if kind == Kind.EVAL:
        found = [("outcome", candidate.target) for candidate in store.find_candidates(oid)]
    elif kind == Kind.FILE:
        found = [("produced by", producer) for producer in store.find_producers(oid)]
    return tuple(LinkView(name, target, store.kind_of(target)) for name, target in dict.fromkeys(found))
