"""Merging packs: the rule holds, nothing is lost, and in doubt nothing is removed."""

from __future__ import annotations

import errno
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.objects.kinds import Kind
from redun.store.base import ReadOnlyStore
from redun.store.liveness import now_us
from redun.store.local_storage import LocalStorage
from redun.store.maintain import repack
from redun.store.maintain.repack import GROWTH, consolidate, plan_merge, plan_repack
from redun.store.objectdb import ObjectDb
from redun.store.pack_format import pack_name
from redun.testing.objects import build_execution
from redun.testing.probed import Crash, ProbedStorage


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def _open(folder, storage=None, **options):
    return ObjectDb(storage or LocalStorage(folder), journals=folder / "objects" / "journal", **options)


def _run(store, seed, n_jobs=3):
    made = build_execution(n_jobs, seed=seed)
    for oid, data, kind in made.objects:
        store.put(oid, data, kind)
    store.seal()
    store.finish()
    return made


def _check_whole(store, executions):
    objects = {oid: (data, kind) for made in executions for oid, data, kind in made.objects}
    assert dict(store.iter_oids()) == {oid: kind for oid, (_, kind) in objects.items()}
    for oid, (data, kind) in objects.items():
        assert store.get(oid) == data
        assert len(store.find_candidates(oid)) == (kind == Kind.EVAL)


def _pack_count(folder):
    return len(list((folder / "objects" / "pack").glob("*.pack")))


@pytest.mark.parametrize(
    ("sizes", "count"),
    [
        ([], 0),
        ([5], 0),
        ([1, 2, 4, 8], 0),
        ([1, 1, 100], 2),
        ([1, 2, 3, 100], 3),
        ([2, 3, 9], 3),
        ([1, 1, 2, 4, 8], 5),
        ([10, 1, 1, 1, 100], 4),
        ([1, 10, 10, 10, 100], 4),
    ],
)
def test_the_newest_packs_that_break_the_rule_are_planned(sizes, count):
    """The run of newest packs is merged up to one that is twice as large as all of them."""
    assert plan_merge(sizes) == count


@given(st.lists(st.integers(1, 1_000), max_size=300))
def test_the_number_of_packs_stays_logarithmic(runs):
    """However large the runs, each pack is at least twice the next newer one."""
    packs = []
    for size in runs:
        packs.insert(0, size)
        count = plan_merge(packs)
        if count:
            packs[:count] = [sum(packs[:count])]
        assert all(older >= GROWTH * newer for newer, older in pairwise(packs))
    assert len(packs) <= 20


def test_many_runs_leave_few_packs_and_all_objects(folder):
    """After forty runs a handful of packs hold everything, for the writer, a reader from the start, and a new store."""
    store = _open(folder)
    reader = _open(folder)
    executions = []
    for seed in range(40):
        executions.append(_run(store, seed))
        consolidate(store)
    assert _pack_count(folder) <= 6
    reader.refresh(force=True)
    for one in (store, reader, _open(folder)):
        _check_whole(one, executions)
        assert one.warnings == []


def test_the_merged_pack_keeps_the_order_of_putting(folder):
    """Within a kind the objects of the older pack come first, so the most recent still come first in a listing."""
    store = _open(folder)
    executions = [_run(store, seed) for seed in range(3)]
    before = [oid for oid, _ in store.iter_oids(Kind.CALL)]
    assert consolidate(store) is not None
    assert [oid for oid, _ in store.iter_oids(Kind.CALL)] == before
    _check_whole(store, executions)


def test_packs_that_keep_the_rule_are_left_alone(folder):
    """There is nothing to do, and nothing is written."""
    store = _open(folder)
    _run(store, 1, n_jobs=200)
    _run(store, 2, n_jobs=1)
    assert consolidate(store) is None
    assert _pack_count(folder) == 2


@pytest.mark.parametrize("step", [0, 1, "delete"])
def test_a_crash_while_merging_loses_nothing(folder, monkeypatch, step):
    """Before, between and after writing and deleting, every object is in a whole pack."""
    storage = ProbedStorage(LocalStorage(folder))
    store = _open(folder, storage)
    executions = [_run(store, seed) for seed in range(3)]
    storage.forget()
    if step == "delete":
        delete = storage.delete

        def crash(name):
            if storage.size(name) is not None:
                raise Crash(name)
            delete(name)

        monkeypatch.setattr(storage, "delete", crash)
    else:
        storage.crash_at_write = step
    with pytest.raises(Crash):
        consolidate(store)
    later = _open(folder)
    _check_whole(later, executions)
    consolidate(later)
    _check_whole(_open(folder), executions)


@pytest.mark.parametrize("verb", ["sync", "view"])
def test_another_process_may_merge_the_merged_pack_at_once(folder, monkeypatch, verb):
    """Two that merge the same packs write one name; the first may have merged it on before the second looks at it."""
    storage = ProbedStorage(LocalStorage(folder))
    store = _open(folder, storage)
    executions = [_run(store, seed) for seed in range(3)]
    verb_of_storage = getattr(storage, verb)
    gone = []

    def merge_on(asked, *arguments):
        written = {name for name in storage.names("write") if name.startswith("objects/pack")}
        names = [asked] if isinstance(asked, str) else list(asked)
        if not gone and len(written) == 2 and written.intersection(names):
            gone.append(written)
            other = _open(folder)
            executions.append(_run(other, 3, n_jobs=9))
            consolidate(other)
        return verb_of_storage(asked if isinstance(asked, str) else names, *arguments)

    storage.forget()
    monkeypatch.setattr(storage, verb, merge_on)
    consolidate(store)
    assert gone, "the other process never came"
    _check_whole(_open(folder), executions)
    assert not any((folder / name).exists() for name in gone[0])


def test_a_full_disk_removes_nothing(folder, monkeypatch):
    """When the merged pack cannot be written, its parts stay."""
    store = _open(folder)
    executions = [_run(store, seed) for seed in range(3)]

    def fail(*_arguments):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(store.storage, "write", fail)
    with pytest.raises(OSError, match="no space"):
        consolidate(store)
    assert _pack_count(folder) == 3
    _check_whole(_open(folder), executions)


def test_nothing_is_written_where_packs_cannot_be_deleted(folder, monkeypatch):
    """Who may write and not delete would leave a copy of everything there, each time."""
    storage = ProbedStorage(LocalStorage(folder))
    store = _open(folder, storage)
    for seed in range(3):
        _run(store, seed)
    storage.forget()

    def refuse(name):
        raise ReadOnlyStore(f"access denied: {name}")

    monkeypatch.setattr(storage, "delete", refuse)
    with pytest.raises(ReadOnlyStore, match="access denied"):
        consolidate(store)
    assert storage.names("write") == []
    assert _pack_count(folder) == 3


def test_a_damaged_part_stops_the_merge(folder):
    """An object that does not hash to its name must not be dropped in silence: nothing is merged."""
    store = _open(folder)
    for seed in range(3):
        _run(store, seed)
    path = folder / pack_name(store.packs.readers[1].name)
    content = bytearray(path.read_bytes())
    content[20] ^= 0xFF
    path.write_bytes(content)
    assert consolidate(_open(folder)) is None
    assert _pack_count(folder) == 3


def test_a_merge_that_cannot_be_read_back_removes_nothing(folder, monkeypatch):
    """What was written is hashed again before its parts go."""
    storage = LocalStorage(folder)
    store = _open(folder, storage)
    executions = [_run(store, seed) for seed in range(3)]
    monkeypatch.setattr(repack, "hash_blob", lambda _content: bytes(32))
    assert consolidate(store) is None
    monkeypatch.undo()
    assert _pack_count(folder) == 4
    _check_whole(_open(folder), executions)


def test_packs_that_a_journal_names_stay(folder, monkeypatch):
    """Whoever seals an interrupted run looks into the packs of its full journals: they are not merged away."""
    monkeypatch.setattr("redun.store.own_journal.SEAL_RECORDS", 10)
    runner, other = _open(folder), _open(folder)
    made = build_execution(20)
    for oid, data, kind in made.objects:
        runner.put(oid, data, kind)
    runner.flush()
    before = _pack_count(folder)
    assert before > 2
    assert consolidate(runner) is None
    assert consolidate(other) is None
    runner.seal()
    runner.finish()
    assert consolidate(runner) is not None
    assert _pack_count(folder) < before


def test_too_many_objects_are_not_merged(folder, monkeypatch):
    """Packs whose union would not fit the memory are left as they are."""
    monkeypatch.setattr(repack, "MAX_MERGED_OBJECTS", 20)
    store = _open(folder)
    for seed in range(4):
        _run(store, seed)
    assert consolidate(store) is None
    assert _pack_count(folder) == 4


def test_duplicates_are_dropped(folder):
    """What two packs hold is in the merged one once."""
    one, two = _open(folder), _open(folder)
    for store in (one, two):
        for oid, data, kind in build_execution(10).objects:
            store.put(oid, data, kind)
    _run(one, 1)
    _run(two, 2)
    consolidate(two)
    assert _pack_count(folder) == 1
    (reader,) = two.packs.readers
    assert len(reader) == len(dict(two.iter_oids()))


def test_a_read_only_store_is_not_merged(folder):
    """The storage refuses before anything is changed."""
    store = _open(folder)
    for seed in range(3):
        _run(store, seed)
    with pytest.raises(ReadOnlyStore):
        consolidate(_open(folder, LocalStorage(folder, read_only=True), is_writable=False, clock=now_us))
    assert _pack_count(folder) == 3


def test_all_packs_are_merged_when_that_is_asked_for(folder):
    """Also where the rule holds; what would be merged can be asked before, and then nothing changes."""
    store = _open(folder)
    made = [_run(store, seed, n_jobs) for seed, n_jobs in enumerate((40, 12, 3))]
    assert plan_repack(store) == ()
    assert len(plan_repack(store, is_all=True)) == 3
    assert _pack_count(folder) == 3
    merged = consolidate(store, is_all=True)
    assert _pack_count(folder) == 1
    assert [reader.name for reader in store.packs.readers] == [merged]
    _check_whole(store, made)
    assert consolidate(store, is_all=True) is None
