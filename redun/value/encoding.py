"""Values to objects and back: ``encode_value`` and ``decode_value``.  Normative page: docs/format/value.md.

The invariants: nothing is stored by encoding and nothing read but by the caller's ``read``; equal values of equal types
have one oid anywhere; decoding gives back the value with its exact types, or raises ``ValueUndecodable``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.codec import Node, NotEncodable, decode_node, encode_node
from redun.objects.kinds import VALUE_KINDS, Kind
from redun.objects.value_records import ValueRecord
from redun.value import classes, containers, objects, pickling, scalars
from redun.value.classes import set_code_digest
from redun.value.classify import plans
from redun.value.decoder import Decoder, Read, ReadFailed, guard_read
from redun.value.encoder import NUMBERS, TEXTS, VALUE_KIND, Encoded, Encoder, Part, Refused, TooDeep
from redun.value.errors import InvalidValueError, ValueNotEncodable, ValueUndecodable
from redun.value.names import NotFound, dotted, dotted_name
from redun.value.objects import Codec
from redun.value.preview import Preview, PreviewNode, preview_value, previews
from redun.value.stored import StoredValue
from redun.value.tags import CODECS, DATA_CODEC, LARGE_SIZE, MAX_NESTING, PICKLE, PICKLE_CODEC, Payload
from redun.value.value import Value

__all__ = [
    "Codec",
    "Encoded",
    "InvalidValueError",
    "Part",
    "Preview",
    "Read",
    "ValueNotEncodable",
    "ValueUndecodable",
    "decode_value",
    "encode_value",
    "find_pickled_types",
    "preview_value",
    "register_codec",
    "register_kind",
    "set_code_digest",
    "type_name_of",
]

_NATIVE = NUMBERS | TEXTS
_NATIVE_NAMES = {cls: cls.__name__ for cls in _NATIVE}
_TOO_DEEP = f"it nests deeper than {MAX_NESTING} levels, or contains itself"
_PICKLE_MARK = b"\xa6pickle"
"""How the codec's name stands in a value node: cheap to look for before decoding it."""


def encode_value(value: Any) -> Encoded:
    """Return a value's node, what must be stored with it, and the files and handles in it.

    Raises:
        ValueNotEncodable: the value, or something in it, has no form; it says where.
    """
    name = _NATIVE_NAMES.get(type(value))
    if name is not None and (type(value) not in TEXTS or len(value) < LARGE_SIZE):
        try:
            oid, data = encode_node(VALUE_KIND, (), [name, DATA_CODEC, value])
            return Encoded(oid, VALUE_KIND, data, (), ())
        except NotEncodable:
            pass
    try:
        return _encode(value)
    except Refused as refused:
        raise _locate(value, refused) from refused.__cause__
    except RecursionError:
        # Not left to pickle: a key must not depend on how deep its caller happens to stand.
        raise ValueNotEncodable(
            "", dotted_name(type(value)), "it nests too deep for what is left of the stack"
        ) from None


def _encode(value: Any) -> Encoded:
    if type(value) is StoredValue:
        return value.encoded
    try:
        return _encode_with(Encoder(plans), value)
    except NotEncodable:
        return _encode_with(Encoder(plans, is_careful=True), value)


def _encode_with(encoder: Encoder, value: Any) -> Encoded:
    try:
        if isinstance(value, Value):
            return objects.encode_object(encoder, value, 0)
        return encoder.finish(type_name_of(value), encoder.payload(value, 0))
    except TooDeep:
        if not isinstance(value, Value):
            return _encode_whole(encoder.child(), value)
        raise Refused(value, _TOO_DEEP) from None


def _encode_whole(encoder: Encoder, value: Any) -> Encoded:
    """Encode as one pickle a value that nests too deep, or that contains itself."""
    try:
        return encoder.finish(type_name_of(value), pickling.encode_pickle(encoder, value, 0))
    except TooDeep:
        raise Refused(value, _TOO_DEEP) from None


def _locate(value: Any, refused: Refused) -> ValueNotEncodable:
    """Find out where in the value the member stands that was refused."""
    from redun.value.offender import find_offender

    path, culprit, why = find_offender(value, refused, _why_refused)
    return ValueNotEncodable(path, dotted_name(type(culprit)), why)


def _why_refused(value: Any) -> str | None:
    try:
        _encode(value)
    except Refused as refused:
        return refused.why
    return None


def type_name_of(value: Any) -> str:
    """Return what a value's node says as its type name."""
    return plans.type_name(type(value))


def find_pickled_types(encoded: Encoded) -> tuple[str, ...]:
    """Return the names of the classes that a value needed pickle for, each once; its key may be unstable.

    Costs a search for a few bytes when there are none.
    """
    names: dict[str, None] = {}
    for _, data, kind in ((encoded.oid, encoded.data, encoded.kind), *encoded.parts):
        if kind != VALUE_KIND or _PICKLE_MARK not in data:
            continue
        record = ValueRecord.decode(decode_node(data))
        if record.codec == PICKLE_CODEC:
            names.update(dict.fromkeys(_iter_pickled(record.payload)))
    return tuple(names)


def _iter_pickled(payload: Payload) -> Iterator[str]:
    stack = [payload]
    while stack:
        part = stack.pop()
        if type(part) is list:
            if part[0] == PICKLE:
                yield dotted(part[1])
            stack.extend(reversed(part))


def register_codec(cls: type | str, codec: Codec) -> None:
    """Say how a foreign type becomes plain data; the type may be given as ``module:qualname``, not imported yet."""
    objects.add_codec(cls, codec)
    plans.forget()


DecodeNode = Callable[[Node, Oid, Read], Any]
"""Makes the Python object of a node of one kind other than value."""

_decode_kind: dict[int, DecodeNode] = {}
_TAGS = {
    **containers.DECODERS,
    **scalars.DECODERS,
    **classes.DECODERS,
    **objects.DECODERS,
    PICKLE: pickling.decode_pickle,
}


def register_kind(kind: int, decode: DecodeNode, preview: PreviewNode | None = None) -> None:
    """Say how nodes of a kind become objects, and how they are shown.

    Args:
        kind: one of ``VALUE_KINDS`` other than value.
        decode: makes the object; may raise anything on a node that does not fit.
        preview: gives the text that stands for the node; it imports no user's module.
    """
    _decode_kind[int(kind)] = decode
    if preview is not None:
        previews[int(kind)] = preview


def decode_value(oid: Oid, read: Read, *, allow_pickle: bool = True, node: Node | None = None) -> Any:
    """Return the Python object of a stored value.

    Args:
        oid: a node of any kind that a task can take or return.
        read: gives the bytes of an object; whatever it raises passes through.
        allow_pickle: False refuses pickles, which run code that they name.
        node: the node of that name, where the caller has it; else it is read.

    Raises:
        ValueUndecodable: for everything else that goes wrong.
    """
    if node is not None:
        is_plain, value = _plain_payload(node)
        if is_plain:
            return value
    try:
        guarded = guard_read(read)
        return _decode_parsed(oid, node or decode_node(guarded(oid)), guarded, allow_pickle)
    except ReadFailed as failed:
        raise failed.error from None
    except ValueUndecodable as undecodable:
        raise ValueUndecodable(oid, undecodable.reason) from undecodable
    except Exception as error:
        raise ValueUndecodable(oid, _describe(error)) from error


def _plain_payload(node: Node) -> tuple[bool, Any]:
    """Tell whether a node is of a number or a text, as most results are, and return that: it is its own payload."""
    kind, links, body = node
    if kind == VALUE_KIND and not links and type(body) is list and len(body) == 3:
        name, codec, payload = body
        if codec == DATA_CODEC and _NATIVE_NAMES.get(type(payload), "") == name:
            return True, payload
    return False, None


def _decode_node(oid: Oid, data: bytes, read: Read, allow_pickle: bool) -> Any:
    return _decode_parsed(oid, decode_node(data), read, allow_pickle)


def _decode_parsed(oid: Oid, node: Node, read: Read, allow_pickle: bool) -> Any:
    is_plain, value = _plain_payload(node)
    if is_plain:
        return value
    if node.kind != VALUE_KIND:
        return _decode_other(node, oid, read)
    record = ValueRecord.decode(node)
    if record.codec not in CODECS:
        raise NotFound(f"unknown codec {record.codec!r}")
    is_data = record.codec == DATA_CODEC
    decoder = Decoder(node, read, _TAGS, _decode_node, allow_pickle=allow_pickle, is_pickle=not is_data)
    value = decoder.value(record.payload)
    if is_data and type_name_of(value) != record.type_name:
        raise ValueError(f"it is called a {record.type_name} and holds a {type_name_of(value)}")
    return value


def _decode_other(node: Node, oid: Oid, read: Read) -> Any:
    if node.kind not in VALUE_KINDS:
        raise NotFound(f"a node of kind {node.kind} is not a value")
    if node.kind not in _decode_kind:
        raise NotFound(f"nothing is registered that reads a {Kind(node.kind).name.lower()}")
    return _decode_kind[node.kind](node, oid, read)


def _describe(error: Exception) -> str:
    """Return an error's own words, with its class where the words alone would not do."""
    if type(error) in {ValueError, TypeError} or isinstance(error, ObjectError):
        return str(error)
    return f"{type(error).__name__}: {error}"
