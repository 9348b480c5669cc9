"""Objects on their way into a parcel and out of it; used by both sides."""

from __future__ import annotations

from typing import Any

from redun.expression_codec import decode_expression, encode_expression
from redun.hashing import Oid
from redun.objects.call_records import ExpressionRecord
from redun.objects.codec import decode_node
from redun.objects.kinds import Kind
from redun.objects.parcel import Parcel
from redun.store.base import ObjectMissing, ObjectStore
from redun.store.blobs import LARGE_SIZE_BYTES, Blobs
from redun.store.storage import NameMissing
from redun.value.encoding import Encoded, decode_value, encode_value

_BLOB = int(Kind.BLOB)
_EXTERNAL_KINDS = frozenset({int(Kind.FILE), int(Kind.HANDLE)})


class Gathered:
    """Objects on their way into a parcel; large contents go where both sides can read them."""

    def __init__(self, contents: Blobs | None, *, is_careful: bool = False) -> None:
        """``is_careful``: contents that are there already are hashed before they are trusted."""
        self._contents = contents
        self._is_careful = is_careful
        self.objects: list[tuple[Oid, bytes, int]] = []

    def add(self, oid: Oid, data: bytes, kind: int) -> None:
        """Take one object.  Raises OSError when a large content cannot be written."""
        if kind == _BLOB and self._contents is not None and len(data) >= LARGE_SIZE_BYTES:
            self._contents.put(oid, data, is_careful=self._is_careful)
        else:
            self.objects.append((oid, data, kind))

    def add_value(self, value: Any) -> Oid:
        """Take a value with all it consists of; return its oid.  Raises ValueNotEncodable."""
        return self.add_encoded(encode_value(value))

    def add_encoded(self, encoded: Encoded) -> Oid:
        """Take a value that was encoded."""
        for oid, data, kind in encoded.parts:
            self.add(oid, data, kind)
        self.add(encoded.oid, encoded.data, encoded.kind)
        return encoded.oid

    def add_origins(self, store: ObjectStore) -> None:
        """Take what the handles that were taken were opened with: it was stored when they first came up."""
        held = {oid for oid, _, _ in self.objects}
        wanted = [decode_node(data).links for _, data, kind in self.objects if kind == Kind.HANDLE]
        stack = [links[0] for links in wanted if links]
        while stack:
            oid = stack.pop()
            if oid not in held:
                held.add(oid)
                data, kind = store.get(oid), store.kind_of(oid)
                self.objects.append((oid, data, int(kind or 0)))
                stack += [] if kind == _BLOB else decode_node(data).links

    def add_expression(self, value: Any) -> Oid:
        """Take an expression, or a container of some; return its oid.  Raises ExpressionNotEncodable."""
        made = encode_expression(value)
        for encoded in made.values:
            self.add_encoded(encoded)
        self.add(made.oid, made.data, int(Kind.EXPRESSION))
        return made.oid


class ParcelReader:
    """Reads the objects that a parcel names: from it, or from where large contents lie."""

    def __init__(self, parcel: Parcel, contents: Blobs | None, store: ObjectStore | None = None) -> None:
        """``store``: where the parcel goes back to, which has all that went out."""
        self._parcel = parcel
        self._contents = contents
        self._store = store
        self.externals: dict[Oid, None] = {}
        """The files and handles that were read."""
        self.beside: list[Oid] = []
        """The contents that were read from beside the parcel."""

    def __call__(self, oid: Oid) -> bytes:
        """Return an object's bytes.  Raises ObjectMissing."""
        found = self._parcel.objects.get(oid)
        if found is not None:
            if found[0] in _EXTERNAL_KINDS:
                self.externals[oid] = None
            return found[1]
        if self._store is not None and self._store.has(oid):
            return self._store.get(oid)
        if self._contents is None:
            raise ObjectMissing(oid)
        self.beside.append(oid)
        try:
            return self._contents.get(oid)
        except NameMissing:
            raise ObjectMissing(oid) from None

    def has(self, oid: Oid) -> bool:
        """Tell whether an object is in the parcel itself."""
        return oid in self._parcel.objects

    def part(self, oid: Oid) -> tuple[Oid, bytes, int]:
        """Return an object of the parcel with its name and kind."""
        kind, data = self._parcel.objects[oid]
        return oid, data, kind

    def value(self, oid: Oid) -> Any:
        """Return a value."""
        return decode_value(oid, self)

    def expression(self, oid: Oid) -> Any:
        """Return an expression."""
        return decode_expression(ExpressionRecord.decode(decode_node(self(oid))), self.value)
