"""Proving a pack that has come: what is proven is what its idx made anew would say."""

from __future__ import annotations

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from redun.remotes.pack_proof import is_proven
from redun.store.base import ObjectCorrupt
from redun.store.idx import CHECKSUM_SIZE, Idx
from redun.store.memory_storage import MemoryStorage
from redun.store.pack import rebuild_idx, write_pack
from redun.store.pack_format import idx_name, pack_name
from redun.testing.objects import MadeFile, build_execution


@pytest.fixture(scope="module")
def packed():
    """The name, the content and the idx of a pack."""
    made = build_execution(6, files=[MadeFile("a", b"content")], blobs=[b"blob"])
    there = MemoryStorage()
    rows = sorted(((oid, kind, data) for oid, data, kind in made.objects), key=lambda row: row[1])
    name = write_pack(rows, there).name
    return name, there.read(pack_name(name)), there.read(idx_name(name))


def test_a_sound_pack_is_proven(packed):
    """Its idx is the one that would be made anew."""
    name, content, table = packed
    assert is_proven(name, content, Idx(table, "an idx", name), "a pack")
    assert rebuild_idx(content) == table


@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_wrong_byte_in_a_table_is_seen(packed, place, flip):
    """Whatever is changed in an idx, its checksum made to fit, it is not proven, or cannot be opened."""
    name, content, table = packed
    at = int(place * (len(table) - CHECKSUM_SIZE))
    changed = table[:at] + bytes([table[at] ^ flip]) + table[at + 1 : -CHECKSUM_SIZE]
    try:
        idx = Idx(changed + blake3(changed).digest(), "an idx", name)
    except ObjectCorrupt:
        return
    assert not is_proven(name, content, idx, "a pack")


@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_wrong_byte_in_a_pack_is_seen(packed, place, flip):
    """It does not hash to its name; and under the name that it hashes to, no more is proven than what it gives."""
    name, content, table = packed
    at = int(place * len(content))
    changed = content[:at] + bytes([content[at] ^ flip]) + content[at + 1 :]
    assert not is_proven(name, changed, Idx(table, "an idx", name), "a pack")
    renamed = blake3(changed).digest()
    anew = table.replace(name, renamed)[:-CHECKSUM_SIZE]
    anew += blake3(anew).digest()
    if is_proven(renamed, changed, Idx(anew, "an idx", renamed), "a pack"):
        assert rebuild_idx(changed) == anew
