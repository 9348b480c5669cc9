"""PackSet: all packs as one, damaged ones left out, filters that never hide an object."""

from __future__ import annotations

import pytest

from redun.hashing import Oid, hash_blob
from redun.objects.codec import decode_node
from redun.objects.execution_records import JobRow, JobsRecord, JobStatus
from redun.objects.kinds import Kind
from redun.store import pack_filter, packset
from redun.store.base import Candidate, ObjectCorrupt
from redun.store.idx import Idx
from redun.store.memory_storage import MemoryStorage
from redun.store.pack import MAX_NOTED_LINKS, write_pack
from redun.store.pack_filter import PackFilter
from redun.store.pack_format import idx_name, pack_name
from redun.store.packset import PackSet
from redun.testing.objects import build_execution

NOW_US = 1_750_000_000_000_000
ABSENT = Oid(bytes(32))


class Fixture:
    """A storage whose packs are a minute apart, and the warnings that a set over it gives."""

    def __init__(self):
        self.written_us = NOW_US - 3_600_000_000
        self.storage = MemoryStorage(clock=lambda: self.written_us)
        self.warnings = []
        self.set = PackSet(self.storage, self.warnings.append, lambda: NOW_US)

    def write(self, seed, n_jobs=5):
        self.written_us += 60_000_000
        objects = build_execution(n_jobs, seed=seed).objects
        rows = sorted(((oid, kind, data) for oid, data, kind in objects), key=lambda row: row[1])
        return write_pack(rows, self.storage).name, rows

    def damage(self, name, at, content=None):
        content = bytearray(self.storage.read(name))
        content[at] ^= 0xFF
        self.storage.write(name, content)


@pytest.fixture
def packs():
    return Fixture()


def _held(packs, rows):
    return [packs.set.has(oid) for oid, _, _ in rows]


@pytest.mark.parametrize(("small", "total"), [(1 << 14, 1 << 17), (0, 0), (30, 1 << 17), (1 << 14, 60)])
def test_every_object_of_every_pack_is_found(packs, monkeypatch, small, total):
    """Small and large packs, in any mixture, are searched; what none holds is not found."""
    monkeypatch.setattr(pack_filter, "SMALL_PACK_OBJECTS", small)
    monkeypatch.setattr(pack_filter, "SMALL_PACKS_TOTAL_OBJECTS", total)
    written = [packs.write(seed, n_jobs)[1] for seed, n_jobs in enumerate((3, 20, 1, 40, 7))]
    packs.set.refresh()
    for rows in written:
        for oid, kind, data in rows:
            assert packs.set.has(oid)
            reader, ordinal = next(packs.set.iter_holding(oid))
            assert (reader.read(ordinal), reader.idx.kind_at(ordinal)) == (data, kind)
            assert len(packs.set.find_candidates(oid)) == (kind == Kind.EVAL)
    assert not packs.set.has(ABSENT)
    assert not packs.set.find_candidates(ABSENT)
    assert not packs.set.find_producers(ABSENT)


def test_an_outcome_of_an_eval_in_another_pack_is_found(packs):
    """A pack may record an outcome of an eval and with a target that it does not hold."""
    _, rows = packs.write(1)
    (key,) = [oid for oid, kind, _ in rows if kind == Kind.EVAL][:1]
    packs.written_us += 1
    batch = [JobRow(1, 0, 5, 5, JobStatus.DONE, "default", 1, oid, ABSENT, "t") for oid in (key, Oid(b"z" * 32))]
    oid, data = JobsRecord(bytes(16), 0, batch).encode()
    write_pack([(oid, int(Kind.JOBS), data)], packs.storage)
    packs.set.refresh()
    assert Candidate(10, ABSENT) in packs.set.find_candidates(key)
    assert len(packs.set.find_candidates(key)) == 2
    assert packs.set.find_candidates(Oid(b"z" * 32)) == [Candidate(10, ABSENT)]


def test_packs_come_newest_first(packs):
    """By the time of writing; what was added by this process comes first."""
    names = [packs.write(seed)[0] for seed in range(4)]
    packs.set.refresh()
    assert [reader.name for reader in packs.set.readers] == names[::-1]
    added, _ = packs.write(9)
    packs.set.add(added)
    assert [reader.name for reader in packs.set.readers] == [added, *names[::-1]]
    packs.set.refresh()
    assert [reader.name for reader in packs.set.readers] == [added, *names[::-1]]


def test_packs_that_come_and_go_are_noticed(packs):
    """A refresh opens what is new and lets go of what is gone."""
    first, rows = packs.write(1)
    packs.set.refresh()
    second, more = packs.write(2)
    for name in (pack_name(first), idx_name(first)):
        packs.storage.delete(name)
    assert all(_held(packs, rows))
    packs.set.refresh()
    assert [reader.name for reader in packs.set.readers] == [second]
    assert all(_held(packs, more))


def test_a_damaged_pack_is_left_out_with_one_warning(packs):
    """It does not stop anybody, and is not tried again at each refresh."""
    name, rows = packs.write(1)
    _, sound = packs.write(2)
    packs.storage.write(pack_name(name), packs.storage.read(pack_name(name))[:-1])
    for _ in range(3):
        packs.set.refresh()
    assert all(_held(packs, sound))
    assert not all(_held(packs, rows))
    assert len(packs.warnings) == 1
    assert name.hex()[:8] in packs.warnings[0]


def test_a_pack_written_anew_over_a_damaged_one_is_taken(packs):
    """Sealing the same objects again heals the pack."""
    name, rows = packs.write(1)
    packs.storage.write(pack_name(name), b"")
    packs.set.refresh()
    assert not any(_held(packs, rows))
    assert write_pack(rows, packs.storage).name == name
    packs.set.add(name)
    assert all(_held(packs, rows))


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "magic", "count"])
def test_a_bad_idx_is_made_anew_in_memory(packs, damage):
    """As long as the pack is whole nothing is lost, and nothing is written."""
    name, rows = packs.write(1)
    content = packs.storage.read(idx_name(name))
    if damage == "missing":
        packs.storage.delete(idx_name(name))
    else:
        other = {
            "empty": b"",
            "cut": content[:-5],
            "magic": b"x" + content[1:],
            "count": content[:8] + b"\1" + content[9:],
        }
        packs.storage.write(idx_name(name), other[damage])
    before = [entry.size for entry in packs.storage.iter_entries("")]
    for _ in range(2):
        packs.set.refresh()
    assert all(_held(packs, rows))
    assert [entry.size for entry in packs.storage.iter_entries("")] == before
    assert len(packs.warnings) == 1


def test_an_idx_about_to_be_written_is_waited_for(packs):
    """A pack of this very moment without its idx is passed over in silence, and taken when the idx is there."""
    packs.written_us = NOW_US - 61_000_000
    name, rows = packs.write(1)
    content = packs.storage.read(idx_name(name))
    packs.storage.delete(idx_name(name))
    packs.set.refresh()
    assert not any(_held(packs, rows))
    packs.storage.write(idx_name(name), content)
    packs.set.refresh()
    assert all(_held(packs, rows))
    assert packs.warnings == []


def test_tables_that_turn_out_damaged_are_made_anew(packs):
    """An idx that opens well and leads nowhere is replaced by one made from the pack, at the first question."""
    name, rows = packs.write(1)
    idx = bytearray(packs.storage.read(idx_name(name)))
    count = len(rows)
    order_at = 124 + 4 * count
    idx[order_at : order_at + 4 * count] = b"\xff" * 4 * count
    packs.storage.write(idx_name(name), idx)
    packs.set.refresh()
    assert all(_held(packs, rows))
    assert len(packs.warnings) == 1


@pytest.mark.parametrize("ask", ["find_candidates", "find_producers", "iter_holding", "find_prefix", "iter_oids"])
def test_each_question_survives_damaged_tables(packs, ask):
    """Whichever question meets the damage, it is answered, from the pack or without it."""
    name, rows = packs.write(1)
    _, sound = packs.write(2)
    packs.set.refresh()
    (reader,) = [reader for reader in packs.set.readers if reader.name == name]

    def fail(*_arguments):
        raise ObjectCorrupt(None, idx_name(name), "damaged")

    for method in ("find", "find_candidates", "find_producers", "iter_between", "oid_at"):
        setattr(reader.idx, method, fail)
    packs.storage.write(pack_name(name), b"damaged too")
    key = next(oid for oid, kind, _ in rows if kind == Kind.EVAL)
    arguments = {"find_prefix": (bytes(32), b"\xff" * 32, 10_000), "iter_oids": (None,)}.get(ask, (key,))
    found = set(getattr(packs.set, ask)(*arguments))
    if ask in ("find_prefix", "iter_oids"):
        assert found == {(oid, kind) for oid, kind, _ in sound}
    assert [reader.name for reader in packs.set.readers] != [name]
    assert len(packs.warnings) == 1


def test_other_files_are_no_packs(packs):
    """Stray names in the folder are passed over."""
    for name in ("README", "x.pack", "Z" * 64 + ".pack", hash_blob(b"").hex(), "sub/" + "a" * 64 + ".pack"):
        packs.storage.write(f"objects/pack/{name}", b"x")
    packs.set.refresh()
    assert packs.set.readers == ()
    assert packs.warnings == []


def test_what_was_just_read_tells_where_the_next_objects_stand(packs, monkeypatch):
    """A candidate's call and that call's result are read without a search, whatever happens to the packs meanwhile."""
    made = build_execution(50)
    objects = sorted(((oid, kind, data) for oid, data, kind in made.objects), key=lambda row: row[1])
    write_pack(objects, packs.storage)
    packs.set.refresh()
    expected = {oid: data for oid, _, data in objects}
    searched = _note_searches(monkeypatch)
    for eval_oid in [oid for oid, kind, _ in objects if kind == Kind.EVAL]:
        (candidate,) = packs.set.find_candidates(eval_oid)
        searched.clear()
        node = packs.set.read_node(candidate.target)
        assert node == decode_node(expected[candidate.target])
        if len(node.links) <= MAX_NOTED_LINKS:
            assert packs.set.read_node(node.links[1]) == decode_node(expected[node.links[1]])
        assert searched == []
        assert packs.set.read(candidate.target) == expected[candidate.target]
        assert searched == ["all", "one"]
    packs.set.find_candidates(eval_oid)
    write_pack([(hash_blob(b"x"), 0, b"x")], packs.storage)
    packs.set.refresh()
    searched.clear()
    assert packs.set.read(candidate.target) == expected[candidate.target]
    assert searched == ["all", "one"]


def test_the_trail_stays_small(packs, monkeypatch):
    """Whoever asks for candidates and never reads them leaves a bounded number of places."""
    monkeypatch.setattr(packset, "MAX_TRAIL", 10)
    made = build_execution(50)
    write_pack(sorted(((oid, kind, data) for oid, data, kind in made.objects), key=lambda row: row[1]), packs.storage)
    packs.set.refresh()
    for oid, _, kind in made.objects:
        if kind == Kind.EVAL:
            packs.set.find_candidates(oid)
            assert len(packs.set._view.trail) <= 11


@pytest.fixture
def searches(packs, monkeypatch):
    """Seven packs without small ones among them; notes the searches."""
    monkeypatch.setattr(pack_filter, "SMALL_PACK_OBJECTS", 0)
    for seed in range(7):
        packs.write(seed)
    packs.set.refresh()
    return _note_searches(monkeypatch)


def _note_searches(monkeypatch):
    """Return a list that grows with each search: of all packs, of one from the start, or of one from a place there."""
    noted = []
    places, find = PackFilter.iter_places, Idx.find

    def find_noted(idx, oid, at=None):
        noted.append("one" if at is None else "on")
        return find(idx, oid, at)

    monkeypatch.setattr(PackFilter, "iter_places", lambda packs, oid: noted.append("all") or places(packs, oid))
    monkeypatch.setattr(Idx, "find", find_noted)
    return noted


def test_a_cached_call_and_its_result_take_one_search_of_all_packs(packs, searches):
    """It ends in the one pack that has the eval, at its place in the table; from there places lead to the others."""
    _, rows = packs.write(3)
    eval_oid = next(oid for oid, kind, _ in rows if kind == Kind.EVAL)
    (candidate,) = packs.set.find_candidates(eval_oid)
    call = packs.set.read_node(candidate.target)
    assert packs.set.read_node(call.links[1]).kind == Kind.VALUE
    assert searches == ["all", "on"]


def test_what_all_packs_have_is_taken_from_the_newest(packs, searches):
    """Reading it, asking whether it is there or of what kind: the search ends with the first pack that has it."""
    _, rows = packs.write(8)
    packs.set.refresh()
    task = next(oid for oid, kind, _ in rows if kind == Kind.TASK)
    assert len(list(packs.set.iter_holding(task))) == 8
    for ask in (packs.set.read, packs.set.has, lambda oid: next(packs.set.iter_holding(oid))):
        searches.clear()
        assert ask(task)
        assert searches == ["all", "on"]


def test_an_eval_that_no_pack_names_is_searched_for_once(packs, searches):
    """A job that nothing serves asks for candidates, whether a pack has its eval, and again when it puts it."""
    assert packs.set.find_candidates(ABSENT) == []
    assert not packs.set.has(ABSENT)
    assert not packs.set.has(ABSENT)
    assert searches == ["all"]


def test_what_a_new_pack_brings_is_found_though_no_pack_had_it(packs, searches):
    """That an eval was nowhere is forgotten with the packs of that moment."""
    rows = packs.write(9)[1]
    eval_oid = next(oid for oid, kind, _ in rows if kind == Kind.EVAL)
    assert packs.set.find_candidates(eval_oid) == []
    assert not packs.set.has(eval_oid)
    packs.set.refresh()
    assert packs.set.has(eval_oid)
    assert len(packs.set.find_candidates(eval_oid)) == 1
