"""Parts of packs in batches: whatever was written is whole, and no batch is larger than its limit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.objects.links import walk
from redun.remotes.postorder import iter_batches
from redun.remotes.wanted import UNSEEN, WANTED
from redun.store.memory_storage import MemoryStorage
from redun.store.objectdb import ObjectDb
from redun.store.pack import PackReader, write_pack
from redun.testing.objects import build_execution

MADE = build_execution(n_jobs=15, blobs=[b"one", b"two"])


@pytest.fixture(scope="module", params=[1, 3])
def readers(request):
    """Packs that hold an execution together, each linking into the others."""
    place = MemoryStorage()
    names = []
    for part in range(request.param):
        objects = [one for at, one in enumerate(MADE.objects) if at % request.param == part]
        rows = sorted(((oid, kind, data) for oid, data, kind in objects), key=lambda row: row[1])
        names.append(write_pack(rows, place).name)
    return [PackReader(name, place) for name in names]


@given(limit=st.integers(1, 120))
def test_what_was_written_is_whole_after_each_batch(readers, limit):
    """Each object comes once, after all that it links to."""
    flags = [bytearray([WANTED]) * len(reader) for reader in readers]
    there, came = MemoryStorage(), []
    for batch in iter_batches(readers, flags, limit):
        objects = list(batch)
        assert len(objects) <= limit
        write_pack(objects, there)
        came += [oid for oid, _, _ in objects]
        store = ObjectDb(there, journals=None)
        assert {one.oid for one in walk(came, store.find_kind_and_data)} == set(came)
    assert sorted(came) == sorted(MADE.oids)


def test_what_is_not_wanted_stays(readers):
    """Links to objects that are here already lead out of all batches."""
    leaves = [oid for oid, data, kind in MADE.objects if kind == 0]
    flags = [
        bytearray(UNSEEN if reader.idx.oid_at(at) in leaves else WANTED for at in range(len(reader)))
        for reader in readers
    ]
    came = [oid for batch in iter_batches(readers, flags, 10) for oid, _, _ in batch]
    assert sorted(came) == sorted(MADE.oids - set(leaves))
    assert list(iter_batches(readers, flags, 10)) == []
