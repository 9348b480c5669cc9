"""Packs: what goes in comes out, damage is told by name, and an idx follows from its pack."""

from __future__ import annotations

import os
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.hashing import Oid, hash_blob
from redun.objects.codec import NotCanonical, decode_node, encode_node
from redun.objects.execution_records import JobRow, JobsRecord, JobStatus
from redun.objects.kinds import Kind
from redun.store.base import ObjectCorrupt, ObjectMissing
from redun.store.block_cache import BlockCache
from redun.store.memory_storage import MemoryStorage
from redun.store.pack import PackReader, rebuild_idx, write_pack
from redun.store.pack_format import idx_name, pack_name
from redun.store.storage import NameMissing
from redun.testing.objects import build_execution

ABSENT = Oid(bytes(32))


def _in_order(objects):
    """(oid, kind, bytes) as a pack takes them."""
    return sorted(((oid, kind, data) for oid, data, kind in objects), key=lambda row: row[1])


def _pack(objects, storage=None):
    storage = storage or MemoryStorage()
    sealed = write_pack(objects, storage)
    return PackReader(sealed.name, storage), storage


@st.composite
def graphs(draw):
    """Objects of all kinds whose links lead back, forward, to the same as before, and out of the pack."""
    count = draw(st.integers(1, 30))
    made = []
    for number in range(count):
        kind = draw(st.integers(0, 13))
        if kind == Kind.BLOB:
            content = draw(st.binary(max_size=40)) + bytes([number])
            made.append((hash_blob(content), 0, content))
            continue
        known = st.sampled_from([oid for oid, _, _ in made] or [ABSENT])
        links = draw(st.lists(known | st.binary(min_size=32, max_size=32), max_size=18))
        oid, data = encode_node(kind, [Oid(link) for link in links], [number, draw(st.text(max_size=8))])
        made.append((oid, kind, data))
    return sorted(made, key=lambda row: row[1])


@given(graphs())
@settings(max_examples=150)
def test_any_objects_come_back(objects):
    """Every set of objects is read back equal, with kinds and order, and its idx is rebuilt equal from the pack."""
    reader, storage = _pack(objects)
    assert list(reader.iter_objects()) == objects
    for oid, kind, data in objects:
        assert (reader.get(oid), reader.kind_of(oid), reader.has(oid)) == (data, kind, True)
        if kind != Kind.BLOB:
            assert reader.read_node(reader.idx.find(oid), oid) == decode_node(data)
        assert reader.find_prefix(oid, oid, 5) == [(oid, kind)]
    assert rebuild_idx(storage.read(pack_name(reader.name))) == storage.read(idx_name(reader.name))


def test_an_execution_comes_back_with_its_lookups():
    """Candidates and kinds of a whole execution are found in its pack."""
    made = build_execution(3_000)
    objects = _in_order(made.objects)
    reader, storage = _pack(objects)
    assert sorted(reader.iter_objects()) == sorted(objects)
    assert [oid for oid, _, _ in reader.iter_objects(Kind.JOBS)] == made.record.jobs
    evals = [oid for oid, kind, _ in objects if kind == Kind.EVAL]
    assert all(len(reader.idx.find_candidates(oid)) == 1 for oid in evals)
    assert reader.idx.find_candidates(ABSENT) == []
    assert rebuild_idx(storage.view(pack_name(reader.name))) == storage.read(idx_name(reader.name))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.data())
def test_each_eval_has_the_outcomes_that_its_rows_say(counts, data):
    """None, one or several, held by the pack or not, and whether the pack holds the eval itself."""
    evals = [encode_node(Kind.EVAL, [], [number]) for number in range(len(counts))]
    calls = [encode_node(Kind.CALL, [], [number]) for number in range(3)]
    targets = st.sampled_from([ABSENT, *(oid for oid, _ in calls)])
    outcomes = {oid: [data.draw(targets) for _ in range(count)] for (oid, _), count in zip(evals, counts)}
    rows = [
        JobRow(number, 0, 0, number, JobStatus.DONE, "default", 1, oid, target, "t")
        for number, (oid, target) in enumerate((oid, target) for oid, found in outcomes.items() for target in found)
    ]
    objects = [
        *((*one, int(Kind.EVAL)) for one in evals if data.draw(st.booleans())),
        *((*one, int(Kind.CALL)) for one in calls),
        (*JobsRecord(bytes(16), 7, rows).encode(), int(Kind.JOBS)),
    ]
    reader, _ = _pack(_in_order(objects))
    for oid, _ in evals:
        expected = sorted((7 + row.duration_us, row.outcome) for row in rows if row.eval == oid)
        assert sorted(reader.idx.find_candidates(oid)) == expected
        for candidate, ordinal in reader.idx.list_outcomes(oid):
            assert ordinal == reader.idx.find(candidate.target)


def test_the_name_follows_from_the_content():
    """Equal objects in equal order make equal files, named by the hash of the pack."""
    objects = _in_order(build_execution(50).objects)
    (one, first), (_, second) = _pack(objects), _pack(iter(objects))
    assert [first.read(entry.name) for entry in first.iter_entries("")] == [
        second.read(entry.name) for entry in second.iter_entries("")
    ]
    assert hash_blob(first.read(pack_name(one.name))) == one.name


def test_an_object_that_comes_again_is_left_out():
    """Each object is stored once."""
    objects = _in_order(build_execution(5).objects)
    doubled = [row for row in objects for _ in range(2)]
    assert write_pack(doubled, MemoryStorage()).count == len(objects)


def test_nothing_makes_no_pack():
    """Without objects no file is written."""
    storage = MemoryStorage()
    assert write_pack([], storage) is None
    assert list(storage.iter_entries("")) == []


def test_kinds_that_descend_are_refused():
    """The objects of a kind stand together: the order of the caller is checked."""
    objects = _in_order(build_execution(5).objects)
    with pytest.raises(ValueError, match="ascending"):
        write_pack(reversed(objects), MemoryStorage())


def test_bytes_that_are_no_node_are_refused_and_nothing_is_written():
    """A pack is whole or not there."""
    storage = MemoryStorage()
    with pytest.raises(NotCanonical):
        write_pack([(ABSENT, 5, b"junk")], storage)
    assert list(storage.iter_entries("")) == []


def test_blobs_and_nodes_beyond_a_block():
    """A record larger than a block has a block of its own."""
    contents = sorted((os.urandom(size) for size in (10, 65_536, 200_000, 1_000_000)), key=len)
    blobs = [(hash_blob(content), 0, content) for content in contents]
    oid, data = encode_node(Kind.VALUE, [blobs[1][0]] * 40_000, "x" * 300_000)
    reader, _ = _pack([*blobs, (oid, int(Kind.VALUE), data)])
    assert list(reader.iter_objects()) == [*blobs, (oid, Kind.VALUE, data)]


def test_memory_does_not_follow_the_size_of_the_objects():
    """Objects are streamed: packing 60 MB of zeros takes a few."""

    def stream():
        for number in range(60):
            content = bytes(1_000_000 - number)
            yield hash_blob(content), 0, content

    tracemalloc.start()
    write_pack(stream(), MemoryStorage())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def test_what_is_absent_is_told():
    """An object that the pack does not hold is missing."""
    reader, _ = _pack(_in_order(build_execution(2).objects))
    with pytest.raises(ObjectMissing):
        reader.get(ABSENT)
    assert not reader.has(ABSENT)
    assert reader.kind_of(ABSENT) is None


def test_blocks_are_decoded_once_and_the_oldest_let_go():
    """A block that is held is not read again; the cache holds no more than its limit."""
    contents = [os.urandom(70_000) for _ in range(5)]
    cache = BlockCache(limit=2)
    storage = MemoryStorage()
    sealed = write_pack([(hash_blob(content), 0, content) for content in contents], storage)
    reader = PackReader(sealed.name, storage, cache=cache)
    for content in contents:
        assert reader.get(hash_blob(content)) == content
    assert [cache.get(sealed.name, number) is not None for number in range(5)] == [False] * 3 + [True] * 2


@pytest.fixture(scope="module")
def small():
    """The files of a small pack: its name, objects, pack and idx."""
    objects = _in_order(build_execution(2).objects)
    reader, storage = _pack(objects)
    return reader.name, objects, storage.read(pack_name(reader.name)), storage.read(idx_name(reader.name))


def _reopen(name, pack, idx):
    storage = MemoryStorage()
    storage.write(pack_name(name), pack)
    storage.write(idx_name(name), idx)
    return PackReader(name, storage)


def test_a_pack_or_idx_cut_at_any_byte_is_told_by_name(small):
    """Opening a truncated pack or idx says which file is damaged."""
    name, _, pack, idx = small
    for length in range(len(pack)):
        with pytest.raises(ObjectCorrupt) as caught:
            _reopen(name, pack[:length], idx)
        assert caught.value.where == pack_name(name)
        with pytest.raises(ObjectCorrupt):
            rebuild_idx(pack[:length])
    for length in range(len(idx)):
        with pytest.raises(ObjectCorrupt) as caught:
            _reopen(name, pack, idx[:length])
        assert caught.value.where == idx_name(name)
    for files in ((pack + b"x", idx), (pack, idx + b"x")):
        with pytest.raises(ObjectCorrupt):
            _reopen(name, *files)


def test_a_flipped_byte_of_a_pack_never_gives_wrong_bytes(small):
    """Wherever a pack is damaged, each object is right or told as damaged, and its idx is not rebuilt."""
    name, objects, pack, idx = small
    for at in range(len(pack)):
        flipped = bytearray(pack)
        flipped[at] ^= 0x55
        reader = _reopen(name, bytes(flipped), idx)
        for oid, kind, data in objects:
            try:
                assert reader.get(oid) == data
                assert kind == Kind.BLOB or reader.read_node(reader.idx.find(oid), oid) == decode_node(data)
            except ObjectCorrupt:
                continue
        try:
            assert rebuild_idx(bytes(flipped)) != idx
        except ObjectCorrupt:
            continue


def test_a_flipped_byte_of_an_idx_never_gives_wrong_bytes(small):
    """Wherever an idx is damaged, each object is right, missing or damaged, and nothing else is raised."""
    name, objects, pack, idx = small
    for at in range(len(idx)):
        flipped = bytearray(idx)
        flipped[at] ^= 0x55
        try:
            reader = _reopen(name, pack, bytes(flipped))
        except ObjectCorrupt:
            continue
        for oid, kind, data in objects:
            try:
                assert reader.get(oid) == data
                assert kind == Kind.BLOB or reader.read_node(reader.idx.find(oid), oid) == decode_node(data)
                reader.idx.find_candidates(oid)
                reader.idx.find_producers(oid)
                reader.find_prefix(oid, oid, 3)
            except (ObjectCorrupt, ObjectMissing):
                continue


def test_a_pack_that_is_gone_is_told_apart_from_a_damaged_one(small):
    """Without its idx or its pack there is NameMissing, at opening or at the first read."""
    name, objects, pack, idx = small
    storage = MemoryStorage()
    for held in (pack_name(name), idx_name(name)):
        with pytest.raises(NameMissing):
            PackReader(name, storage)
        storage.write(held, pack if held.endswith(".pack") else idx)
    reader, other = PackReader(name, storage), PackReader(name, storage)
    assert other.get(objects[0][0]) == objects[0][2]
    storage.delete(pack_name(name))
    with pytest.raises(NameMissing):
        reader.get(objects[0][0])
    assert other.get(objects[-1][0]) == objects[-1][2]


def test_a_block_that_declares_too_much_is_refused(small, monkeypatch):
    """Decompression is bounded before memory is taken."""
    name, objects, pack, idx = small
    monkeypatch.setattr("redun.store.pack_format.MAX_RAW_SIZE_BYTES", 10)
    reader = _reopen(name, pack, idx)
    with pytest.raises(ObjectCorrupt, match="declares"):
        reader.get(objects[0][0])
