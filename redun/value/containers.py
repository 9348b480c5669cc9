"""Built-in containers, large contents and the numbers and texts that msgpack has no form for.

Each function that encodes takes the encoder, the value and its depth; each that decodes takes the decoder and the
payload, tag first.  Normative page: docs/format/value.md.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection, Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any

from redun.value.encoder import TooDeep, pack_payload
from redun.value.pickling import encode_pickle
from redun.value.tags import (
    BIG_INT,
    BLOB_BYTES,
    BLOB_STR,
    BYTEARRAY,
    COMPLEX,
    CONSTANT,
    COUNTER,
    DEFAULT_DICT,
    DEQUE,
    DICT,
    FROZENSET,
    LARGE_SIZE,
    LINK,
    LIST,
    MAX_NESTING,
    ORDERED_DICT,
    RANGE,
    SET,
    SLICE,
    SURROGATES,
    TUPLE,
    Payload,
)

if TYPE_CHECKING:
    from redun.value.decoder import Decoder
    from redun.value.encoder import Encode, Encoder

_CONSTANTS = {"Ellipsis": Ellipsis, "NotImplemented": NotImplemented}
_NATIVE_MIN, _NATIVE_LIMIT = -(1 << 63), 1 << 64


def _encode_list(encoder: Encoder, value: Collection[Any], depth: int) -> Payload:
    return [LIST, *encoder.payloads(value, depth)]


def _encode_tuple(encoder: Encoder, value: Collection[Any], depth: int) -> Payload:
    return [TUPLE, *encoder.payloads(value, depth)]


def _encode_dict(encoder: Encoder, value: dict[Any, Any], depth: int) -> Payload:
    return [DICT, *_pairs(encoder, value, depth)]


def _pairs(encoder: Encoder, value: dict[Any, Any], depth: int) -> Iterable[Payload]:
    return encoder.payloads(tuple(chain.from_iterable(value.items())), depth)


def _encode_set(encoder: Encoder, value: set[Any], depth: int) -> Payload:
    return [SET, *_members(encoder, value, depth)]


def _encode_frozenset(encoder: Encoder, value: frozenset[Any], depth: int) -> Payload:
    return [FROZENSET, *_members(encoder, value, depth)]


def _members(encoder: Encoder, values: Collection[Any], depth: int) -> list[Payload]:
    """Return the payloads of a set's members in canonical order.

    Indices of links follow from the order, so the order must not depend on them: whatever has links stands alone and
    is ordered by its oid.
    """
    if depth >= MAX_NESTING:
        raise TooDeep
    members: list[tuple[bytes, Payload, Encoder | None]] = []
    for value in values:
        if encoder.is_native(value):
            members.append((pack_payload(value), value, None))
            continue
        alone = encoder.child()
        payload = alone.payload(value, depth + 1)
        if alone.links:
            alone = _stand_alone(alone, value, payload)
            members.append((pack_payload([LINK, alone.links[0]]), None, alone))
        else:
            encoder.has_pickle |= alone.has_pickle
            encoder.classes.update(alone.classes)
            members.append((pack_payload(payload), payload, None))
    members.sort(key=lambda member: member[0])
    return [payload if alone is None else [LINK, encoder.absorb(alone)] for _, payload, alone in members]


def _stand_alone(alone: Encoder, value: Any, payload: Payload) -> Encoder:
    """Return an encoder whose one link is to a member of a set: as it is if it is a Value, else made a node."""
    if payload[0] == LINK:
        return alone
    holder = alone.child()
    holder.add_node(alone.finish(alone.plans.type_name(type(value)), payload))
    return holder


def _encode_int(_encoder: Encoder, value: int, _depth: int) -> Payload:
    if _NATIVE_MIN <= value < _NATIVE_LIMIT:
        return value
    size = ((value if value >= 0 else ~value).bit_length() + 8) // 8
    return [BIG_INT, value.to_bytes(size, "big", signed=True)]


def _encode_str(encoder: Encoder, value: str, _depth: int) -> Payload:
    try:
        content = value.encode()
    except UnicodeEncodeError:
        return [SURROGATES, encoder.bytes_payload(value.encode("utf-8", "surrogatepass"))]
    return value if len(value) < LARGE_SIZE else encoder.text_payload(content)


def _encode_bytes(encoder: Encoder, value: bytes, _depth: int) -> Payload:
    return encoder.bytes_payload(value)


def _encode_bytearray(encoder: Encoder, value: bytearray, _depth: int) -> Payload:
    return [BYTEARRAY, encoder.bytes_payload(bytes(value))]


def _encode_native(_encoder: Encoder, value: float | None, _depth: int) -> Payload:
    return value


def _encode_complex(_encoder: Encoder, value: complex, _depth: int) -> Payload:
    return [COMPLEX, value.real, value.imag]


def _encode_constant(_encoder: Encoder, value: object, _depth: int) -> Payload:
    return [CONSTANT, repr(value)]


def _encode_range(encoder: Encoder, value: range, depth: int) -> Payload:
    return [RANGE, *encoder.payloads((value.start, value.stop, value.step), depth)]


def _encode_slice(encoder: Encoder, value: slice, depth: int) -> Payload:
    return [SLICE, *encoder.payloads((value.start, value.stop, value.step), depth)]


def _unless_annotated(encode: Encode) -> Encode:
    """Leave to pickle an instance that somebody has set attributes on: these classes allow it."""

    def guarded(encoder: Encoder, value: Any, depth: int) -> Payload:
        return encode_pickle(encoder, value, depth) if vars(value) else encode(encoder, value, depth)

    return guarded


@_unless_annotated
def _encode_ordered_dict(encoder: Encoder, value: dict[Any, Any], depth: int) -> Payload:
    return [ORDERED_DICT, *_pairs(encoder, value, depth)]


@_unless_annotated
def _encode_counter(encoder: Encoder, value: dict[Any, Any], depth: int) -> Payload:
    return [COUNTER, *_pairs(encoder, value, depth)]


def _encode_defaultdict(encoder: Encoder, value: defaultdict[Any, Any], depth: int) -> Payload:
    flat = (value.default_factory, *chain.from_iterable(value.items()))
    return [DEFAULT_DICT, *encoder.payloads(flat, depth)]


def _encode_deque(encoder: Encoder, value: deque[Any], depth: int) -> Payload:
    return [DEQUE, value.maxlen, *encoder.payloads(value, depth)]


ENCODERS: dict[type, tuple[str, Encode]] = {
    type(None): ("NoneType", _encode_native),
    bool: ("bool", _encode_native),
    float: ("float", _encode_native),
    int: ("int", _encode_int),
    str: ("str", _encode_str),
    bytes: ("bytes", _encode_bytes),
    bytearray: ("bytearray", _encode_bytearray),
    complex: ("complex", _encode_complex),
    list: ("list", _encode_list),
    tuple: ("tuple", _encode_tuple),
    dict: ("dict", _encode_dict),
    set: ("set", _encode_set),
    frozenset: ("frozenset", _encode_frozenset),
    range: ("range", _encode_range),
    slice: ("slice", _encode_slice),
    type(Ellipsis): ("ellipsis", _encode_constant),
    type(NotImplemented): ("NotImplementedType", _encode_constant),
    OrderedDict: ("collections.OrderedDict", _encode_ordered_dict),
    Counter: ("collections.Counter", _encode_counter),
    defaultdict: ("collections.defaultdict", _encode_defaultdict),
    deque: ("collections.deque", _encode_deque),
}


def _decode_list(decoder: Decoder, payload: list[Payload]) -> Any:
    return decoder.members(payload, 1)


def _decode_tuple(decoder: Decoder, payload: list[Payload]) -> Any:
    return tuple(decoder.members(payload, 1))


def _decode_set(decoder: Decoder, payload: list[Payload]) -> Any:
    return set(decoder.members(payload, 1))


def _decode_frozenset(decoder: Decoder, payload: list[Payload]) -> Any:
    return frozenset(decoder.members(payload, 1))


def _decode_dict(decoder: Decoder, payload: list[Payload]) -> Any:
    return dict(_read_pairs(decoder, payload, 1))


def _read_pairs(decoder: Decoder, payload: list[Payload], start: int) -> Iterable[tuple[Any, Any]]:
    flat = decoder.members(payload, start)
    if len(flat) % 2:
        raise ValueError("a key without a value")
    return zip(flat[::2], flat[1::2])


def _decode_bytearray(decoder: Decoder, payload: list[Payload]) -> Any:
    _, content = payload
    return bytearray(decoder.bytes_in(content))


def _decode_big_int(_decoder: Decoder, payload: list[Payload]) -> Any:
    _, content = payload
    value = int.from_bytes(content, "big", signed=True)
    if _NATIVE_MIN <= value < _NATIVE_LIMIT:
        raise ValueError("an integer of 64 bits in the form of larger ones")
    return value


def _decode_complex(_decoder: Decoder, payload: list[Payload]) -> Any:
    _, real, imaginary = payload
    if type(real) is not float or type(imaginary) is not float:
        raise TypeError("expected two floats")
    return complex(real, imaginary)


def _decode_surrogates(decoder: Decoder, payload: list[Payload]) -> Any:
    _, content = payload
    return decoder.bytes_in(content).decode("utf-8", "surrogatepass")


def _decode_blob_bytes(decoder: Decoder, payload: list[Payload]) -> Any:
    _, link, size = payload
    content = decoder.read_link(link)
    if len(content) != size:
        raise ValueError(f"expected a blob of {size} bytes, found {len(content)}")
    return content


def _decode_blob_str(decoder: Decoder, payload: list[Payload]) -> Any:
    return _decode_blob_bytes(decoder, payload).decode()


def _decode_link(decoder: Decoder, payload: list[Payload]) -> Any:
    _, link = payload
    return decoder.nested(link)


def _decode_constant(_decoder: Decoder, payload: list[Payload]) -> Any:
    _, name = payload
    return _CONSTANTS[name]


def _decode_range(decoder: Decoder, payload: list[Payload]) -> Any:
    start, stop, step = decoder.members(payload, 1)
    return range(start, stop, step)


def _decode_slice(decoder: Decoder, payload: list[Payload]) -> Any:
    start, stop, step = decoder.members(payload, 1)
    return slice(start, stop, step)


def _decode_ordered_dict(decoder: Decoder, payload: list[Payload]) -> Any:
    return OrderedDict(_read_pairs(decoder, payload, 1))


def _decode_counter(decoder: Decoder, payload: list[Payload]) -> Any:
    return Counter(dict(_read_pairs(decoder, payload, 1)))


def _decode_defaultdict(decoder: Decoder, payload: list[Payload]) -> Any:
    return defaultdict(decoder.value(payload[1]), _read_pairs(decoder, payload, 2))


def _decode_deque(decoder: Decoder, payload: list[Payload]) -> Any:
    return deque(decoder.members(payload, 2), payload[1])


DECODERS: dict[int, Callable[[Decoder, list[Payload]], Any]] = {
    LIST: _decode_list,
    TUPLE: _decode_tuple,
    DICT: _decode_dict,
    SET: _decode_set,
    FROZENSET: _decode_frozenset,
    BYTEARRAY: _decode_bytearray,
    BIG_INT: _decode_big_int,
    COMPLEX: _decode_complex,
    SURROGATES: _decode_surrogates,
    BLOB_BYTES: _decode_blob_bytes,
    BLOB_STR: _decode_blob_str,
    LINK: _decode_link,
    CONSTANT: _decode_constant,
    RANGE: _decode_range,
    SLICE: _decode_slice,
    ORDERED_DICT: _decode_ordered_dict,
    COUNTER: _decode_counter,
    DEFAULT_DICT: _decode_defaultdict,
    DEQUE: _decode_deque,
}
