"""Building the payload, links and parts of one value.  Normative page: docs/format/value.md.

Theory of operation.  An ``Encoder`` walks one value and returns its payload; on the way it gathers the oids that the
node links to, in order of appearance, and everything that must be stored with it.  ``plans`` maps an exact type to the
function that encodes it; a type met for the first time is classified once.

Numbers and short texts stand for themselves in msgpack, so the walk passes them on without a call.  Two kinds of them
have no native form: integers beyond 64 bits and texts with lone surrogates.  Looking at each for that would cost a
third of the time, so the first walk trusts them, msgpack refuses what it cannot pack, and a second, *careful* walk
follows.

The invariant: the node depends on the value alone; not on identity of members, hash seed, process or Python version.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

import msgpack

from redun.hashing import Oid, hash_blob
from redun.objects.codec import NotEncodable, encode_node
from redun.objects.kinds import Kind
from redun.value.tags import (
    BLOB_BYTES,
    BLOB_STR,
    DATA_CODEC,
    LARGE_SIZE,
    MAX_NESTING,
    PICKLE_CODEC,
    Payload,
)

Part = tuple[Oid, bytes, int]
"""Oid, bytes and kind of an object to be stored."""

EXTERNAL_KINDS = frozenset({int(Kind.FILE), int(Kind.HANDLE)})
BLOB_KIND = int(Kind.BLOB)
VALUE_KIND = int(Kind.VALUE)

NUMBERS: frozenset[type] = frozenset({type(None), bool, int, float})
TEXTS: frozenset[type] = frozenset({str, bytes})
_CAREFUL_NUMBERS: frozenset[type] = frozenset({type(None), bool, float})
_CAREFUL_TEXTS: frozenset[type] = frozenset({bytes})

_pack = msgpack.Packer(use_bin_type=True, strict_types=True).pack


class Encoded(NamedTuple):
    """A value as objects.  A named tuple, not a dataclass: several are built for every job."""

    oid: Oid
    kind: int
    data: bytes
    parts: tuple[Part, ...]
    """What must be stored with it, children first, itself left out."""
    externals: tuple[Oid, ...]
    """The files and handles in it (or it itself), in order of appearance, each once."""
    classes: tuple[type, ...] = ()
    """The classes of the objects in it, each once: their names are part of the value, their code is not."""


class TooDeep(Exception):
    """Containers nest beyond the limit, or one contains itself."""


class Refused(Exception):
    """A member has no form.  Where it stands is found out afterwards: see offender.py."""

    def __init__(self, value: object, why: str) -> None:
        super().__init__(why)
        self.value = value
        self.why = why


def pack_payload(payload: Payload) -> bytes:
    """Return the canonical msgpack of a payload: what a set's members are ordered by.

    Raises:
        NotEncodable: it holds an integer or a text that needs a careful walk.
    """
    try:
        packed: bytes = _pack(payload)
    except (ValueError, OverflowError) as error:
        raise NotEncodable(str(error)) from None
    return packed


Encode = Callable[["Encoder", Any, int], Payload]
"""Gives the payload of a value of one exact type, at a depth."""


class Plans(dict[type, Encode]):
    """How to encode each type met so far.  ``classify`` is asked once for a type."""

    def __init__(self, classify: Callable[[type], tuple[str, Encode]]) -> None:
        super().__init__()
        self._classify = classify
        self._type_names: dict[type, str] = {}

    def __missing__(self, cls: type) -> Encode:
        self._type_names[cls], encode = self._classify(cls)
        self[cls] = encode
        return encode

    def type_name(self, cls: type) -> str:
        """Return what a value of this type says as its type name."""
        name = self._type_names.get(cls)
        if name is None:
            self.__missing__(cls)
            name = self._type_names[cls]
        return name

    def find_type(self, type_name: str) -> type | None:
        """Return a type met so far, by its name in the store."""
        return next((cls for cls, known in self._type_names.items() if known == type_name), None)

    def forget(self) -> None:
        """Classify anew: a codec or a proxy has been registered."""
        self.clear()
        self._type_names.clear()


class Encoder:
    """Encodes one value; used once."""

    __slots__ = (
        "_index",
        "_numbers",
        "_stored",
        "_texts",
        "classes",
        "externals",
        "has_pickle",
        "is_careful",
        "links",
        "parts",
        "plans",
    )

    def __init__(self, plans: Plans, *, is_careful: bool = False) -> None:
        self.plans = plans
        self.is_careful = is_careful
        self.links: list[Oid] = []
        self.parts: list[Part] = []
        self.externals: dict[Oid, None] = {}
        self.classes: dict[type, None] = {}
        self.has_pickle = False
        self._index: dict[Oid, int] = {}
        self._stored: set[Oid] = set()
        self._numbers: frozenset[type] = _CAREFUL_NUMBERS if is_careful else NUMBERS
        self._texts: frozenset[type] = _CAREFUL_TEXTS if is_careful else TEXTS

    def child(self) -> Encoder:
        """Return a new encoder for something that becomes a node of its own."""
        return Encoder(self.plans, is_careful=self.is_careful)

    def payload(self, value: Any, depth: int) -> Payload:
        """Return the payload of one value.

        Raises:
            Refused: it has no form.
            TooDeep: containers nest beyond the limit.
        """
        return value if self.is_native(value) else self.plans[type(value)](self, value, depth)

    def is_native(self, value: Any) -> bool:
        """Tell whether a value stands for itself in a payload, as far as this walk looks."""
        kind = type(value)
        return kind in self._numbers or (kind in self._texts and len(value) < LARGE_SIZE)

    def payloads(self, values: Collection[Any], depth: int) -> Iterable[Payload]:
        """Return the payloads of a container's members, given the container's own depth.  Raises as ``payload``."""
        numbers, texts, plans = self._numbers, self._texts, self.plans
        kinds = set(map(type, values))
        if kinds <= numbers:
            return values
        if depth >= MAX_NESTING:
            raise TooDeep
        depth += 1
        made = []
        for value in values:
            kind = type(value)
            if kind in numbers or (kind in texts and len(value) < LARGE_SIZE):
                made.append(value)
            else:
                made.append(plans[kind](self, value, depth))
        return made

    def bytes_payload(self, content: bytes) -> Payload:
        """Return the payload of bytes of any size."""
        if len(content) < LARGE_SIZE:
            return content
        return [BLOB_BYTES, self.add_blob(content), len(content)]

    def text_payload(self, content: bytes) -> Payload:
        """Return the payload of a large text, given its UTF-8."""
        return [BLOB_STR, self.add_blob(content), len(content)]

    def add_blob(self, content: bytes) -> int:
        """Take a large content as a part; return its link's index."""
        oid = hash_blob(content)
        self.add_part((oid, content, BLOB_KIND))
        return self.add_link(oid)

    def add_node(self, encoded: Encoded) -> int:
        """Take a nested node with all its parts; return its link's index."""
        for part in encoded.parts:
            self.add_part(part)
        self.add_part((encoded.oid, encoded.data, encoded.kind))
        self.externals.update(dict.fromkeys(encoded.externals))
        self.classes.update(dict.fromkeys(encoded.classes))
        return self.add_link(encoded.oid)

    def absorb(self, other: Encoder) -> int:
        """Take all that an encoder with one link has gathered; return the link's index here."""
        for part in other.parts:
            self.add_part(part)
        self.externals.update(other.externals)
        self.classes.update(other.classes)
        return self.add_link(other.links[0])

    def add_link(self, oid: Oid) -> int:
        """Return the index of a link, which is new or the one to the same oid."""
        index = self._index.setdefault(oid, len(self.links))
        if index == len(self.links):
            self.links.append(oid)
        return index

    def finish(self, type_name: str, payload: Payload) -> Encoded:
        """Return the value node of a payload that this encoder made."""
        codec = PICKLE_CODEC if self.has_pickle else DATA_CODEC
        oid, data = encode_node(VALUE_KIND, self.links, [type_name, codec, payload])
        return Encoded(oid, VALUE_KIND, data, tuple(self.parts), tuple(self.externals), tuple(self.classes))

    def add_part(self, part: Part) -> None:
        """Take one object to be stored with this value, once."""
        if part[0] not in self._stored:
            self._stored.add(part[0])
            self.parts.append(part)
