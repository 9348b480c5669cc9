"""Proving an idx: what is proven is what ``rebuild_idx`` gives, whatever was done to the tables."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.hashing import hash_blob
from redun.objects.call_records import ReductionRecord
from redun.objects.execution_records import JobRow, JobsRecord, JobStatus
from redun.objects.kinds import Kind
from redun.store import idx_proof
from redun.store.base import ObjectCorrupt
from redun.store.idx import CHECKSUM_SIZE, Idx
from redun.store.idx_proof import is_whole_idx
from redun.store.local_storage import LocalStorage
from redun.store.maintain.fsck_proof import prove
from redun.store.maintain.known import Known
from redun.store.memory_storage import MemoryStorage
from redun.store.pack import rebuild_idx, write_pack
from redun.store.pack_format import idx_name, pack_name
from redun.testing.objects import MadeFile, build_execution

STRANGER = hash_blob(b"in no pack of ours")


class Packed:
    """A pack with all tables: outcomes and products, some of them of objects that it does not hold."""

    def __init__(self) -> None:
        made = build_execution(6, files=[MadeFile("a", b"content"), MadeFile("b", b"more")])
        rows = [(oid, kind, data) for oid, data, kind in made.objects]
        evals = [oid for oid, kind, _ in rows if kind == Kind.EVAL]
        files = [oid for oid, kind, _ in rows if kind == Kind.FILE]
        maker, maker_data = ReductionRecord(STRANGER, evals[0], [files[0], STRANGER], []).encode()
        rows.append((maker, int(Kind.REDUCTION), maker_data))
        job = JobRow(2, 1, 0, 5, JobStatus.DONE, "default", 1, STRANGER, maker, "made.step")
        jobs, jobs_data = JobsRecord(bytes(16), 1_750_000_000_000_000, [job]).encode()
        rows.append((jobs, int(Kind.JOBS), jobs_data))
        storage = MemoryStorage()
        self.name = write_pack(sorted(rows, key=lambda row: row[1]), storage).name
        self.content = storage.read(pack_name(self.name))
        self.idx = storage.read(idx_name(self.name))

    def is_proven(self, idx: bytes) -> bool:
        """Tell whether an idx is proven; one that cannot even be opened is not."""
        known = Known()
        try:
            marks = known.add_pack(Idx(idx, "idx", self.name))
        except ObjectCorrupt:
            return False
        return prove(self.content, marks, known, "pack") is not None


@pytest.fixture(scope="module")
def packed() -> Packed:
    """One pack."""
    return Packed()


def with_checksum(body: bytes) -> bytes:
    """Return an idx whose checksum fits."""
    return body + hash_blob(body)


def test_the_idx_of_a_pack_is_proven(packed: Packed) -> None:
    """It is what the pack gives; the tables name objects of other packs too."""
    assert rebuild_idx(packed.content) == packed.idx
    assert len(Idx(packed.idx, "idx", packed.name).extern_prefixes) > 0
    assert packed.is_proven(packed.idx)


@settings(max_examples=300)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_no_other_idx_is_proven(packed: Packed, place: float, flip: int) -> None:
    """One wrong byte anywhere, under a checksum that fits."""
    body = bytearray(packed.idx[:-CHECKSUM_SIZE])
    body[int(place * len(body))] ^= flip
    assert not packed.is_proven(with_checksum(bytes(body)))


def test_rows_that_change_places_are_noticed(packed: Packed) -> None:
    """The tables are in one order, and hold each row once."""
    n_rows = len(Idx(packed.idx, "idx", packed.name)._producers)
    body = bytearray(packed.idx[:-CHECKSUM_SIZE])
    assert n_rows > 1
    for column in (len(body) - 8 * n_rows, len(body) - 4 * n_rows):
        first, second = body[column : column + 4], body[column + 4 : column + 8]
        body[column : column + 8] = second + first
    assert not packed.is_proven(with_checksum(bytes(body)))


def test_what_was_marked_on_the_way_is_taken_back(packed: Packed) -> None:
    """Objects of a pack that is not proven do not count as whole."""
    body = bytearray(packed.idx[:-CHECKSUM_SIZE])
    body[-1] ^= 1
    known = Known()
    marks = known.add_pack(Idx(with_checksum(bytes(body)), "idx", packed.name))
    assert prove(packed.content, marks, known, "pack") is None
    assert known.count_kinds() == {}


@settings(max_examples=30)
@given(content=st.binary(max_size=200), at=st.integers(0, 231), flip=st.integers(0, 255), piece=st.integers(1, 40))
def test_a_checksum_is_taken_in_pieces(tmp_path_factory, content: bytes, at: int, flip: int, piece: int) -> None:
    """As ``check_idx`` takes it, whatever the size of the pieces, on a disk and elsewhere."""
    whole = bytearray(with_checksum(content))
    whole[at % len(whole)] ^= flip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(idx_proof, "READ_SIZE_BYTES", piece)
        for storage in (MemoryStorage(), LocalStorage(tmp_path_factory.mktemp("idx"))):
            storage.write("idx", bytes(whole))
            assert is_whole_idx(storage, "idx") == (flip == 0)


def test_a_file_too_short_for_a_checksum_is_no_idx(tmp_path) -> None:
    """Nor is an empty one."""
    storage = LocalStorage(tmp_path)
    for content in (b"", b"x" * 31):
        storage.write("idx", content)
        assert not is_whole_idx(storage, "idx")
