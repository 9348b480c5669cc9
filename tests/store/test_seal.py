"""Sealing: crashes after each step, orphans, and two who seal the same."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from redun.objects.kinds import Kind
from redun.store import own_journal
from redun.store.local_storage import LocalStorage
from redun.store.objectdb import ObjectDb
from redun.store.pack_format import pack_name
from redun.testing.object_store import put_jobs, put_value
from redun.testing.objects import build_execution
from redun.testing.probed import Crash, ProbedStorage

HOUR_US = 3_600_000_000


class Disk:
    """A folder, the writers that are dead, and a clock."""

    def __init__(self, path):
        self.path = path
        self.journals = path / "objects" / "journal"
        self.now_us = 1_750_000_000_000_000
        self.dead = set()

    def open(self, storage=None, **options):
        return ObjectDb(
            storage or LocalStorage(self.path),
            journals=self.journals,
            clock=lambda: self.now_us,
            is_alive=lambda header, _modified, _now: header.writer not in self.dead,
            **options,
        )

    def kill(self, store):
        """What is left when a process is killed: no buffer, no chance to tidy up."""
        if store._own.begun_writer:
            self.dead.add(store._own.begun_writer)
            store._own._journal = None

    def journal_names(self):
        return sorted(path.name for path in self.journals.iterdir())

    def pack_names(self):
        return sorted(entry.name for entry in LocalStorage(self.path).iter_entries("objects/pack"))


@pytest.fixture
def disk(tmp_path):
    return Disk(tmp_path)


def _put_all(store, made):
    for oid, data, kind in made.objects:
        store.put(oid, data, kind)


def _check_whole(store, made):
    assert [store.get(oid) for oid, _, _ in made.objects] == [data for _, data, _ in made.objects]
    assert sorted(store.iter_oids()) == sorted((oid, kind) for oid, _, kind in made.objects)
    evals = [oid for oid, _, kind in made.objects if kind == Kind.EVAL]
    assert [len(store.find_candidates(oid)) for oid in evals] == [1] * len(evals)


@pytest.mark.parametrize("step", ["before", "pack", "idx", "sealed", "finished"])
def test_a_crash_after_any_step_of_sealing_loses_nothing(disk, step):
    """Whichever step was the last, the next process finds each object once, and leaves one pack and no journal."""
    storage = ProbedStorage(LocalStorage(disk.path))
    store = disk.open(storage)
    made = build_execution(10)
    _put_all(store, made)
    store.flush()
    if step in ("pack", "idx"):
        storage.crash_at_write = 0 if step == "pack" else 1
        with pytest.raises(Crash):
            store.seal()
    elif step != "before":
        store.seal()
        if step == "finished":
            store.finish()
    disk.kill(store)
    _check_whole(disk.open(is_writable=False), made)
    later = disk.open()
    orphans = later.seal_orphans()
    assert len(orphans) == (step != "finished")
    _check_whole(later, made)
    assert disk.journal_names() == []
    assert len(disk.pack_names()) == 2
    assert len(later.warnings) == (step == "idx")  # the pack without an idx was an old one by the clock of this test


def test_the_order_of_writing_is_pack_then_idx_then_disk(disk):
    """Pack, idx, and both forced to the disk with the large contents, before the journal may go."""
    storage = ProbedStorage(LocalStorage(disk.path))
    store = disk.open(storage)
    content = os.urandom(1 << 20)
    path = disk.path / "large"
    path.write_bytes(content)
    oid, _ = store.put_file(path)
    put_value(store, 1)
    store.seal()
    blob = f"objects/blob/{oid.hex()[:2]}/{oid.hex()}"
    writes, syncs = storage.names("write"), storage.names("sync")
    assert [name.rpartition(".")[2] for name in writes[1:]] == ["pack", "idx"]
    assert syncs == [blob, *writes[1:]]
    assert len(disk.journal_names()) == 1


def test_nothing_is_forced_to_the_disk_when_durability_is_off(disk):
    """``off`` leaves it to the system when bytes reach the disk."""
    storage = ProbedStorage(LocalStorage(disk.path))
    store = disk.open(storage, durability="off")
    put_value(store, 1)
    store.seal()
    assert storage.names("sync") == []


def test_two_who_seal_one_orphan_make_the_same_pack(disk):
    """Both take the dead writer's journal, write the same files, and the journal goes once."""
    writer = disk.open()
    made = build_execution(10)
    _put_all(writer, made)
    writer.flush()
    first, second = disk.open(), disk.open()
    disk.kill(writer)
    removed = []
    seal_orphan = first.sealer.__class__.seal_orphan

    def seal_twice(sealer, journal):
        orphan = seal_orphan(sealer, journal)
        if not removed:
            removed.append(True)
            others.extend(second.seal_orphans())  # the second comes and goes between two steps of the first
        return orphan

    others = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first.sealer.__class__, "seal_orphan", seal_twice)
        (own,) = first.seal_orphans()
    assert [orphan.packs for orphan in others] == [own.packs]
    assert len(disk.pack_names()) == 2
    assert disk.journal_names() == []
    for store in (first, second, disk.open()):
        _check_whole(store, made)


def test_an_orphan_is_reported_with_what_it_held(disk):
    """Writer, header, packs and jobs nodes in order: what whoever ends the run needs."""
    writer = disk.open()
    name = writer.writer
    value = put_value(writer, 1)
    jobs = [put_jobs(writer, [(value, value, number, 1)]) for number in range(3)]
    writer.flush()
    disk.kill(writer)
    store = disk.open()
    (orphan,) = store.seal_orphans()
    assert (orphan.writer, orphan.header.writer, orphan.header.pid) == (name, name, os.getpid())
    assert orphan.jobs == jobs
    assert [pack_name(pack) for pack in orphan.packs] == disk.pack_names()[1::2]
    assert store.seal_orphans() == []


def test_an_orphan_names_what_was_sealed_in_the_middle_of_its_run(disk, monkeypatch):
    """Jobs in packs of full journals are found too, in order, though the journal holds only the last."""
    monkeypatch.setattr(own_journal, "SEAL_RECORDS", 4)
    writer = disk.open()
    value = put_value(writer, 1)
    jobs = [put_jobs(writer, [(value, value, number, 1)]) for number in range(10)]
    writer.flush()
    disk.kill(writer)
    (orphan,) = disk.open().seal_orphans()
    assert orphan.jobs == jobs
    assert len(orphan.packs) == 3


def test_an_orphan_whose_last_journal_is_empty_names_its_packs(disk, monkeypatch):
    """A writer that died right after its journal was full has packs to report and nothing to seal."""
    monkeypatch.setattr(own_journal, "SEAL_RECORDS", 2)
    writer = disk.open()
    value = put_value(writer, 1)
    job = put_jobs(writer, [(value, value, 5, 1)])
    disk.kill(writer)
    (orphan,) = disk.open().seal_orphans()
    assert (orphan.jobs, len(orphan.packs)) == ([job], 1)
    assert disk.journal_names() == []


def test_a_pack_that_is_gone_is_told(disk, monkeypatch):
    """Jobs in a pack that somebody deleted are not listed, with a warning."""
    monkeypatch.setattr(own_journal, "SEAL_RECORDS", 2)
    writer = disk.open()
    value = put_value(writer, 1)
    put_jobs(writer, [(value, value, 5, 1)])
    disk.kill(writer)
    for name in disk.pack_names():
        (disk.path / name).unlink()
    store = disk.open()
    (orphan,) = store.seal_orphans()
    assert orphan.jobs == []
    assert len(store.warnings) == 1


def test_empty_journals_of_dead_writers_are_removed(disk):
    """A writer that began and put nothing leaves nothing to report."""
    writer = disk.open()
    assert writer.writer
    disk.kill(writer)
    assert disk.open().seal_orphans() == []
    assert disk.journal_names() == []


def test_live_writers_are_left_alone(disk):
    """The journal of a writer that lives is neither sealed nor removed."""
    writer = disk.open()
    put_value(writer, 1)
    writer.flush()
    assert disk.open().seal_orphans() == []
    assert disk.journal_names() == [f"{writer.writer}.journal"]


def test_a_file_without_a_header_is_removed_once_it_is_old(disk):
    """A journal that nobody signed is left for an hour, in case somebody is about to."""
    disk.journals.mkdir(parents=True)
    path = disk.journals / "x.journal"
    path.write_bytes(b"redun-j")
    os.utime(path, (disk.now_us / 1e6,) * 2)
    assert disk.open().seal_orphans() == []
    assert path.exists()
    disk.now_us += HOUR_US + 1_000_000
    assert disk.open().seal_orphans() == []
    assert not path.exists()


def test_a_torn_tail_is_dropped(disk):
    """What the dead writer had not finished writing is left out; the rest is sealed."""
    writer = disk.open()
    oids = [put_value(writer, number) for number in range(5)]
    writer.flush()
    disk.kill(writer)
    (path,) = disk.journals.iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    store = disk.open()
    store.seal_orphans()
    assert [store.has(oid) for oid in oids] == [True] * 4 + [False]


def test_a_damaged_record_is_left_out_with_a_warning(disk):
    """One bad record of the own journal does not keep the others from being sealed."""
    store = disk.open()
    oids = [put_value(store, number) for number in range(5)]
    store.flush()
    (path,) = disk.journals.iterdir()
    content = bytearray(path.read_bytes())
    content[-1] ^= 0xFF
    path.write_bytes(content)
    store.seal()
    store.finish()
    assert [store.has(oid) for oid in oids] == [True] * 4 + [False]
    assert len(store.warnings) == 1


def test_an_orphan_that_cannot_be_sealed_is_read_all_the_same(disk):
    """On a full disk the journal stays, with a warning, and its objects are found."""
    writer = disk.open()
    made = build_execution(4)
    _put_all(writer, made)
    writer.flush()
    disk.kill(writer)
    storage = LocalStorage(disk.path)
    store = disk.open(storage)

    def fail(*_arguments):
        raise OSError("no space")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "write", fail)
        assert store.seal_orphans() == []
    assert len(store.warnings) == 1
    _check_whole(store, made)
    assert len(store.seal_orphans()) == 1
    _check_whole(store, made)


def test_a_writer_taken_for_dead_loses_nothing(disk):
    """A writer that slept too long goes on after its journal was sealed and removed by another."""
    writer = disk.open()
    before = put_value(writer, "before")
    writer.flush()
    disk.dead.add(writer.writer)
    other = disk.open()
    assert len(other.seal_orphans()) == 1
    writer.touch()
    after = put_value(writer, "after")
    writer.flush()
    disk.dead.clear()
    assert disk.open().has(after)
    writer.seal()
    writer.finish()
    fresh = disk.open()
    assert fresh.has(before)
    assert fresh.has(after)
    assert disk.journal_names() == []


def test_a_killed_process_loses_only_what_it_had_not_flushed(tmp_path):
    """A real process, really killed: the next one sees that it is dead, and seals what it had written out."""
    script = (
        "import sys, time; from pathlib import Path\n"
        "from redun.store.local_storage import LocalStorage\n"
        "from redun.store.objectdb import ObjectDb\n"
        "from redun.testing.object_store import put_value\n"
        "path = Path(sys.argv[1])\n"
        "store = ObjectDb(LocalStorage(path), journals=path / 'objects' / 'journal')\n"
        "print(*(put_value(store, number).hex() for number in range(100)))\n"
        "store.flush()\n"
        "print(put_value(store, 'not flushed').hex(), flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as child:
        flushed = [bytes.fromhex(text) for text in child.stdout.readline().split()]
        lost = bytes.fromhex(child.stdout.readline())
        store = ObjectDb(LocalStorage(tmp_path), journals=tmp_path / "objects" / "journal")
        assert store.seal_orphans() == []
        child.kill()
        child.wait()
        (orphan,) = store.seal_orphans()
    assert orphan.header.pid == child.pid
    assert all(store.has(oid) for oid in flushed)
    assert not store.has(lost)
