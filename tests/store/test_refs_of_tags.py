"""Tag refs: texts, names and refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.hashing import Oid
from redun.store.memory_storage import MemoryStorage
from redun.store.ref_names import EXECUTIONS, TAGS, BadRefName, ref_name
from redun.store.ref_texts import BadRef, TagRef
from redun.store.refs import RefMissing, Refs

NAME = ref_name(1_750_000_000_123_456, "6c1d2f3e-1111-4222-8333-abcdefabcdef")
LATER = ref_name(1_750_000_001_000_000, "0c1d2f3e-1111-4222-8333-abcdefabcdef")
A, B = Oid(b"\x01" * 32), Oid(b"\x02" * 32)


def test_the_text_is_the_one_that_the_format_page_gives() -> None:
    """A version line, then the tags in ascending order."""
    text = f"redun-ref 1\ntag {A.hex()}\ntag {B.hex()}\n"
    assert TagRef(NAME, (B, A)).encode().decode() == f"{text}check 42db205356eb93a7\n"


@given(st.lists(st.binary(min_size=32, max_size=32).map(Oid), unique=True, max_size=5))
def test_a_tag_ref_is_read_as_it_was_written(tags: list[Oid]) -> None:
    """Decoding gives the tags back, in order."""
    refs = Refs(MemoryStorage())
    refs.write_tags(TagRef(NAME, tuple(tags)))
    assert refs.read_tags(NAME) == TagRef(NAME, tuple(sorted(tags)))


@pytest.mark.parametrize("text", [b"", b"redun-ref 2\n", b"redun-ref 1\ntag 12\n", b"redun-ref 1\ntag \xff\n"])
def test_a_malformed_tag_ref_is_refused(text: bytes) -> None:
    """What says another version, or names no oid, is a BadRef with its path."""
    storage = MemoryStorage()
    storage.write(f"{TAGS}/{NAME}", text)
    with pytest.raises(BadRef, match=TAGS):
        Refs(storage).read_tags(NAME)


def test_a_name_cannot_reach_outside_its_folder() -> None:
    """Only names of the one form are read or written; an unknown one is missing."""
    refs = Refs(MemoryStorage())
    with pytest.raises(BadRefName):
        refs.write_tags(TagRef("../x", (A,)))
    with pytest.raises(BadRefName):
        refs.read_tags("../x")
    with pytest.raises(RefMissing):
        refs.read_tags(NAME)


def test_tag_refs_are_listed_apart_from_executions() -> None:
    """They come oldest first, strangers are passed over, and executions do not show them."""
    storage = MemoryStorage()
    refs = Refs(storage)
    refs.write_tags(TagRef(LATER, (A,)))
    refs.write_tags(TagRef(NAME, (A,)))
    storage.write(f"{TAGS}/readme", b"")
    assert list(refs.iter_tag_names()) == [NAME, LATER]
    assert list(refs.iter_names()) == []
    assert list(refs.iter_strangers()) == [f"{TAGS}/readme"]


def test_one_listing_tells_all_names() -> None:
    """Executions and tag refs come with their folders; what was seen at remotes is left out."""
    storage = MemoryStorage()
    refs = Refs(storage)
    refs.write_tags(TagRef(NAME, (A,)))
    storage.write(f"{EXECUTIONS}/{LATER}", b"")
    storage.write(f"refs/remotes/origin/{LATER}", b"")
    assert sorted(refs.iter_all_names()) == [(EXECUTIONS, LATER), (TAGS, NAME)]
