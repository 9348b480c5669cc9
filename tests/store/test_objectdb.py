"""ObjectDb: journals, packs and blobs as one store, under many writers, damage and crashes."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from redun.errors import StoreError
from redun.hashing import Oid, hash_blob
from redun.objects.codec import decode_node, encode_node
from redun.objects.kinds import Kind
from redun.store import journal as journal_module
from redun.store import objectdb as objectdb_module
from redun.store import own_journal
from redun.store.base import ObjectCorrupt, ObjectMissing, ReadOnlyStore
from redun.store.blobs import blob_name
from redun.store.local_storage import LocalStorage
from redun.store.maintain.repack import consolidate
from redun.store.memory_storage import MemoryStorage
from redun.store.objectdb import NodeTooLarge, ObjectDb
from redun.store.pack_format import idx_name, pack_name
from redun.testing.object_store import ObjectStoreSuite, put_value
from redun.testing.objects import build_execution


class Disk:
    """A folder with the stores that are opened on it, and a clock."""

    def __init__(self, path):
        self.path = path
        self.journals = path / "objects" / "journal"
        self.now_us = 1_750_000_000_000_000
        self.dead = set()

    def open(self, **options):
        options.setdefault("storage", LocalStorage(self.path))
        options.setdefault("journals", self.journals)
        return ObjectDb(clock=lambda: self.now_us, is_alive=self.is_alive, **options)

    def is_alive(self, header, _modified_us, _now_us):
        return header.writer not in self.dead

    def journal_names(self):
        return sorted(path.name for path in self.journals.iterdir()) if self.journals.exists() else []


@pytest.fixture
def disk(tmp_path):
    return Disk(tmp_path / "repo")


class TestObjectDb(ObjectStoreSuite):
    @pytest.fixture
    def store(self, disk):
        return disk.open()


class TestObjectDbBesideMemoryStorage(ObjectStoreSuite):
    @pytest.fixture
    def store(self, disk):
        return disk.open(storage=MemoryStorage())


class TestObjectDbThatSealsAtEachTurn(ObjectStoreSuite):
    @pytest.fixture
    def store(self, disk, monkeypatch):
        monkeypatch.setattr(own_journal, "SEAL_RECORDS", 40)
        return disk.open()


class TestObjectDbThatWritesOutAtOnce(ObjectStoreSuite):
    @pytest.fixture
    def store(self, disk, monkeypatch):
        monkeypatch.setattr(journal_module, "FLUSH_SIZE_BYTES", 1)
        return disk.open(durability="off")


def _put_all(store, made):
    for oid, data, kind in made.objects:
        store.put(oid, data, kind)


def _check_whole(store, made):
    """Each object is there with its kind and bytes, and each eval has its outcome."""
    for oid, data, kind in made.objects:
        assert store.get(oid) == data
        assert store.kind_of(oid) == kind
        if kind == Kind.EVAL:
            assert len(store.find_candidates(oid)) == 1
    assert len(list(store.iter_oids())) == len(made.objects)


def _finish(store):
    names = store.seal()
    store.finish()
    return names


def test_another_store_reads_a_live_journal(disk):
    """What one writer has flushed, another finds after a refresh; hits between concurrent runs."""
    writer, reader = disk.open(), disk.open()
    made = build_execution(20)
    _put_all(writer, made)
    writer.flush()
    reader.refresh(force=True)
    _check_whole(reader, made)


def test_refreshing_is_throttled(disk):
    """Within half a second a refresh does nothing, unless forced."""
    writer, reader = disk.open(), disk.open()
    oid = put_value(writer, 1)
    writer.flush()
    reader.refresh()
    assert not reader.has(oid)
    disk.now_us += 500_000
    reader.refresh()
    assert reader.has(oid)


def test_a_miss_looks_once_more(disk):
    """Getting what another process has just written refreshes by itself."""
    writer, reader = disk.open(), disk.open()
    oid = put_value(writer, 1)
    writer.flush()
    disk.now_us += 500_000
    assert reader.get(oid)


def test_sealing_moves_everything_into_a_pack(disk):
    """After sealing, the pack alone has it all; the journal goes with ``finish``."""
    store = disk.open()
    made = build_execution(20)
    _put_all(store, made)
    journal = f"{store.writer}.journal"
    (name,) = store.seal()
    assert disk.journal_names() == [journal]
    store.finish()
    assert disk.journal_names() == []
    assert LocalStorage(disk.path).size(pack_name(name)) is not None
    _check_whole(store, made)
    store.close()
    assert disk.journal_names() == []
    _check_whole(disk.open(), made)


def test_readers_notice_that_a_journal_was_sealed(disk):
    """A reader of the journal finds the same objects before, between and after sealing."""
    writer, reader = disk.open(), disk.open()
    made = build_execution(20)
    _put_all(writer, made)
    writer.flush()
    for step in (writer.seal, writer.finish, writer.close):
        reader.refresh(force=True)
        _check_whole(reader, made)
        step()
        _check_whole(reader, made)
    reader.refresh(force=True)
    _check_whole(reader, made)
    assert list(reader.journals.others) == []


def test_packs_written_since_finish_are_told_once(disk, monkeypatch):
    """Sealing names all packs of the execution, those of full journals included, and starts anew after ``finish``."""
    monkeypatch.setattr(own_journal, "SEAL_RECORDS", 10)
    store = disk.open()
    for number in range(25):
        put_value(store, number)
    names = store.seal()
    assert len(names) == 3
    assert store.seal() == names
    store.finish()
    assert store.seal() == []
    put_value(store, "more")
    assert len(_finish(store)) == 1


def test_putting_after_sealing_begins_a_new_journal(disk):
    """Who forgets ``finish`` loses nothing and seals nothing twice."""
    store = disk.open()
    put_value(store, 1)
    (first,) = store.seal()
    oid = put_value(store, 2)
    store.flush()
    assert disk.open().has(oid)
    (second,) = store.seal()
    assert [len(reader) for reader in store.packs.readers] == [1, 1]
    assert {reader.name for reader in store.packs.readers} == {first, second}


def test_what_a_pack_has_is_not_put_again(disk):
    """Running the same again writes nothing."""
    made = build_execution(20)
    for _ in range(2):
        store = disk.open()
        _put_all(store, made)
        _finish(store)
        store.close()
    assert len(disk.open().packs.readers) == 1


def test_the_writer_keeps_its_name_when_its_journal_is_full(disk, monkeypatch):
    """The ref of a running execution names its writer: the journal of that name is there at every moment."""
    monkeypatch.setattr(own_journal, "SEAL_RECORDS", 4)
    store = disk.open()
    writer = store.writer
    for number in range(30):
        put_value(store, number)
        assert disk.journal_names() == [f"{writer}.journal"]
    assert store.writer == writer
    assert len(store.packs.readers) == 7


def test_a_full_journal_that_cannot_be_sealed_is_no_reason_to_stop(disk, monkeypatch):
    """The run goes on in the journal with one warning, and tries again at twice the size."""
    monkeypatch.setattr(own_journal, "SEAL_RECORDS", 4)
    store = disk.open()
    attempts = []

    def fail(*_arguments):
        attempts.append(1)
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(store.storage, "write", fail)
    oids = [put_value(store, number) for number in range(20)]
    assert len(attempts) == len(store.warnings) == 3
    assert all(store.has(oid) for oid in oids)
    with pytest.raises(OSError, match="no space"):
        store.seal()
    monkeypatch.undo()
    assert len(_finish(store)) == 1
    assert all(disk.open().has(oid) for oid in oids)


def test_a_read_only_store_refuses_to_put(disk, tmp_path):
    """Without a folder of journals, or told so, a store is read and never written."""
    writer = disk.open()
    oid = put_value(writer, 1)
    writer.flush()
    sealed = put_value(writer, 2)
    for store, is_there in ((disk.open(journals=None), False), (disk.open(is_writable=False), True)):
        assert store.has(oid) == is_there
        for change in (
            lambda store=store: put_value(store, 3),
            lambda store=store: store.put_file(tmp_path),
            lambda store=store: store.seal(),
            lambda store=store: store.seal_orphans(),
            lambda store=store: store.writer,
        ):
            with pytest.raises(ReadOnlyStore):
                change()
        store.flush()
        store.touch()
        store.close()
    _finish(writer)
    assert disk.open(journals=None).has(sealed)


def test_a_folder_that_cannot_be_written_is_a_read_only_store(disk, monkeypatch):
    """What the system refuses when the journal is begun is told as ReadOnlyStore."""
    store = disk.open()

    def refuse(*_arguments, **_options):
        raise OSError(errno.EROFS, "read-only file system")

    monkeypatch.setattr(journal_module, "_create_file", refuse)
    with pytest.raises(ReadOnlyStore):
        put_value(store, 1)


def test_a_reader_that_loses_a_pack_finds_the_object_in_the_merged_one(disk):
    """Packs may be merged by another process between listing and reading."""
    writer = disk.open()
    made = [build_execution(3, seed=seed) for seed in range(3)]
    for execution in made:
        _put_all(writer, execution)
        _finish(writer)
    reader = disk.open()
    assert len(reader.packs.readers) == 3
    consolidate(writer)
    for execution in made:
        for oid, data, _ in execution.objects:
            assert reader.get(oid) == data
    assert len(reader.packs.readers) == 1
    assert reader.warnings == []


def test_a_damaged_object_is_told_and_can_be_put_again(disk):
    """Reading it raises ObjectCorrupt; putting it again heals it, for this store and the next."""
    store = disk.open()
    made = build_execution(5)
    _put_all(store, made)
    (name,) = _finish(store)
    path = disk.path / pack_name(name)
    content = bytearray(path.read_bytes())
    content[20] ^= 0xFF
    path.write_bytes(content)
    store = disk.open()
    damaged = []
    for oid, data, _ in made.objects:
        try:
            assert store.get(oid) == data
        except ObjectCorrupt as error:
            damaged.append((oid, error.oid))
    assert damaged
    assert all(oid == told and store.has(oid) for oid, told in damaged)
    _put_all(store, made)
    assert [store.get(oid) for oid, _, _ in made.objects] == [data for _, data, _ in made.objects]
    _finish(store)
    _check_whole(disk.open(), made)


def test_a_damaged_large_content_is_put_again(disk):
    """One whose size is right is written over, once reading it has shown that its bytes are not."""
    content = bytes(range(256)) * 8192
    oid = hash_blob(content)
    disk.open().put(oid, content, int(Kind.BLOB))
    (disk.path / blob_name(oid)).write_bytes(content[:-1] + b"x")
    store = disk.open()
    with pytest.raises(ObjectCorrupt):
        store.get(oid)
    store.put(oid, content, int(Kind.BLOB))
    assert disk.open().get(oid) == content


def test_a_damaged_copy_is_passed_over_for_a_whole_one(disk):
    """An object in two packs is read from the one that is sound."""
    one, other = disk.open(), disk.open()
    made = build_execution(5)
    for store in (one, other):
        _put_all(store, made)
        put_value(store, id(store))
    (first,), _ = _finish(one), _finish(other)
    path = disk.path / pack_name(first)
    content = bytearray(path.read_bytes())
    content[20:80] = bytes(60)
    path.write_bytes(content)
    store = disk.open()
    for oid, data, kind in made.objects:
        assert store.get(oid) == data
        assert kind == Kind.BLOB or store.get_node(oid) == decode_node(data)


@pytest.mark.parametrize("suffix", [".pack", ".idx"])
@pytest.mark.parametrize("content", [None, b"", b"junk"])
def test_a_damaged_pack_never_stops_a_store(disk, suffix, content):
    """Whichever file of a pack is cut, replaced or gone, the store opens, and what is lost is missing."""
    store = disk.open()
    made = build_execution(5)
    _put_all(store, made)
    (name,) = _finish(store)
    path = disk.path / (pack_name(name) if suffix == ".pack" else idx_name(name))
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    disk.now_us += 10**15
    heard = []
    store = disk.open(on_warning=heard.append)
    assert heard == store.warnings
    if suffix == ".idx":
        _check_whole(store, made)
        assert len(heard) == 1
        return
    for oid, _, _ in made.objects:
        with pytest.raises(ObjectMissing):
            store.get(oid)
        assert store.find_candidates(oid) == []
    _put_all(store, made)
    _check_whole(store, made)


def test_a_damaged_blob_is_told_and_replaced(disk):
    """A large content whose file is damaged is ObjectCorrupt when it is got whole."""
    store = disk.open()
    content = os.urandom(1_500_000)
    oid = hash_blob(content)
    store.put(oid, content, int(Kind.BLOB))
    (path,) = (disk.path / "objects" / "blob").glob("*/*")
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ObjectCorrupt):
        store.get(oid)
    path.write_bytes(b"cut")
    store.put(oid, content, int(Kind.BLOB))
    assert store.get(oid) == content


def test_a_node_beyond_the_bound_is_refused(disk, monkeypatch):
    """What no reader would agree to decompress is not put."""
    monkeypatch.setattr(objectdb_module, "MAX_NODE_SIZE_BYTES", 2_000_000)
    store = disk.open()
    for size, fits in ((1_500_000, True), (2_500_000, False)):
        oid, data = encode_node(Kind.VALUE, [], b"x" * size)
        if fits:
            store.put(oid, data, int(Kind.VALUE))
            assert store.get(oid) == data
        else:
            with pytest.raises(NodeTooLarge):
                store.put(oid, data, int(Kind.VALUE))


def test_a_full_disk_loses_nothing_that_was_put(disk, monkeypatch):
    """When writing fails the objects stay readable, and are written once there is space."""
    store = disk.open()
    store.flush()
    oids = [put_value(store, number) for number in range(10)]

    def fail(*_arguments):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(journal_module, "_write", fail)
    with pytest.raises(OSError, match="no space"):
        store.flush()
    oids.append(put_value(store, "later"))
    monkeypatch.undo()
    assert all(store.get(oid) for oid in oids)
    store.flush()
    assert all(disk.open().has(oid) for oid in oids)


def test_an_unknown_durability_is_refused(disk):
    """A typing mistake in the settings is not taken for one of the three."""
    with pytest.raises(ValueError, match="off, commit, job"):
        disk.open(durability="always")


def test_objects_may_be_found_from_threads_while_the_journal_is_sealed(disk, monkeypatch):
    """No object is missing at any moment to a thread that reads while another puts, seals and merges."""
    monkeypatch.setattr(own_journal, "SEAL_RECORDS", 50)
    store = disk.open()
    known, lost, done = [], [], threading.Event()

    def read():
        while not done.is_set():
            for oid in known[-200:]:
                try:
                    store.get(oid)
                except (ObjectMissing, StoreError, OSError) as error:
                    lost.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(2_000):
        known.append(put_value(store, number))
        if number % 500 == 499:
            _finish(store)
            consolidate(store)
    done.set()
    thread.join()
    assert not lost, lost[:3]
    assert len(store.packs.readers) < 12


def test_absent_objects_are_missing(disk):
    """An empty store that does not even have a folder has nothing, and says so."""
    store = disk.open()
    with pytest.raises(ObjectMissing):
        store.get(Oid(bytes(32)))
    assert list(store.iter_oids()) == []
    assert store.seal() == []
    assert not disk.path.exists()
