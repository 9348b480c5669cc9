"""Which nodes are plain data, so that reading them runs no code but redun's own.  Normative page: docs/format/value.md.

The invariant: what is not known to be plain is not.  Pickles run what they name; objects of users' classes run their
``__setstate__`` or ``deserialize``; functions and classes are code to whoever calls them; an expression is calls that a
run makes, a shell script among them.
"""

from __future__ import annotations

from typing import Any

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.call_records import CallRecord, ReductionRecord
from redun.objects.codec import Node, decode_node
from redun.objects.kinds import Kind
from redun.objects.value_records import ValueRecord

CODE_TAGS = frozenset({19, 20, 21, 22, 23, 24})
"""class, function, object by its state, object by its own bytes, object by a proxy, pickle"""
DATA_TAGS = frozenset({*range(1, 19), *range(26, 41)})
FOREIGN_TAG = 25
FOREIGN_PACKAGES = frozenset({"numpy", "pandas", "pyarrow"})
"""Whose codecs hold numbers, texts and bytes; the other ones of tag 25 are callables, or users' own."""
_DATA_CODEC = "data"


def is_plain(node: Node) -> bool:
    """Tell whether a node is data alone; a value within a value is a node of its own, and judged for itself."""
    if node.kind == Kind.EXPRESSION:
        return False
    if node.kind != Kind.VALUE:
        return True
    try:
        record = ValueRecord.decode(node)
    except ObjectError:
        return False
    return record.codec == _DATA_CODEC and _is_plain_payload(record.payload)


def find_produced(node: Node) -> list[Oid]:
    """Return the files that a call or a reduction says were written: it is these that a run puts back.

    A node that does not fit its kind has none: nobody reuses it.
    """
    try:
        if node.kind == Kind.CALL:
            record = CallRecord.decode(node)
            codes = (*record.summary.produced, *record.own_produced)
            return [record.summary.externals[code >> 1] for code in codes]
        return ReductionRecord.decode(node).produced if node.kind == Kind.REDUCTION else []
    except ObjectError:
        return []


def is_harmless(kind: int, data: bytes) -> bool:
    """Tell whether an object holds no code, and says of no file that it was written, so that no run puts one back.

    Raises NotCanonical for what is none; a blob is bytes, whatever they look like.
    """
    if kind == Kind.BLOB:
        return True
    node = decode_node(data)
    return is_plain(node) and not find_produced(node)


def _is_plain_payload(payload: Any) -> bool:
    stack = [payload]
    while stack:
        part = stack.pop()
        if type(part) is not list:
            continue
        tag = part[0] if part else None
        if type(tag) is not int:
            return False
        if tag == FOREIGN_TAG:
            name = part[1] if len(part) > 1 else None
            if type(name) is not str or name.partition(".")[0] not in FOREIGN_PACKAGES:
                return False
        elif tag not in DATA_TAGS:
            return False
        stack += part[1:]
    return True
