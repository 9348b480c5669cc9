"""Oids as people see them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.objects.oid import BadOid, is_file_stem, is_prefix, parse_oid, prefix_range, short


@given(st.binary(min_size=32, max_size=32))
def test_hex_comes_back(oid):
    """64 hex digits, of either case, parse to the bytes that they spell; 8 are shown."""
    assert parse_oid(oid.hex()) == parse_oid(oid.hex().upper()) == oid
    assert short(oid) == oid.hex()[:8]


@pytest.mark.parametrize("text", ["", "ab", "a" * 63, "a" * 65, "g" * 64, " " + "a" * 63, "0x" + "a" * 62])
def test_other_texts_are_no_oids(text):
    """Another length or another character is refused."""
    with pytest.raises(BadOid):
        parse_oid(text)


@pytest.mark.parametrize("text", ["", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "a" * 63 + "\n"])
def test_other_texts_name_no_files(text):
    """Files of ours have names of 64 digits in lower case; an object has one name."""
    assert not is_file_stem(text)
    assert is_file_stem("0123456789abcdef" * 4)


@given(st.binary(min_size=32, max_size=32), st.integers(4, 64), st.binary(min_size=32, max_size=32))
def test_a_range_holds_just_what_begins_so(oid, digits, other):
    """An oid lies in the range of a prefix when its hex begins with it."""
    prefix = oid.hex()[:digits]
    low, high = prefix_range(prefix.upper())
    assert is_prefix(prefix)
    assert low <= oid <= high
    assert (low <= other <= high) == other.hex().startswith(prefix)


@pytest.mark.parametrize("text", ["", "abc", "a" * 65, "abcx", "ab c", "١٢٣٤"])
def test_other_texts_are_no_prefixes(text):
    """Fewer than 4 digits, more than 64, or other characters are refused."""
    assert not is_prefix(text)
    with pytest.raises(BadOid):
        prefix_range(text)
