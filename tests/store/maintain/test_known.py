"""What fsck knows: marks by ordinal say what a dict of names would say."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from redun.hashing import Oid, hash_blob
from redun.objects.kinds import Kind
from redun.objects.value_records import ValueRecord
from redun.store.idx import Idx
from redun.store.maintain.known import NEEDED, WHOLE, Known
from redun.store.memory_storage import MemoryStorage
from redun.store.pack import write_pack
from redun.store.pack_format import idx_name

VALUES = [ValueRecord("int", "data", number, []).encode() for number in range(12)]
BLOBS = [hash_blob(b"%d" % number) for number in range(4)]
OBJECTS = [*((oid, int(Kind.BLOB)) for oid in BLOBS), *((oid, int(Kind.VALUE)) for oid, _ in VALUES)]
CONTENTS = {**{oid: b"%d" % number for number, oid in enumerate(BLOBS)}, **dict(VALUES)}


def make_idx(oids: set[Oid]) -> Idx:
    """Return the idx of a pack of some objects."""
    storage = MemoryStorage()
    rows = [(oid, kind, CONTENTS[oid]) for oid, kind in OBJECTS if oid in oids]
    name = write_pack(rows, storage).name
    return Idx(storage.read(idx_name(name)), "idx", name)


chosen = st.sets(st.sampled_from([oid for oid, _ in OBJECTS]))


@settings(max_examples=80)
@given(packs=st.lists(st.tuples(chosen.filter(bool), chosen), max_size=4), loose=chosen, needed=st.lists(chosen))
def test_marks_say_what_a_dict_would_say(packs, loose, needed) -> None:
    """Kinds, counts of distinct objects, and what is missing."""
    known, model = Known(), {}
    marks = [known.add_pack(make_idx(oids)) for oids, _ in packs]
    for one, (_, whole) in zip(marks, packs):
        for oid in whole:
            ordinal = one.idx.find(oid)
            if ordinal is not None:
                one.marks[ordinal] |= WHOLE
                model[oid] = one.idx.kind_at(ordinal)
    for oid, kind in OBJECTS:
        if oid in loose:
            known.loose[oid] = model[oid] = kind
    for oids in needed:
        for oid in oids:
            known.need(oid)
    assert {oid: known.kind_of(oid) for oid, _ in OBJECTS} == {oid: model.get(oid) for oid, _ in OBJECTS}
    counts: dict[int, int] = {}
    for kind in model.values():
        counts[kind] = counts.get(kind, 0) + 1
    assert known.count_kinds() == counts
    assert known.find_missing() == set().union(*needed) - model.keys()


def test_what_was_needed_of_a_pack_that_is_dropped_is_needed_still() -> None:
    """It is looked for in the pack that comes in its place, and missing where there is none."""
    known, first, second = Known(), VALUES[0][0], VALUES[1][0]
    marks = known.add_pack(make_idx({first, second}))
    known.need(first)
    marks.marks[marks.idx.find(second)] |= WHOLE | NEEDED
    known.drop_pack(marks)
    assert known.find_missing() == {first, second}
    known.add_pack(make_idx({first, second})).set_all_whole()
    assert known.find_missing() == set()


def test_what_is_needed_over_and_over_is_remembered_for_a_while(monkeypatch) -> None:
    """Forgetting it loses nothing."""
    monkeypatch.setattr("redun.store.maintain.known._MAX_RECENT", 2)
    known = Known()
    for oid, _ in OBJECTS * 2:
        known.need(oid)
    assert known.find_missing() == {oid for oid, _ in OBJECTS}


def test_promised_contents_are_not_missing() -> None:
    """A remote has them."""
    known = Known(promised={BLOBS[0]})
    known.need(BLOBS[0])
    known.need(BLOBS[1])
    assert known.find_missing() == {BLOBS[1]}
    assert known.kind_of(BLOBS[0]) == Kind.BLOB
