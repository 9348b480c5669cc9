"""Cutting nodes apart by slicing agrees with decoding them."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.hashing import Oid
from redun.objects.codec import NotCanonical, decode_node, encode_node
from redun.store.canonical import join_node, kind_of_node, locate_links, split_node

OIDS = st.binary(min_size=32, max_size=32).map(Oid)


@given(st.integers(1, 13), st.lists(OIDS, max_size=20), st.lists(st.integers() | st.text(), max_size=3))
def test_slicing_agrees_with_decoding(kind, links, body):
    """Kind, links and body are what a decode gives, and join to the same bytes."""
    body = [item for item in body if not isinstance(item, int) or -(2**63) <= item < 2**63]
    _, data = encode_node(kind, links, body)
    found, rest = split_node(data)
    assert (kind_of_node(data), found, msgpack.unpackb(rest)) == tuple(decode_node(data))
    assert join_node(kind, found, rest) == data


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 65_535, 65_536])
def test_any_number_of_links(count):
    """Each of the three forms of an array's head is read and written."""
    links = [Oid(number.to_bytes(32, "big")) for number in range(count)]
    _, data = encode_node(5, links, None)
    assert split_node(data) == (links, b"\xc0")
    assert join_node(5, links, b"\xc0") == data


@given(st.binary(max_size=80))
def test_junk_is_refused_or_comes_back_as_it_was(junk):
    """Whatever is accepted joins to the same bytes, so nothing is lost by cutting."""
    for data in (junk, b"\x93\x05" + junk, b"\x93\x05\x91\xc4\x20" + junk):
        try:
            links, body = split_node(data)
        except NotCanonical:
            continue
        assert join_node(data[1], links, body) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93\x05",
        b"\x92\x05\x90",
        b"\x93\x00\x90\xc0",
        b"\x93\x0e\x90\xc0",
        b"\x93\x05\x90",
        b"\x93\x05\xa0\xc0",
        b"\x93\x05\x91\xc4\x1f" + bytes(32),
        b"\x93\x05\xdc\x00\x01\xc4\x20" + bytes(33),
        b"\x93\x05\xdd\x00\x00\x00\x10" + (b"\xc4\x20" + bytes(32)) * 16 + b"\xc0",
        b"\x93\x05\xdd\xff\xff\xff\xff\xc0",
    ],
)
def test_what_is_no_node_is_refused(data):
    """Another array, kind or form of head, or a cut, is NotCanonical."""
    with pytest.raises(NotCanonical):
        locate_links(data)
