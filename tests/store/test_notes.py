"""Lists of absent and of forgotten objects: what they say together, and what is not understood."""

from __future__ import annotations

from redun.hashing import hash_blob
from redun.objects.kinds import Kind
from redun.store.absent import Absence, Cause, parse_absence, write_absent
from redun.store.base import Candidate
from redun.store.forgotten import Forgotten, parse_forgotten, write_forgotten
from redun.store.lists import is_list_name, write_list
from redun.store.memory_storage import MemoryStorage
from redun.store.notes import Notes, is_note

ONE, TWO = hash_blob(b"one"), hash_blob(b"two")
NOON_US = 1_750_000_000_000_000
KIND = int(Kind.VALUE)


def _notes(storage):
    warnings = []
    notes = Notes(storage, warnings.append)
    notes.update([entry.name for entry in storage.iter_entries("objects/pack") if is_note(entry.name)])
    return notes, warnings


def test_the_bytes_of_a_list_are_those_of_the_format():
    """Version line, then a line for each object, ascending; the name tells the time."""
    storage = MemoryStorage()
    absences = [Absence(oid, KIND, Cause.PURGED, NOON_US) for oid in (TWO, ONE)]
    name = write_absent(storage, absences, NOON_US)
    rows = sorted(f"purged {oid.hex()} 5 {NOON_US}\n" for oid in (ONE, TWO))
    assert storage.read(name) == ("redun-absent 1\n" + "".join(rows)).encode()
    assert name.startswith("objects/pack/20250615T150640.000000Z-")
    assert is_list_name(name, ".absent")
    name = write_forgotten(storage, Forgotten({ONE: 5}, {TWO: 6}), NOON_US)
    assert storage.read(name) == f"redun-forgotten 1\neval {ONE.hex()} 5\ntask {TWO.hex()} 6\n".encode()


def test_the_latest_word_on_an_object_holds():
    """Of two of one time, that it was purged: whatever comes first."""
    storage = MemoryStorage()
    words = [(Cause.PURGED, 10), (Cause.WITHHELD, 20), (Cause.WITHHELD, 5)]
    for cause, time_us in words:
        write_absent(storage, [Absence(ONE, KIND, cause, time_us)], NOON_US)
    assert _notes(storage)[0].absent == {ONE: Absence(ONE, KIND, Cause.WITHHELD, 20)}
    write_absent(storage, [Absence(ONE, KIND, Cause.PURGED, 20)], NOON_US)
    assert _notes(storage)[0].absent[ONE].cause is Cause.PURGED


def test_what_is_not_understood_is_told_and_passed_over():
    """Another version, bytes that are no text, and lines of another form; what is understood holds."""
    storage = MemoryStorage()
    write_list(storage, ".absent", ["redun-absent 2", f"purged {ONE.hex()} 5 1"], NOON_US)
    write_list(storage, ".forgotten", ["redun-forgotten 1", f"eval {ONE.hex()} 7", "eval x 1", "job y 2"], NOON_US)
    storage.write("objects/pack/20250615T150640.000000Z-00000000.absent", b"\xff\xfe")
    notes, warnings = _notes(storage)
    assert notes.absent == {}
    assert notes.forgotten == Forgotten({ONE: 7}, {})
    assert (len(notes.strange), len(warnings)) == (3, 4)


def test_only_what_nothing_is_judged_by_can_be_absent():
    """A line for a call, a handle or an unknown kind says nothing; nor does one with a time that no clock shows."""
    oid = ONE.hex()
    assert parse_absence(f"purged {oid} 5 {NOON_US}") is not None
    for line in (f"purged {oid} 10 5", f"purged {oid} 2 5", f"withheld {oid} 99 5", f"lost {oid} 5 5"):
        assert parse_absence(line) is None
    for line in (f"purged {oid} 5 -1", f"purged {oid} 5 {10**30}", "purged 12 5 5", "", f"purged {oid} 5 5 5"):
        assert parse_absence(line) is None


def test_forgotten_outcomes_are_those_recorded_by_then():
    """A later one counts; a forgotten task shows as one that was contested then."""
    forgotten, strange = parse_forgotten([f"eval {ONE.hex()} 10", f"eval {ONE.hex()} 8", f"task {TWO.hex()} 9"])
    assert strange == []
    found = [Candidate(11, TWO), Candidate(10, TWO)]
    assert forgotten.filter(ONE, found) == [Candidate(11, TWO)]
    assert forgotten.filter(TWO, []) == [Candidate(9, TWO)]
    assert forgotten.filter(hash_blob(b"three"), found) == found


def test_lists_are_found_among_the_packs_and_nothing_else_is():
    """Names of another form are no lists."""
    assert is_note("objects/pack/20250615T150640.000000Z-0123abcd.absent")
    assert not is_note("objects/pack/20250615T150640.000000Z-0123abcd.condemned")
    assert not is_note("objects/pack/../20250615T150640.000000Z-0123abcd.absent")
    assert not is_note("objects/pack/x.absent")


def test_an_absent_object_is_found_by_its_first_digits():
    """As objects that are here are."""
    storage = MemoryStorage()
    write_absent(storage, [Absence(ONE, KIND, Cause.PURGED, 1)], NOON_US)
    notes = _notes(storage)[0]
    assert [one.oid for one in notes.find_absences(ONE.hex()[:6])] == [ONE]
    assert notes.find_absences(TWO.hex()[:6]) == []
