"""Salvage: of a damaged pack, every object can be read that the damage did not hit."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.hashing import Oid, hash_blob
from redun.objects.kinds import Kind
from redun.store.idx import Idx
from redun.store.maintain.salvage import Salvage
from redun.store.memory_storage import MemoryStorage
from redun.store.pack import write_pack
from redun.store.pack_format import TRAILER, decode_directory, idx_name, locate_directory, pack_name
from redun.testing.objects import build_execution


class Packed:
    """A pack of several blocks, its idx, and what it holds in order."""

    def __init__(self) -> None:
        rows = [(oid, kind, data) for oid, data, kind in build_execution(40, blobs=[b"a" * 70_000, b"b"]).objects]
        self.rows = sorted(rows, key=lambda row: row[1])
        storage = MemoryStorage()
        self.name = write_pack(self.rows, storage).name
        self.content = storage.read(pack_name(self.name))
        self.idx = Idx(storage.read(idx_name(self.name)), "idx", self.name)
        self.directory = decode_directory(self.content[slice(*self._directory())], "pack")

    def _directory(self) -> tuple[int, int]:
        offset, size = locate_directory(self.content, "pack")
        return offset, offset + size

    def read(self, content: bytes, *, is_named: bool = True) -> list[tuple[Oid, int, bytes]]:
        """Return what can be read of other content in its place; ``is_named``: with the help of its idx."""
        found = list(Salvage(content, self.idx if is_named else None, "pack"))
        assert [ordinal for ordinal, *_ in found] == sorted({ordinal for ordinal, *_ in found})
        return [row[1:] for row in found]


@pytest.fixture(scope="module")
def packed() -> Packed:
    """One pack."""
    return Packed()


@pytest.mark.parametrize("region", ["nothing", "head", "directory", "trailer", "cut", "no directory"])
def test_what_is_beside_the_blocks_costs_nothing(packed: Packed, region: str) -> None:
    """The blocks are found by the idx, or one after the other."""
    content = bytearray(packed.content)
    offset = packed.idx.directory_offset
    if region == "head":
        content[0] ^= 1
    elif region == "directory":
        content[offset] ^= 0xFF
    elif region == "trailer":
        content[-2] ^= 1
    elif region in {"cut", "no directory"}:
        del content[-1 if region == "cut" else offset :]
    assert packed.read(bytes(content)) == packed.rows


def test_a_damaged_block_costs_what_is_in_it(packed: Packed) -> None:
    """The objects of the others are all there."""
    for row in packed.directory.rows:
        content = bytearray(packed.content)
        content[row.offset + row.compressed_size // 2] ^= 1
        found = packed.read(bytes(content))
        kinds = {kind for _, kind, _ in packed.rows} - {kind for _, kind, _ in found}
        assert len(kinds) <= 1, "a block holds objects of one kind"
        assert 0 < len(found) < len(packed.rows)


def test_without_an_idx_names_are_computed(packed: Packed) -> None:
    """All of them where nothing is lost; else of what does not link to what is."""
    assert packed.read(packed.content, is_named=False) == packed.rows
    content = bytearray(packed.content)
    block = next(row for row in packed.directory.rows if row.first >= packed.directory.ends[Kind.UNIT - 1])
    content[block.offset + block.compressed_size - 1] ^= 1
    found = packed.read(bytes(content), is_named=False)
    assert 0 < len(found) < len(packed.read(bytes(content)))
    assert set(found) < set(packed.rows)


def test_nothing_is_read_of_what_is_no_pack(packed: Packed) -> None:
    """An empty file, or another one."""
    for content in (b"", b"x" * 5000, bytes(len(packed.content)), TRAILER.pack(8, 100, b"RDNP")):
        assert packed.read(content) == []
        assert packed.read(content, is_named=False) == []


@settings(max_examples=100)
@given(data=st.data())
def test_whatever_is_read_is_right(packed: Packed, data) -> None:
    """Several wrong bytes and a cut: each object is as it was, in order, and no error escapes."""
    content = bytearray(packed.content)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(content) - 1) | st.integers(len(content) - 60, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
    found = packed.read(bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))]))
    assert set(found) <= set(packed.rows)
    assert packed.name == hash_blob(packed.content)
    for is_named in (True, False):
        assert set(packed.read(bytes(content), is_named=is_named)) <= set(packed.rows)
