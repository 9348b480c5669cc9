"""Bytes of journal, pack and idx that may never change without a new version of the format.

The files beside this test were written once, from ``OBJECTS``; whatever this program becomes, it must read them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from redun.hashing import Oid, hash_blob
from redun.objects.call_records import CallRecord, EvalRecord, ReductionRecord, SubtreeSummary, produced_code
from redun.objects.execution_records import JobRow, JobsRecord, JobStatus
from redun.objects.kinds import Kind
from redun.objects.task_records import TaskRecord, UnitRecord
from redun.objects.value_records import FileRecord, ValueRecord
from redun.store.base import Candidate
from redun.store.journal import Journal
from redun.store.journal_reader import JournalReader
from redun.store.liveness import JournalHeader
from redun.store.local_storage import LocalStorage
from redun.store.memory_storage import MemoryStorage
from redun.store.pack import PackReader, rebuild_idx, write_pack
from redun.store.pack_format import BlockRow, decode_block, decode_directory, idx_name, locate_directory, pack_name

HERE = Path(__file__).parent / "store"
PACK = Oid(bytes.fromhex("776cbdf73cc9ebc086acde5945c5419e7ee2bb33c9f804f8a5eb06abd9afef1c"))
EPOCH_US = 1_750_000_000_000_000
HEADER = JournalHeader("20250615T150640Z-host-7-01020304", "host", 7, "99", "pid:[4026531836]", EPOCH_US)
ELSEWHERE = Oid(b"e" * 32)


def _build():
    """Objects of most kinds; links of each form: relative, as before, to another pack, none."""
    made = []

    def add(kind, encoded):
        made.append((encoded[0], int(kind), encoded[1]))
        return encoded[0]

    unit = add(Kind.UNIT, UnitRecord("function", "wf.helper", b"\1\2\3").encode())
    task = add(Kind.TASK, TaskRecord("wf.f", None, b"\4\5\6", [], [unit]).encode())
    out = add(Kind.FILE, FileRecord("out.txt", "absent", b"", None).encode())
    blob = add(Kind.BLOB, (hash_blob(b"a part that stands alone"), b"a part that stands alone"))
    rows, calls = [], []
    for number in range(40):
        argument = add(Kind.VALUE, ValueRecord("builtins.int", "data", number, []).encode())
        key = add(Kind.EVAL, EvalRecord(task, [argument], ["x"], None).encode())
        result = add(Kind.VALUE, ValueRecord("builtins.str", "data", f"r{number}", [blob] * (number % 3)).encode())
        files, codes = ([out], [produced_code(0, is_executable=True)]) if number == 7 else ([], [])
        summary = SubtreeSummary(True, [], files, codes)
        call = add(Kind.CALL, CallRecord(key, result, None, calls[-2:], [], summary, codes).encode())
        calls.append(call)
        rows.append(JobRow(number + 1, 0, 10 * number, 5, JobStatus.DONE, "default", 1, key, call, "wf.f"))
    reduction = add(Kind.REDUCTION, ReductionRecord(rows[0].eval, ELSEWHERE, [out], [False]).encode())
    rows.append(JobRow(41, 0, 500, 5, JobStatus.REDUCED, "default", 1, rows[0].eval, reduction, "wf.f"))
    rows.append(JobRow(42, 0, 600, 5, JobStatus.DONE, "default", 1, ELSEWHERE, calls[0], "wf.f"))
    add(Kind.JOBS, JobsRecord(bytes(range(16)), EPOCH_US, rows).encode())
    return made


OBJECTS = _build()
IN_PACK = sorted(OBJECTS, key=lambda row: row[1])


def _read_golden(name):
    return (HERE / name).read_bytes()


def test_a_journal_is_written_as_it_was(tmp_path):
    """The same records make the same file."""
    journal = Journal.create(tmp_path, header=HEADER, packs=[ELSEWHERE])
    for oid, kind, data in OBJECTS:
        journal.append(data, kind, oid)
    journal.flush()
    assert journal.path.read_bytes() == _read_golden("golden.journal")


def test_a_journal_is_read_as_it_was(tmp_path):
    """The file of then gives the objects of then."""
    path = tmp_path / "golden.journal"
    shutil.copy(HERE / "golden.journal", path)
    reader = JournalReader(path)
    assert reader.refresh() == [(oid, kind) for oid, kind, _ in OBJECTS]
    assert [reader.get(oid) for oid, _, _ in OBJECTS] == [data for _, _, data in OBJECTS]
    assert (reader.header, reader.packs) == (HEADER, [ELSEWHERE])


def _open_golden():
    storage = MemoryStorage()
    storage.write(pack_name(PACK), _read_golden("golden.pack"))
    storage.write(idx_name(PACK), _read_golden("golden.idx"))
    return PackReader(PACK, storage)


def test_a_pack_is_read_as_it_was():
    """The files of then give the objects and the answers of then."""
    reader = _open_golden()
    assert hash_blob(_read_golden("golden.pack")) == PACK
    assert list(reader.iter_objects()) == IN_PACK
    first = next(oid for oid, kind, _ in OBJECTS if kind == Kind.EVAL)
    calls = [oid for oid, kind, _ in OBJECTS if kind == Kind.CALL]
    (reduction,) = [oid for oid, kind, _ in OBJECTS if kind == Kind.REDUCTION]
    (out,) = [oid for oid, kind, _ in OBJECTS if kind == Kind.FILE]
    assert sorted(reader.idx.find_candidates(first)) == [
        Candidate(EPOCH_US + 5, calls[0]),
        Candidate(EPOCH_US + 505, reduction),
    ]
    assert reader.idx.find_candidates(ELSEWHERE) == [Candidate(EPOCH_US + 605, calls[0])]
    assert sorted(reader.idx.find_producers(out)) == sorted([calls[7], reduction])


def test_an_idx_is_made_as_it_was():
    """The pack of then gives the idx of then, byte for byte."""
    assert rebuild_idx(_read_golden("golden.pack")) == _read_golden("golden.idx")


def _take_apart(pack):
    """What a pack says before compression, which may differ between versions of zstd."""
    offset, size = locate_directory(pack, "golden")
    directory = decode_directory(pack[offset : offset + size], "golden")
    ends = [*[row.first for row in directory.rows[1:]], directory.ends[-1]]
    blocks = []
    for row, end in zip(directory.rows, ends):
        frame = pack[row.offset : row.offset + row.compressed_size]
        blocks.append((row.first, row.raw_size, decode_block(frame, BlockRow(*row), end - row.first, "golden")))
    return pack[:8], directory.ends, blocks


def test_a_pack_is_written_as_it_was(tmp_path):
    """The same objects make the same blocks, links and directory."""
    storage = LocalStorage(tmp_path)
    sealed = write_pack(IN_PACK, storage)
    assert _take_apart(storage.read(pack_name(sealed.name))) == _take_apart(_read_golden("golden.pack"))
