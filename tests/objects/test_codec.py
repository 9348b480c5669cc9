"""Canonical bytes: one node has exactly one encoding."""

from __future__ import annotations

import math

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.hashing import Oid, hash_blob, hash_node
from redun.objects.codec import MAX_DEPTH, NotCanonical, NotEncodable, decode_body, decode_node, encode_node

OIDS = st.binary(min_size=32, max_size=32).map(Oid)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary()
)
BODIES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4), max_leaves=20)


@given(st.integers(1, 127), st.lists(OIDS, max_size=20), BODIES)
def test_nodes_come_back(kind, links, body):
    """Kind, links and body decode to what was encoded, of the same types, and name the same object."""
    oid, data = encode_node(kind, links, body)
    node = decode_node(data)
    assert repr(decode_body(data[-len(_packed(node.body)) :])) == repr(node.body)
    assert node == (kind, links, body)
    assert repr(node.body) == repr(body)  # True is not 1, -0.0 is not 0.0
    assert encode_node(*node) == (oid, data)
    assert oid == hash_node(data) != hash_blob(data)


def test_infinities_and_nan_come_back():
    """Floats are written in 64 bits as they are."""
    _, data = encode_node(5, [], [math.inf, -math.inf, math.nan])
    assert repr(decode_node(data).body) == "[inf, -inf, nan]"


@given(st.binary(max_size=60))
def test_what_is_decoded_encodes_to_the_same_bytes(data):
    """A decoder takes nothing that does not re-encode to itself."""
    for candidate in (data, b"\x93\x05\x90" + data):
        try:
            node = decode_node(candidate)
        except NotCanonical:
            continue
        assert encode_node(*node)[1] == candidate


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\xcc\x05", "an integer that has a shorter form"),
        (b"\xd9\x01a", "a str that has a shorter form"),
        (b"\xdc\x00\x00", "an array that has a shorter form"),
        (b"\xca\x00\x00\x00\x00", "a float of 32 bits"),
        (b"\x80", "a map"),
        (b"\x81\xa1a\x02", "a map that holds something"),
        (b"\xd4\x01\x00", "an extension"),
        (b"\xd6\xff\x00\x00\x00\x00", "a timestamp"),
        (b"\xa1\xff", "a str that is not UTF-8"),
        (b"\xc0\xc0", "more than one body"),
        (b"", "no body"),
        (b"\xc1", "a byte that means nothing"),
    ],
)
def test_other_spellings_are_refused(body, why):
    """What msgpack would read and this program would never write is not canonical."""
    with pytest.raises(NotCanonical):
        decode_node(b"\x93\x05\x90" + body)
    with pytest.raises(NotCanonical):
        decode_body(body)
    assert why


@pytest.mark.parametrize(
    "fields",
    [
        None,
        [],
        [5, []],
        [5, [], None, None],
        [0, [], None],
        [128, [], None],
        [-1, [], None],
        [True, [], None],
        ["5", [], None],
        [5, None, None],
        [5, [b"short"], None],
        [5, [b"x" * 33], None],
        [5, ["x" * 32], None],
    ],
)
def test_other_forms_are_refused(fields):
    """Whatever is not an array of kind, links of 32 bytes and body is not a node."""
    with pytest.raises(NotCanonical):
        decode_node(msgpack.packb(fields))


@pytest.mark.parametrize("body", [{1}, (1,), 2**64, -(2**63) - 1, "\ud800", object(), 1j, [b"x", frozenset()]])
def test_what_has_no_form_is_refused(body):
    """Types without a form, integers beyond 64 bits and lone surrogates cannot be encoded."""
    with pytest.raises(NotEncodable):
        encode_node(5, [], body)


def _packed(body):
    return encode_node(5, [], body)[1][3:]


def _nest(depth):
    body = []
    for _ in range(depth - 1):
        body = [body]
    return body


def test_bodies_nest_to_the_bound_and_not_without_end():
    """A body may be 500 deep; one much deeper is refused by encoder and decoder alike, without a crash."""
    _, data = encode_node(5, [], _nest(MAX_DEPTH))
    assert decode_node(data).body == _nest(MAX_DEPTH)
    with pytest.raises(NotEncodable):
        encode_node(5, [], _nest(2_000))
    for depth in (2_000, 1_000_000):
        for decode, head in ((decode_node, b"\x93\x05\x90"), (decode_body, b"")):
            with pytest.raises(NotCanonical):
                decode(head + b"\x91" * depth + b"\xc0")


def test_a_size_that_lies_takes_no_memory():
    """An array or a str that claims four billion items is refused at once."""
    for body in (b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"):
        with pytest.raises(NotCanonical):
            decode_node(b"\x93\x05\x90" + body)
