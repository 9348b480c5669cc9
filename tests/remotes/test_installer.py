"""Fetching much: a little is held at a time, what has come stays, and each write leaves the store whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from redun.objects.links import walk
from redun.remotes.fetch import fetch
from redun.remotes.installer import Installer
from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.remotes.reach import RemoteUnreachable
from redun.remotes.remote import Remote
from redun.store.local_storage import LocalStorage
from redun.store.maintain.fsck import check_repository
from redun.store.memory_storage import MemoryStorage
from redun.store.pack import write_pack
from redun.store.refs import Refs
from redun.store.repository import Repository
from redun.store.storage import Storage
from redun.testing.objects import MadeFile, build_execution, execution_id, made_ref, make_execution
from redun.testing.probed import Crash, ProbedStorage

N_EXECUTIONS = 12
N_JOBS = 10
LIMIT = 100
LARGE = b"large " * 200_000


class Failing(ProbedStorage):
    """A place that is out of reach once so many packs were opened."""

    def __init__(self, inner: Storage, n_packs: int) -> None:
        super().__init__(inner)
        self.n_packs = n_packs

    def open(self, name: str):
        if name.endswith(".pack"):
            if not self.n_packs:
                raise OSError("the line is down")
            self.n_packs -= 1
        return super().open(name)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Repository]:
    """A repository with some executions."""
    with Repository.init(tmp_path / "source" / ".redun") as opened:
        for seed in range(N_EXECUTIONS):
            files = [MadeFile("data.bin", LARGE)] if seed in {3, 9} else []
            make_execution(opened.store, opened.refs, N_JOBS, seed=seed, files=files)
        yield opened


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Repository]:
    """Where they go."""
    with Repository.init(tmp_path / "target" / ".redun") as opened:
        yield opened


@pytest.fixture
def bucket(source: Repository) -> Storage:
    """A remote with packs of about two executions each, which are brought here first."""
    place = MemoryStorage()
    push(source, Remote("origin", place), batch_objects=LIMIT)
    return place


@pytest.fixture(params=["local", "memory"])
def there(request: pytest.FixtureRequest, tmp_path: Path, bucket: Storage) -> Storage:
    """That remote, and one whose packs are read in place."""
    if request.param == "memory":
        return bucket
    place = LocalStorage(tmp_path / "remote")
    for entry in bucket.iter_entries(""):
        place.write(entry.name, bucket.read(entry.name))
    return place


def _packs(place: Storage) -> set[str]:
    return {entry.name for entry in place.iter_entries("objects/pack") if entry.name.endswith(".pack")}


def _check_whole(repository: Repository) -> None:
    """Check that no hard link of anything in the store leads nowhere."""
    repository.store.refresh(force=True)
    for _ in walk([oid for oid, _ in repository.store.iter_oids()], repository.store.find_kind_and_data):
        pass


def test_batches_bring_what_one_does(source: Repository, target: Repository, there: Storage, tmp_path: Path) -> None:
    """Counts are the same, and packs are taken over byte for byte, whatever is found at a time."""
    with Repository.init(tmp_path / "other" / ".redun") as other:
        at_once = pull(other, Remote("origin", there))
        report = pull(target, Remote("origin", there), batch_objects=LIMIT)
        assert (report.executions, report.objects, report.transferred_bytes) == (
            at_once.executions,
            at_once.objects,
            at_once.transferred_bytes,
        )
        assert _packs(target.storage) == _packs(other.storage) == _packs(there)
    assert report.executions == N_EXECUTIONS
    assert set(target.refs.iter_names()) == set(source.refs.iter_names())
    assert check_repository(target).is_clean


def test_a_few_packs_are_held_at_a_time(target: Repository, there: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is marked and staged does not follow how much there is to bring."""
    held, staged = [], []
    original = Installer.install_ready

    def noting(self, wanted):
        held.append(sum(len(marks.flags) for marks in wanted.packs.values()))
        staged.append(len(list(target.cache_path.glob("fetch-*/objects/pack/*.pack"))))
        original(self, wanted)

    monkeypatch.setattr(Installer, "install_ready", noting)
    report = fetch(target, Remote("origin", there), batch_objects=LIMIT)
    assert len(held) > 3
    assert max(held) < 5 * LIMIT < report.objects
    assert max(staged) <= 3


def test_a_fetch_that_is_cut_off_keeps_what_has_come(target: Repository, bucket: Storage) -> None:
    """Refs of whole executions are written on the way, and what is here is not brought again."""
    n_packs = len(_packs(bucket))
    with pytest.raises(RemoteUnreachable, match="the line is down"):
        fetch(target, Remote("origin", Failing(bucket, 3)), batch_objects=LIMIT)
    kept = set(target.refs.iter_names(remote="origin"))
    assert 2 <= len(kept) < N_EXECUTIONS
    for name in kept:
        ref = target.refs.read(name, remote="origin")
        assert ref.object is not None
        assert list(walk([ref.object], target.store.find_kind_and_data))
    assert check_repository(target).is_clean
    report = pull(target, Remote("origin", Failing(bucket, n_packs - len(_packs(target.storage)))))
    assert report.executions == N_EXECUTIONS
    assert _packs(target.storage) == _packs(bucket)


def test_much_of_one_pack_comes_as_several(source: Repository, target: Repository) -> None:
    """A pack that is not wanted whole is written anew, in packs that memory can hold."""
    there = MemoryStorage()
    push(source, Remote("origin", there))
    wanted = [execution_id(seed) for seed in range(0, N_EXECUTIONS, 2)]
    report = fetch(target, Remote("origin", there), wanted, batch_objects=LIMIT)
    sizes = [len(reader) for reader in target.store.packs.readers]
    assert report.executions == len(wanted)
    assert report.objects == sum(sizes)
    assert max(sizes) <= LIMIT
    assert len(sizes) >= 3
    assert check_repository(target).is_clean


def test_parts_that_are_cut_off_dangle_nowhere(source: Repository, tmp_path: Path) -> None:
    """At whatever write it dies, whatever is in the store is whole, and the next fetch brings the rest."""
    there = MemoryStorage()
    push(source, Remote("origin", there))
    wanted = [execution_id(seed) for seed in range(3, 8)]
    for number in range(0, 100, 3):
        with Repository.init(tmp_path / f"target{number}" / ".redun") as target:
            probed = ProbedStorage(target.storage)
            probed.crash_at_write = number
            target.storage, target.refs = probed, Refs(probed)
            try:
                fetch(target, Remote("origin", there), wanted, batch_objects=LIMIT)
            except Crash:
                _check_whole(target)
            else:
                assert number > 10
                return
            probed.crash_at_write = None
            fetch(target, Remote("origin", there), wanted, batch_objects=LIMIT)
            _check_whole(target)
            assert len(list(target.refs.iter_names(remote="origin"))) == len(wanted)
    pytest.fail("a fetch that is not cut off was never reached")


def test_what_two_packs_hold_is_counted_once(target: Repository) -> None:
    """Two who push at the same time may both send what they share; their packs are taken over as they are."""
    there = MemoryStorage()
    remote = Remote("origin", there)
    remote.look_or_create()
    remote.make()
    made = [build_execution(N_JOBS, seed=seed) for seed in range(2)]
    for one in made:
        rows = sorted(((oid, kind, data) for oid, data, kind in one.objects), key=lambda row: row[1])
        write_pack(rows, there)
        Refs(there).write(made_ref(one))
    assert made[0].oids & made[1].oids
    report = fetch(target, Remote("origin", there))
    assert report.objects == len(made[0].oids | made[1].oids)
    assert _packs(target.storage) == _packs(there)
