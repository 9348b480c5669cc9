"""Single objects out of packs at a remote: the right bytes, in two round trips, or a damage that is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from redun.hashing import Oid
from redun.remotes.push import push
from redun.remotes.ranges import read_objects
from redun.remotes.reach import RemoteDamaged
from redun.remotes.remote import Remote
from redun.store.memory_storage import MemoryStorage
from redun.store.repository import Repository
from redun.testing.objects import make_execution
from redun.testing.probed import ProbedStorage


@pytest.fixture
def place(tmp_path: Path) -> ProbedStorage:
    """A remote with two packs."""
    place = ProbedStorage(MemoryStorage("bucket"))
    with Repository.init(tmp_path / ".redun") as repository:
        for seed in range(2):
            make_execution(repository.store, repository.refs, 2_000, seed=seed, blobs=[b"content %d" % seed])
            push(repository, Remote("origin", place))
    return place


def _wanted(remote: Remote, step: int) -> dict[Oid, list[int]]:
    return {pack: list(range(0, idx.count, step)) for pack, idx in remote.packs.items()}


def _load(place: ProbedStorage) -> Remote:
    remote = Remote("origin", place)
    remote.load_packs()
    place.forget()
    return remote


@pytest.mark.parametrize("step", [1, 7, 5_000])
def test_objects_come_as_they_are(place: ProbedStorage, step: int) -> None:
    """Each by its name, with its kind; two requests a pack when its blocks lie close together."""
    remote = _load(place)
    wanted = _wanted(remote, step)
    found = {oid: kind for oid, kind, _ in read_objects(remote, wanted)}
    expected = {
        remote.packs[pack].oid_at(at): remote.packs[pack].kind_at(at) for pack, many in wanted.items() for at in many
    }
    assert found == expected
    assert len(place.calls) == 4


def test_nothing_wanted_costs_nothing(place: ProbedStorage) -> None:
    """A pack of which nothing is wanted is not asked."""
    remote = _load(place)
    assert list(read_objects(remote, {pack: [] for pack in remote.packs})) == []
    assert place.calls == []


def test_blocks_far_apart_are_ranges_of_their_own(place: ProbedStorage, monkeypatch) -> None:
    """What lies between them is not moved."""
    monkeypatch.setattr("redun.remotes.ranges.MERGE_GAP_BYTES", -1)
    remote = _load(place)
    wanted = {pack: [0, idx.count - 1] for pack, idx in remote.packs.items()}
    assert len(list(read_objects(remote, wanted))) == 4
    assert len(place.calls) == 2 + 4


@pytest.mark.parametrize("at", ["first", "directory", "cut"])
def test_a_damaged_pack_is_told(place: ProbedStorage, at: str) -> None:
    """Whichever byte it is: nothing that does not hash to its name is returned."""
    remote = _load(place)
    pack, idx = next(iter(remote.packs.items()))
    name = f"objects/pack/{pack.hex()}.pack"
    content = bytearray(place.inner.read(name))
    place_of = {"first": 20, "directory": idx.directory_offset + 3, "cut": len(content) // 2}[at]
    content[place_of] ^= 0xFF
    place.inner.write(name, bytes(content[:place_of]) if at == "cut" else bytes(content))
    with pytest.raises(RemoteDamaged):
        list(read_objects(remote, _wanted(remote, 1)))
