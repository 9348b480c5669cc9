"""Journal: what was flushed is wholly there or wholly absent, whatever the disk does."""

from __future__ import annotations

import errno
import os
import struct
import threading
import zlib

import pytest

from redun.hashing import hash_blob
from redun.objects.codec import encode_node
from redun.objects.kinds import Kind
from redun.store import journal as journal_module
from redun.store.base import ObjectCorrupt
from redun.store.journal import FLUSH_SIZE_BYTES, HEADER, MAGIC, Journal, UnknownKind, encode_record
from redun.store.journal_reader import JournalReader
from redun.store.liveness import JournalHeader

HEADER_RECORD = JournalHeader("20250615T150640Z-host-7-01020304", "host", 7, "99", "pid:[1]", 1_750_000_000_000_000)


def _objects(count=20):
    """(oid, kind, bytes) of values and blobs in turn."""
    made = []
    for number in range(count):
        content = b"content %d" % number
        if number % 3:
            made.append((*encode_node(Kind.VALUE, [hash_blob(content)], [number]), int(Kind.VALUE)))
        else:
            made.append((hash_blob(content), content, int(Kind.BLOB)))
    return [(oid, kind, data) for oid, data, kind in made]


def _append_all(journal, objects):
    for oid, kind, data in objects:
        journal.append(data, kind, oid)


def _read(path):
    """What another process takes from a journal."""
    reader = JournalReader(path)
    return [(oid, kind, reader.get(oid)) for oid, kind in reader.refresh()]


@pytest.fixture
def journal(tmp_path):
    return Journal.create(tmp_path, header=HEADER_RECORD)


def test_a_journal_is_laid_out_as_specified(journal):
    """Magic, then records of type, length, checksum and payload, the header first: docs/format/journal.md."""
    oid, data = encode_node(Kind.VALUE, [], [1])
    journal.append(data, int(Kind.VALUE), oid)
    journal.append(b"blob", int(Kind.BLOB), hash_blob(b"blob"))
    journal.flush()
    expected = b"redun-journal 1\n"
    for type_, payload in ((0, HEADER_RECORD.encode()), (1, data), (2, b"blob")):
        expected += struct.pack("<BII", type_, len(payload), zlib.crc32(bytes([type_]) + payload)) + payload
    assert journal.path.read_bytes() == expected
    assert journal.size == len(expected)
    assert journal.path.name == "20250615T150640Z-host-7-01020304.journal"


def test_what_is_appended_is_got_before_and_after_flushing(journal):
    """An object is found from the moment it is appended."""
    objects = _objects()
    _append_all(journal, objects)
    for flush in (False, True):
        if flush:
            journal.flush()
        for oid, kind, data in objects:
            assert journal.get(oid) == data
            assert journal.index.kind_of(oid) == kind
    assert journal.get(hash_blob(b"absent")) is None


def test_appending_twice_is_appending_once(journal):
    """The second record of a name is not written."""
    _append_all(journal, _objects(5) + _objects(5))
    journal.flush()
    assert _read(journal.path) == _objects(5)


def test_nothing_reaches_the_disk_before_it_is_flushed(journal):
    """Records are buffered, and written out at once when they pass 256 KiB."""
    journal.append(b"small", 0, hash_blob(b"small"))
    assert _read(journal.path) == []
    large = b"x" * FLUSH_SIZE_BYTES
    journal.append(large, 0, hash_blob(large))
    assert len(_read(journal.path)) == 2


def test_objects_come_grouped_by_kind_for_sealing(journal):
    """By kind, and within a kind in order of putting, also beyond the window that is read at once."""
    objects = _objects(30)
    large = bytes(2_500_000)
    objects.insert(7, (hash_blob(large), int(Kind.BLOB), large))
    _append_all(journal, objects)
    journal.flush()
    assert list(journal.iter_objects()) == sorted(objects, key=lambda row: row[1])


def test_a_journal_cut_at_any_byte_keeps_exactly_the_whole_records(tmp_path, journal):
    """Whatever the last byte on the disk, a reader gets the records that are whole, and no others."""
    objects = _objects(8)
    ends = []
    for row in objects:
        _append_all(journal, [row])
        ends.append(journal.size)
    journal.flush()
    content = journal.path.read_bytes()
    cut_path = tmp_path / "cut.journal"
    for length in range(len(content) + 1):
        cut_path.write_bytes(content[:length])
        assert _read(cut_path) == objects[: sum(end <= length for end in ends)], length


def test_a_flipped_byte_ends_the_journal_before_its_record(tmp_path, journal):
    """A record whose checksum does not fit ends what is read; nothing wrong is ever taken."""
    objects = _objects(6)
    starts = []
    for row in objects:
        starts.append(journal.size)
        _append_all(journal, [row])
    journal.flush()
    content = journal.path.read_bytes()
    for at in range(len(content)):
        flipped = bytearray(content)
        flipped[at] ^= 0x41
        path = tmp_path / "flipped.journal"
        path.write_bytes(flipped)
        whole = sum(start <= at for start in starts) - 1
        assert _read(path) == objects[: max(whole, 0)], at


@pytest.mark.parametrize("taken", [0, 1, 7, 40, 200])
def test_a_full_disk_loses_nothing(journal, monkeypatch, taken):
    """A write that fails after some bytes leaves a prefix; once there is space, everything is written once."""
    objects = _objects(12)
    _append_all(journal, objects[:4])
    journal.flush()
    _append_all(journal, objects[4:])
    write = os.pwrite
    room = [taken]

    def fill_up(descriptor, piece, offset):
        if not room[0]:
            raise OSError(errno.ENOSPC, "no space")
        written = write(descriptor, piece[: room[0]], offset)
        room[0] -= written
        return written

    monkeypatch.setattr(journal_module, "_write", fill_up)
    for _ in range(2):
        with pytest.raises(OSError, match="no space"):
            journal.flush()
        room[0] = taken
    assert _read(journal.path) == objects[: len(_read(journal.path))]
    assert len(_read(journal.path)) >= 4
    assert [journal.get(oid) for oid, _, _ in objects] == [data for _, _, data in objects]
    monkeypatch.undo()
    _append_all(journal, _objects(14)[12:])
    journal.flush()
    assert _read(journal.path) == _objects(14)


def test_short_writes_are_completed(journal, monkeypatch):
    """The system may take fewer bytes than it was given."""
    write = os.pwrite
    monkeypatch.setattr(journal_module, "_write", lambda fd, piece, offset: write(fd, piece[:5], offset))
    _append_all(journal, _objects())
    journal.flush()
    assert _read(journal.path) == _objects()


def test_a_really_full_disk(tmp_path):
    """On a file system of 1 MiB the journal fills up, and goes on once there is space."""
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=1m tmpfs {tmp_path} 2>/dev/null") != 0:
        pytest.skip("needs root and the right to mount")
    try:
        ballast = tmp_path / "ballast"
        ballast.write_bytes(bytes(700_000))
        journal = Journal.create(tmp_path, header=HEADER_RECORD)
        contents = [os.urandom(50_000) for _ in range(12)]
        failures = []
        for content in contents:
            try:
                journal.append(content, 0, hash_blob(content))
            except OSError as error:
                failures.append(error.errno)
        assert set(failures) == {errno.ENOSPC}
        ballast.unlink()
        journal.flush()
        assert [data for _, _, data in _read(journal.path)] == contents
        journal.close()
    finally:
        os.system(f"umount -l {tmp_path}")


def test_a_damaged_record_is_told_and_does_not_keep_the_others_from_sealing(journal):
    """Reading it back raises ObjectCorrupt; going through all passes it over."""
    objects = _objects(5)
    _append_all(journal, objects)
    journal.flush()
    victim = objects[2][0]
    with journal.path.open("r+b") as stream:
        stream.seek(journal.index.offset_of(victim) + 12)
        stream.write(b"\xff")
    with pytest.raises(ObjectCorrupt) as caught:
        journal.get(victim)
    assert caught.value.oid == victim
    assert sorted(row for row in journal.iter_objects()) == sorted(row for row in objects if row[0] != victim)


def test_a_kind_without_room_in_the_format_is_refused(journal):
    """A kind beyond those of the format could never be sealed."""
    for kind in (-1, 14, 300):
        with pytest.raises(UnknownKind):
            journal.append(b"x", kind, hash_blob(b"x"))
    assert journal.get(hash_blob(b"x")) is None


@pytest.mark.parametrize(("durability", "count"), [("off", 0), ("commit", 0), ("job", 2)])
def test_only_job_durability_forces_each_flush_to_the_disk(tmp_path, monkeypatch, durability, count):
    """Fsync is called at each flush that wrote something under ``job``, and never otherwise."""
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    journal = Journal.create(tmp_path, durability=durability)
    for row in _objects(2):
        _append_all(journal, [row])
        journal.flush()
        journal.flush()
    assert len(synced) == count


def test_a_journal_that_was_taken_away_is_put_back(journal):
    """When another process took this one for dead and removed its journal, touching it restores the file."""
    _append_all(journal, _objects(6))
    journal.flush()
    journal.path.unlink()
    journal.touch()
    _append_all(journal, _objects(9))
    journal.flush()
    assert _read(journal.path) == _objects(9)
    assert journal.get(_objects()[0][0]) == _objects()[0][2]


def test_touching_shows_that_the_writer_lives(journal):
    """The file's time of change moves."""
    os.utime(journal.path, (1, 1))
    journal.touch()
    assert journal.path.stat().st_mtime > 1_000_000


def test_a_new_journal_of_the_same_writer_replaces_the_old_at_once(journal, tmp_path):
    """The next journal of a writer takes the name, and says which packs came before."""
    _append_all(journal, _objects(3))
    journal.flush()
    packs = [hash_blob(b"one"), hash_blob(b"two")]
    following = Journal.create(tmp_path, header=journal.header, packs=packs)
    reader = JournalReader(following.path)
    assert reader.refresh() == []
    assert reader.packs == packs
    assert os.listdir(tmp_path) == [journal.path.name]
    assert journal.get(_objects()[1][0]) == _objects()[1][2]  # readers of the old one are not disturbed


def test_closing_flushes_and_dropping_does_not(tmp_path):
    """``close`` writes what is buffered; a journal that is only let go of loses it, as a killed process does."""
    closed, dropped = Journal.create(tmp_path), Journal.create(tmp_path)
    for journal in (closed, dropped):
        _append_all(journal, _objects(3))
    closed.close()
    closed.close()
    path = dropped.path
    del dropped, journal
    assert _read(closed.path) == _objects(3)
    assert _read(path) == []


def test_readers_in_other_threads_see_every_object_while_it_is_flushed(journal):
    """An object is never missing between the buffer and the disk."""
    objects = _objects(4000)
    done = threading.Event()
    missing = []

    def read():
        while not done.is_set():
            missing.extend(oid for oid in journal.index.copy() if journal.get(oid) is None)

    thread = threading.Thread(target=read)
    thread.start()
    for number, row in enumerate(objects):
        _append_all(journal, [row])
        if number % 50 == 0:
            journal.flush()
    done.set()
    thread.join()
    assert not missing


def test_a_record_is_encoded_as_it_is_read():
    """``encode_record`` and ``decode_record`` are inverse."""
    record = encode_record(HEADER, b"payload")
    assert journal_module.decode_record(MAGIC + record, len(MAGIC)) == (HEADER, b"payload", len(MAGIC + record))
