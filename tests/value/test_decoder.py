"""Hostile and damaged payloads give ValueUndecodable and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.objects.codec import encode_node
from redun.objects.kinds import Kind
from redun.objects.value_records import ValueRecord
from redun.value import ValueUndecodable, decode_value, encode_value, preview_value, tags

TAGS = [value for name, value in vars(tags).items() if name.isupper() and type(value) is int and value < 100]
NUMBER = encode_value(5)
BLOBLESS = encode_value(b"x" * tags.LARGE_SIZE)


def decode_payload(payload, links=(), codec="data", type_name="list"):
    oid, data = ValueRecord(type_name, codec, payload, list(links)).encode()
    objects = {oid: data, NUMBER.oid: NUMBER.data, BLOBLESS.oid: b"short"}
    return decode_value(oid, objects.__getitem__)


BAD_PAYLOADS = {
    "no tag": [],
    "tag is text": ["list", 1],
    "tag is a boolean": [True, 1],
    "tag is negative": [-1],
    "unknown tag": [99],
    "absent on its own": [tags.ABSENT],
    "odd dict": [tags.DICT, 1],
    "unhashable key": [tags.DICT, [tags.LIST], 1],
    "unhashable member": [tags.SET, [tags.LIST]],
    "bytearray of text": [tags.BYTEARRAY, "a"],
    "big int of text": [tags.BIG_INT, "12"],
    "big int that is small": [tags.BIG_INT, b"\x05"],
    "complex of ints": [tags.COMPLEX, 1, 2],
    "surrogates of text": [tags.SURROGATES, "a"],
    "surrogates that are no UTF-8": [tags.SURROGATES, b"\xff\xfe"],
    "link out of range": [tags.LINK, 7],
    "negative link": [tags.LINK, -1],
    "link of text": [tags.LINK, "0"],
    "blob of another size": [tags.BLOB_BYTES, 1, 70_000],
    "huge blob": [tags.BLOB_BYTES, 1, 2**63],
    "blob as text of another size": [tags.BLOB_STR, 1, 70_000],
    "unknown constant": [tags.CONSTANT, "__import__"],
    "range of floats": [tags.RANGE, 0.0, 1.0, 1.0],
    "range without step": [tags.RANGE, 0, 1],
    "range with step zero": [tags.RANGE, 0, 1, 0],
    "slice of one": [tags.SLICE, 0],
    "dataclass of nothing": [tags.DATACLASS],
    "dataclass of no dataclass": [tags.DATACLASS, "builtins:int", [tags.TUPLE]],
    "dataclass of no class": [tags.DATACLASS, "os:system", [tags.TUPLE]],
    "dataclass of no module": [tags.DATACLASS, "no_such_module_at_all:X", [tags.TUPLE]],
    "dataclass of a bad name": [tags.DATACLASS, "::", [tags.TUPLE]],
    "dataclass named by a number": [tags.DATACLASS, 5, [tags.TUPLE]],
    "named tuple of a list": [tags.NAMEDTUPLE, "builtins:list", [tags.TUPLE, "a"], 1],
    "enum of no enum": [tags.ENUM, "builtins:int", "real"],
    "enum without the member": [tags.ENUM, "enum:Enum", "RED"],
    "class that is a function": [tags.CLASS, "os:system", None],
    "class of another digest": [tags.CLASS, "builtins:int", b"digest"],
    "function that is a class": [tags.FUNCTION, "builtins:int", None],
    "function of a relative module": [tags.FUNCTION, "..os:system", None],
    "object of no class": [tags.OBJECT, "no.such.Class", [tags.DICT], None],
    "object of a number": [tags.OBJECT, 5, [tags.DICT], None],
    "serialized of no class": [tags.SERIALIZED, "os.path", b"", None],
    "proxy of none": [tags.PROXY, "no.such.Proxy", "builtins:int", b"", None, None],
    "pickle in data": [tags.PICKLE, "builtins:int", b"\x80\x04K\x05."],
    "foreign of no codec": [tags.FOREIGN, "no.such.codec", 5],
    "date of text": [tags.DATE, "2024", 1, 1],
    "date out of range": [tags.DATE, 2024, 13, 1],
    "time with a bad fold": [tags.TIME, 1, 1, 1, 1, 2, None],
    "datetime cut short": [tags.DATETIME, 2024, 1, 1],
    "datetime with a zone of text": [tags.DATETIME, 2024, 1, 1, 0, 0, 0, 0, 0, "UTC"],
    "timedelta beyond all bounds": [tags.TIMEDELTA, 2**62, 0, 0],
    "timezone of days": [tags.TIMEZONE, 10**12, None],
    "zone unknown": [tags.ZONE, "Mars/Olympus"],
    "zone outside its folder": [tags.ZONE, "../../etc/passwd"],
    "decimal of a number": [tags.DECIMAL, 5],
    "decimal of words": [tags.DECIMAL, "FIVE"],
    "fraction by zero": [tags.FRACTION, 1, 0],
    "uuid too short": [tags.UUID, b"1234"],
    "uuid of text": [tags.UUID, "12345678-1234-5678-1234-567812345678"],
    "path of another class": [tags.PATH, "os", "a"],
    "path of a number": [tags.PATH, "PurePosixPath", 5],
    "default dict with a factory that cannot be called": [tags.DEFAULT_DICT, 5],
    "deque of negative length": [tags.DEQUE, -1],
}


@pytest.mark.parametrize("payload", BAD_PAYLOADS.values(), ids=BAD_PAYLOADS)
def test_a_bad_payload_is_undecodable(payload):
    """Wrong tags, arity, types, names and sizes are one error, with a reason; within a container too."""
    for shape in (payload, [tags.LIST, payload], [tags.DICT, "k", payload]):
        with pytest.raises(ValueUndecodable) as caught:
            decode_payload(shape, [NUMBER.oid, BLOBLESS.oid])
        assert caught.value.reason


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04.", b"garbage", b"\x80\x04K\x00Q.", b"\x80\x04K\x07Q.", b"cno_such_module\nX\n."]
)
def test_a_bad_pickle_is_undecodable(content):
    """A pickle that is cut, is none, names what is not there, or points outside its table is one error."""
    with pytest.raises(ValueUndecodable):
        decode_payload([tags.PICKLE, "builtins:int", content], codec="pickle")


def test_nesting_without_end_is_undecodable():
    """Deeper than a node may nest is an error like any other; as deep as it may is none."""
    payload = 1
    for _ in range(300):
        payload = [tags.LIST, payload]
    assert decode_payload(payload)
    with pytest.raises(ValueUndecodable):
        decode_value(NUMBER.oid, lambda _oid: b"\x93\x05\x90\x93\xa4list\xa4data" + b"\x92\x01" * 2000 + b"\x01")


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x93\x05\x90", b"not a node at all", b"\xdd\xff\xff\xff\xff"])
def test_bytes_that_are_no_node_are_undecodable(data):
    """Damaged bytes, huge announced lengths among them, are one error for decode and preview."""
    for look in (decode_value, preview_value):
        with pytest.raises(ValueUndecodable):
            look(NUMBER.oid, lambda _oid: data)


@pytest.mark.parametrize(
    "body", [None, 5, [], ["int", "data"], [5, "data", 5], ["int", None, 5], ["int", "data", 5, 6]]
)
def test_a_bad_body_is_undecodable(body):
    """A value node of another shape is one error."""
    oid, data = encode_node(Kind.VALUE, [], body)
    with pytest.raises(ValueUndecodable):
        decode_value(oid, {oid: data}.__getitem__)


LEAVES = st.none() | st.booleans() | st.integers(-5, 300) | st.floats() | st.text(max_size=5) | st.binary(max_size=16)
NAMES = st.sampled_from(
    ["builtins:int", "os:system", "enum:Enum", "collections:Counter", "decimal:Decimal", "::", "a:b"]
)
JUNK = st.recursive(
    LEAVES | NAMES,
    lambda inner: st.lists(inner, max_size=5).flatmap(lambda rest: st.sampled_from(TAGS).map(lambda tag: [tag, *rest])),
    max_leaves=12,
)


@settings(max_examples=400)
@given(payload=JUNK)
def test_junk_is_a_value_or_undecodable(payload):
    """Any tree of tags and scalars decodes or is undecodable, and can be shown or not; nothing else happens."""
    oid, data = ValueRecord("list", "data", payload, [NUMBER.oid]).encode()
    objects = {oid: data, NUMBER.oid: NUMBER.data}
    for look in (decode_value, preview_value):
        assert is_value_or_undecodable(look, oid, objects)


def is_value_or_undecodable(look, oid, objects):
    """Look at a value; anything but a result or the one error goes on as the test's failure."""
    try:
        look(oid, objects.__getitem__)
    except ValueUndecodable as error:
        return error.oid == oid
    return True
