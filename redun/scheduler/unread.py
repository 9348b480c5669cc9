"""Large results that the scheduler passes on without reading them.

The invariant: what is passed on unread is in the store, whole: it came from a worker a moment ago, or it was hashed
again, in pieces.  So a value that turns out to be damaged is a miss, as for values that are read.
"""

from __future__ import annotations

from collections.abc import Sequence

from redun.hashing import Oid, hash_stream
from redun.objects.codec import Node
from redun.objects.kinds import Kind
from redun.objects.value_records import ValueRecord
from redun.store.base import ObjectCorrupt, ObjectStore
from redun.value.encoding import Encoded, Part, decode_value
from redun.value.stored import LARGE_TYPES, StoredValue
from redun.value.tags import DATA_CODEC


def is_large(node: Node) -> bool:
    """Tell whether a value is of data alone, with contents outside of its node."""
    if node.kind != Kind.VALUE or not node.links:
        return False
    record = ValueRecord.decode(node)
    return record.codec == DATA_CODEC and record.type_name in LARGE_TYPES


def find_unread(store: ObjectStore, oid: Oid, node: Node) -> StoredValue | None:
    """Return a recorded value unread; None for one that may as well be read.

    Raises:
        ObjectMissing, ObjectCorrupt: a content of it is not there, or damaged.
    """
    if not is_large(node) or any(store.kind_of(link) != Kind.BLOB for link in node.links):
        return None
    store.bring(node.links)
    if any(store.is_elsewhere(link) for link in node.links):
        return None  # workers read contents of this store alone
    for link in node.links:
        with store.open(link) as stream:
            if hash_stream(stream)[0] != link:
                raise ObjectCorrupt(link, "the store", "the bytes do not hash to the name")
    return pass_on(store, oid, node, store.get(oid), ())


def pass_on(store: ObjectStore, oid: Oid, node: Node, data: bytes, parts: Sequence[Part]) -> StoredValue:
    """Return a large value unread; ``parts`` are to be stored with it, and everything else of it is there."""
    encoded = Encoded(oid, Kind.VALUE, data, tuple(parts), ())
    return StoredValue(ValueRecord.decode(node).type_name, encoded, lambda: decode_value(oid, store.get))
