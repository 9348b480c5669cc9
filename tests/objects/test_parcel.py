"""Parcels: whole or refused."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.hashing import hash_blob
from redun.objects.codec import encode_node
from redun.objects.kinds import Kind
from redun.objects.parcel import MAGIC, ParcelDamaged, decode_parcel, encode_parcel

HEADERS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=10,
)


def _blob(content):
    return hash_blob(content), content, int(Kind.BLOB)


def _node(body):
    return (*encode_node(Kind.VALUE, [], body), int(Kind.VALUE))


@given(HEADERS, st.lists(st.binary(max_size=50), max_size=5), st.lists(st.integers(0, 100), max_size=5))
def test_a_parcel_comes_out_as_it_went_in(header, blobs, numbers):
    """Header and objects are the same on the other side; an object that was given twice is there once."""
    objects = [*map(_blob, blobs), *(_node(["int", "data", number]) for number in numbers)]
    opened = decode_parcel(encode_parcel(header, [*objects, *objects]))
    assert opened.header == header
    assert opened.objects == {oid: (kind, data) for oid, data, kind in objects}


def test_a_parcel_that_is_cut_short_anywhere_is_refused():
    """Of no prefix can a part be used."""
    whole = encode_parcel(["call", 1], [_blob(b"content")])
    for length in range(len(whole)):
        with pytest.raises(ParcelDamaged):
            decode_parcel(whole[:length])
    with pytest.raises(ParcelDamaged):
        decode_parcel(whole + b"x")


def test_a_changed_byte_is_noticed_anywhere():
    """A flipped bit in any place makes a parcel unreadable, not another parcel."""
    whole = encode_parcel(["call", 1], [_node(["int", "data", 7])])
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        with pytest.raises(ParcelDamaged):
            decode_parcel(bytes(changed))


@given(st.binary(max_size=200))
def test_noise_is_refused(noise):
    """Whatever stands there, there is one error for it."""
    with pytest.raises(ParcelDamaged):
        decode_parcel(noise)
    with pytest.raises(ParcelDamaged):
        decode_parcel(MAGIC + noise)


@pytest.mark.parametrize(
    "row", [[b"short", 1, b""], ["text", 1, b""], [bytes(32), 1, b"other"], [bytes(32), 0, "text"]]
)
def test_an_object_under_another_name_is_refused(row, monkeypatch):
    """Each object must hash to the name that it comes under, whoever made the parcel."""
    monkeypatch.setattr("redun.objects.parcel.msgpack.packb", lambda *_a, **_k: msgpack.Packer().pack([None, [row]]))
    with pytest.raises(ParcelDamaged):
        decode_parcel(encode_parcel(None, []))


def test_the_bytes_of_a_parcel_are_as_the_page_says():
    """Magic, length, digest and body stand where docs/format/parcel.md puts them."""
    body = msgpack.packb([["call"], []])
    whole = encode_parcel(["call"], [])
    assert whole[:16] == b"redun-parcel 1\n\0"
    assert int.from_bytes(whole[16:24], "little") == len(body)
    assert whole[24:56] == hash_blob(body)
    assert whole[56:] == body
