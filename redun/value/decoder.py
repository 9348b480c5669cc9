"""Reading a payload back.  Normative page: docs/format/value.md.

The invariant: whatever a payload holds, decoding it gives the value or raises an ``Exception``, which
``decode_value`` turns into ``ValueUndecodable``.  What the caller's ``read`` raises is none of ours, and is carried
past that net in ``ReadFailed``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from redun.hashing import Oid
from redun.objects.codec import Node
from redun.value.tags import Payload

Read = Callable[[Oid], bytes]
"""Gives the bytes of an object; raises what its store raises when it cannot."""


class ReadFailed(Exception):
    """``read`` raised: not a damaged value, and not to be reported as one."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


def guard_read(read: Read) -> Read:
    """Return ``read`` with what it raises wrapped in ``ReadFailed``."""

    def guarded(oid: Oid) -> bytes:
        try:
            return read(oid)
        except BaseException as error:
            raise ReadFailed(error) from error

    return guarded


class Decoder:
    """Decodes the payload of one value node."""

    __slots__ = ("_decode_node", "_links", "_tags", "allow_pickle", "is_pickle", "read")

    def __init__(
        self,
        node: Node,
        read: Read,
        tags: Mapping[int, DecodeTag],
        decode_node: Callable[[Oid, bytes, Read, bool], Any],
        *,
        allow_pickle: bool,
        is_pickle: bool,
    ) -> None:
        self._links = node.links
        self._tags = tags
        self._decode_node = decode_node
        self.read = read
        self.allow_pickle = allow_pickle
        self.is_pickle = is_pickle

    def value(self, payload: Payload) -> Any:
        """Return the value of one payload."""
        return self._decoding_of(payload)(self, payload) if type(payload) is list else payload

    def members(self, payload: list[Payload], start: int) -> list[Any]:
        """Return the values of the payloads in an array, from ``start`` on.

        Two frames a level, this one and the tag's: 200 levels of containers must fit into Python's stack of 1 000.
        """
        if list not in set(map(type, payload)):
            return payload[start:]
        made = []
        for member in payload[start:]:
            made.append(self._decoding_of(member)(self, member) if type(member) is list else member)  # noqa: PERF401
        return made

    def _decoding_of(self, payload: list[Payload]) -> DecodeTag:
        tag = payload[0]
        if type(tag) is not int or tag not in self._tags:
            raise ValueError(f"unknown tag {tag!r}")
        return self._tags[tag]

    def bytes_in(self, payload: Payload) -> bytes:
        """Return the value of a payload that must be bytes."""
        content = self.value(payload)
        if type(content) is not bytes:
            raise TypeError(f"expected bytes, found {type(content).__name__}")
        return content

    def text_in(self, payload: Payload) -> str:
        """Return the value of a payload that must be text."""
        text = self.value(payload)
        if type(text) is not str:
            raise TypeError(f"expected text, found {type(text).__name__}")
        return text

    def read_link(self, index: Any) -> bytes:
        """Return the bytes of what a link names."""
        return self.read(self._link(index))

    def nested(self, index: Any) -> Any:
        """Return the value of the node that a link names."""
        oid = self._link(index)
        return self._decode_node(oid, self.read(oid), self.read, self.allow_pickle)

    def _link(self, index: Any) -> Oid:
        if type(index) is not int or not 0 <= index < len(self._links):
            raise ValueError(f"link {index!r} of {len(self._links)}")
        return self._links[index]


DecodeTag = Callable[[Decoder, list[Payload]], Any]
"""Gives the value of an array whose first item is one certain tag."""
