"""JournalReader: taking from a journal that another process is writing, or has left."""

from __future__ import annotations

import pytest

from redun.hashing import hash_blob, hash_node
from redun.objects.codec import encode_node
from redun.objects.kinds import Kind
from redun.store.journal import BLOB, HEADER, MAGIC, NODE, PACK, Journal, encode_record
from redun.store.journal_reader import JournalReader


def _value(number, size=10):
    return *encode_node(Kind.VALUE, [], [number, b"x" * size]), int(Kind.VALUE)


def _append(journal, *numbers, size=10):
    for number in numbers:
        oid, data, kind = _value(number, size)
        journal.append(data, kind, oid)
    journal.flush()


def _oids(*numbers, size=10):
    return [(_value(number, size)[0], Kind.VALUE) for number in numbers]


@pytest.fixture
def journal(tmp_path):
    return Journal.create(tmp_path)


def test_each_call_takes_what_is_new(journal):
    """Refreshing returns the objects written since the last time, in order."""
    reader = JournalReader(journal.path)
    _append(journal, 1, 2)
    assert reader.refresh() == _oids(1, 2)
    assert reader.refresh() == []
    _append(journal, 3)
    assert reader.refresh() == _oids(3)
    assert reader.header == journal.header
    assert reader.end == journal.size


def test_records_larger_than_a_window_are_taken(journal):
    """Records around and beyond the 1 MiB that is read at once come whole."""
    sizes = [1_048_000, 500, 3_000_000, 1_048_576, 20]
    for number, size in enumerate(sizes):
        _append(journal, number, size=size)
    reader = JournalReader(journal.path)
    expected = [_value(number, size) for number, size in enumerate(sizes)]
    assert reader.refresh() == [(oid, kind) for oid, _, kind in expected]
    assert [reader.get(oid) for oid, _, _ in expected] == [data for _, data, _ in expected]


def test_a_torn_tail_is_taken_once_it_is_whole(tmp_path, journal):
    """A record that is being written is passed over, and taken by a later call."""
    _append(journal, 1, 2)
    content = journal.path.read_bytes()
    path = tmp_path / "growing"
    reader = None
    taken = []
    for length in range(0, len(content) + 1, 3):
        path.open("ab").close()
        with path.open("r+b") as stream:
            stream.write(content[:length])
        reader = reader or JournalReader(path)
        taken += reader.refresh()
    path.write_bytes(content)
    assert taken + reader.refresh() == _oids(1, 2)


def test_a_journal_stays_readable_after_it_is_removed(journal):
    """Whoever has indexed a journal can read from it after somebody sealed it."""
    _append(journal, 1)
    reader = JournalReader(journal.path)
    reader.refresh()
    assert not reader.is_replaced
    journal.remove()
    assert reader.is_replaced
    assert reader.get(_oids(1)[0][0]) == _value(1)[1]
    assert list(reader.iter_objects()) == [(_value(1)[0], Kind.VALUE, _value(1)[1])]


def test_names_come_from_the_bytes(tmp_path, journal):
    """A payload is named by its hash: as a blob or as a node, according to its type."""
    payload = _value(7)[1]
    journal.path.write_bytes(
        MAGIC
        + encode_record(HEADER, journal.header.encode())
        + encode_record(NODE, payload)
        + encode_record(BLOB, payload)
        + encode_record(NODE, payload)
    )
    reader = JournalReader(journal.path)
    assert reader.refresh() == [(hash_node(payload), Kind.VALUE), (hash_blob(payload), Kind.BLOB)]


@pytest.mark.parametrize("junk", [b"", b"junk", b"\x93", b"\x93\x05", b"\x93\x05\x91\xc4\x20", b"\x93\x7f\x90\xc0"])
def test_nodes_that_are_none_are_passed_over(journal, junk):
    """A node record that does not begin as canonical bytes of a known kind do is left out; what follows is taken."""
    good = _value(1)[1]
    header = encode_record(HEADER, journal.header.encode())
    journal.path.write_bytes(MAGIC + header + encode_record(NODE, junk) + encode_record(NODE, good))
    assert JournalReader(journal.path).refresh() == _oids(1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        MAGIC[:-1],
        b"redun-journal 2\n" + encode_record(NODE, _value(1)[1]),
        MAGIC + encode_record(NODE, _value(1)[1]),
        MAGIC + encode_record(HEADER, b"junk") + encode_record(NODE, _value(1)[1]),
    ],
)
def test_a_file_without_magic_or_header_gives_nothing(tmp_path, content):
    """What no writer has signed is not taken."""
    path = tmp_path / "x.journal"
    path.write_bytes(content)
    reader = JournalReader(path)
    assert reader.refresh() == []
    assert reader.header is None


def test_records_of_packs_are_told(journal):
    """The packs that the writer sealed before are listed in order; one of another size is passed over."""
    names = [hash_blob(b"one"), hash_blob(b"two")]
    header = encode_record(HEADER, journal.header.encode())
    packs = b"".join(encode_record(PACK, name) for name in (*names, b"short"))
    journal.path.write_bytes(MAGIC + header + packs)
    reader = JournalReader(journal.path)
    assert reader.refresh() == []
    assert reader.packs == names


def test_a_journal_that_is_not_there_is_an_os_error(tmp_path):
    """Opening what somebody removed meanwhile says so."""
    with pytest.raises(FileNotFoundError):
        JournalReader(tmp_path / "absent.journal")


def test_closing_is_idempotent(journal):
    """A reader can be closed more than once."""
    reader = JournalReader(journal.path)
    reader.close()
    reader.close()
    assert reader.end == 0
