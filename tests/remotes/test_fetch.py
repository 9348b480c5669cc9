"""Fetch: what is missing and no more, checked before it is written, whole after every single write."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.hashing import Buffer, hash_blob
from redun.objects.links import walk
from redun.remotes.fetch import fetch
from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.remotes.reach import NotARemote, RemoteDamaged
from redun.remotes.remote import Remote
from redun.remotes.transfer import TransferReport
from redun.store.base import ReadOnlyStore
from redun.store.blobs import blob_name
from redun.store.fsspec_storage import FsspecStorage
from redun.store.local_storage import LocalStorage
from redun.store.maintain.fsck import check_repository
from redun.store.maintain.repack import consolidate
from redun.store.memory_storage import MemoryStorage
from redun.store.ref_texts import RefStatus
from redun.store.refs import Refs
from redun.store.repository import Repository
from redun.store.storage import Storage
from redun.testing.objects import MadeExecution, MadeFile, build_execution, execution_id, made_ref, make_execution
from redun.testing.probed import Crash, ProbedStorage

LARGE = b"large " * 200_000


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Repository]:
    """Where things are made."""
    with Repository.init(tmp_path / "source" / ".redun") as opened:
        yield opened


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Repository]:
    """Where they are fetched to."""
    with Repository.init(tmp_path / "target" / ".redun") as opened:
        yield opened


def _fetch(target: Repository, there: Storage, *prefixes: str, **options: object) -> TransferReport:
    return fetch(target, Remote("origin", there), prefixes or None, **options)


def _check_sound(repository: Repository) -> None:
    """Check that nothing is damaged and no hard link leads nowhere, whatever refs say."""
    report = check_repository(repository)
    assert report.is_clean, report.problems


def _check_has(repository: Repository, made: MadeExecution) -> None:
    for oid, data, kind in made.objects:
        assert repository.store.find_kind_and_data(oid) == (kind, data)


@pytest.fixture(params=["local", "memory", "fsspec"])
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """A remote of each sort: read in place, or brought here first."""
    if request.param == "local":
        return LocalStorage(tmp_path / "remote")
    return MemoryStorage() if request.param == "memory" else FsspecStorage(f"memory://{tmp_path}")


def test_a_fetch_brings_whole_executions(source: Repository, target: Repository, there: Storage) -> None:
    """Everything is there and sound, seen under the remote's name, and no execution of this repository yet."""
    made = [
        make_execution(source.store, source.refs, seed=seed, blobs=[LARGE], files=[MadeFile("x", b"y"), *extra])
        for seed, extra in enumerate(([], [MadeFile("gone", b"z", is_kept=False)]))
    ]
    push(source, Remote("origin", there))
    report = _fetch(target, there)
    for one in made:
        _check_has(target, one)
        assert target.refs.read(one.ref.name, remote="origin").object == one.oid
    assert report.objects == len(made[0].oids | made[1].oids)
    assert list(target.refs.iter_names()) == []
    _check_sound(target)
    assert _fetch(target, there).is_up_to_date


def test_a_pack_is_taken_over_byte_for_byte(source: Repository, target: Repository, there: Storage) -> None:
    """What is wanted whole keeps its name, and its idx is the one that the pack gives."""
    make_execution(source.store, source.refs)
    push(source, Remote("origin", there))
    _fetch(target, there)
    packs = {entry.name: there.read(entry.name) for entry in there.iter_entries("objects/pack")}
    assert {
        entry.name: target.storage.read(entry.name) for entry in target.storage.iter_entries("objects/pack")
    } == packs


def test_one_execution_of_a_pack_brings_no_other(source: Repository, target: Repository, there: Storage) -> None:
    """Only what it reaches is written; the rest follows later, and all is whole at each moment."""
    made = [make_execution(source.store, source.refs, seed=seed) for seed in range(3)]
    push(source, Remote("origin", there))
    _fetch(target, there, execution_id(1)[:8].upper())
    _check_sound(target)
    assert {oid for oid, _ in target.store.iter_oids()} == made[1].oids
    assert list(target.refs.iter_names(remote="origin")) == [made[1].ref.name]
    _fetch(target, there)
    _check_sound(target)
    for one in made:
        _check_has(target, one)


def test_a_second_fetch_reads_no_object(source: Repository, target: Repository) -> None:
    """The format and one listing: no ref, no idx and no pack is opened."""
    there = ProbedStorage(MemoryStorage())
    make_execution(source.store, source.refs)
    push(source, Remote("origin", there))
    _fetch(target, there)
    there.forget()
    assert _fetch(target, there).is_up_to_date
    assert there.calls == [("read", "objects/format"), ("list", "refs")]


def test_an_idx_is_read_once_and_kept(source: Repository, target: Repository, tmp_path: Path) -> None:
    """It never changes, so the cache keeps it for ever; a damaged copy in the cache is read again."""
    there = ProbedStorage(MemoryStorage())
    cache = LocalStorage(tmp_path / "cache")
    make_execution(source.store, source.refs, seed=0)
    push(source, Remote("origin", there))
    fetch(target, Remote("origin", there, cache))
    make_execution(source.store, source.refs, seed=1)
    push(source, Remote("origin", there))
    there.forget()
    fetch(target, Remote("origin", there, cache))
    assert len([name for name in there.names("read") if name.endswith(".idx")]) == 1
    (first, _) = cache.iter_entries("")
    cache.write(first.name, b"damaged" + cache.read(first.name)[7:])
    there.forget()
    Remote("origin", there, cache).load_packs()
    assert len([name for name in there.names("read") if name.endswith(".idx")]) == 1


def test_a_fetch_killed_at_any_write_is_finished_by_the_next(source: Repository, tmp_path: Path) -> None:
    """After each possible crash nothing dangles here, and repeating the fetch brings everything."""
    there = MemoryStorage()
    made = []
    for seed in range(3):
        made.append(make_execution(source.store, source.refs, seed=seed, blobs=[LARGE, b"s%d" % seed]))
        push(source, Remote("origin", there))
    for number in range(100):
        with Repository.init(tmp_path / f"target{number}") as target:
            probed = ProbedStorage(target.storage)
            probed.crash_at_write = number
            target.storage, target.refs = probed, Refs(probed)
            try:
                _fetch(target, there)
            except Crash:
                target.store.refresh(force=True)
                for root in [oid for oid, _ in target.store.iter_oids()]:
                    list(walk([root], target.store.find_kind_and_data))
            else:
                assert number == 10  # one content, three packs with their idx, three refs
                return
            probed.crash_at_write = None
            _fetch(target, there)
            for one in made:
                _check_has(target, one)
                assert target.refs.read(one.ref.name, remote="origin").object == one.oid
    pytest.fail("a fetch that is not cut off was never reached")


@pytest.mark.parametrize("suffix", [".idx", ".pack"])
def test_packs_that_are_merged_meanwhile_are_found_in_the_merged_one(source, target, tmp_path, suffix) -> None:
    """A pack that was listed and is gone when it is read is no damage: what it held is looked for anew."""
    made = [make_execution(source.store, source.refs, seed=seed) for seed in range(3)]

    class Moving(LocalStorage):
        """A folder in which packs are merged just before the first of them is read."""

        def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
            self._move(name)
            return super().read(name, start, length)

        def view(self, name: str) -> Buffer:
            self._move(name)
            return super().view(name)

        def _move(self, name: str) -> None:
            if name.endswith(suffix):
                consolidate(source.store)

    pull(target, Remote("origin", Moving(source.storage.path)))
    for each in made:
        _check_has(target, each)


def test_packs_that_link_to_each_other_come_at_once(source: Repository, target: Repository) -> None:
    """Neither could come first without a link that leads nowhere, so one new pack takes both."""
    from redun.store.pack import write_pack

    made = build_execution(n_jobs=20)
    there = MemoryStorage()
    remote = Remote("origin", there)
    remote.look_or_create()
    remote.make()
    for half in (0, 1):
        rows = sorted((kind, at) for at, (_, _, kind) in enumerate(made.objects) if at % 2 == half)
        write_pack(((made.objects[at][0], kind, made.objects[at][1]) for kind, at in rows), there)
    Refs(there).write(made_ref(made))
    _fetch(target, there)
    assert len([entry for entry in target.storage.iter_entries("objects/pack") if entry.name.endswith(".pack")]) == 1
    _check_has(target, made)
    _check_sound(target)


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a remote with two executions."""
    there = MemoryStorage()
    with Repository.init(tmp_path_factory.mktemp("pushed")) as source:
        for seed in (0, 1):
            make_execution(source.store, source.refs, seed=seed)
        push(source, Remote("origin", there))
    return {entry.name: there.read(entry.name) for entry in there.iter_entries("")}


def _corrupt(pushed: dict[str, bytes], suffix: str, place: float, flip: int) -> Storage:
    """Return a copy of the remote with one byte of one file changed."""
    there = MemoryStorage()
    for name, content in pushed.items():
        if name.endswith(suffix):
            at = int(place * len(content))
            there.write(name, content[:at] + bytes([content[at] ^ flip]) + content[at + 1 :])
        else:
            there.write(name, content)
    return there


@settings(max_examples=40)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255), suffix=st.sampled_from([".pack", ".idx"]))
def test_a_wrong_byte_anywhere_is_refused(pushed, tmp_path_factory, place: float, flip: int, suffix: str) -> None:
    """Wherever a pack or an idx was changed, nothing of it is installed, and the error names the remote."""
    path = tmp_path_factory.getbasetemp() / "wrong-byte"
    with Repository.init(path) as target:
        with pytest.raises(RemoteDamaged, match="'origin'"):
            _fetch(target, _corrupt(pushed, suffix, place, flip))
        assert list(target.storage.iter_entries("objects/pack")) == []
        assert list(target.refs.iter_names(remote="origin")) == []


@pytest.mark.parametrize("suffix", [".pack", ".idx"])
def test_a_file_cut_short_or_missing_is_refused(pushed, target: Repository, suffix: str) -> None:
    """A pack without its idx holds nothing yet; an idx without its pack is damage."""
    for keep in (0, 10, -1, None):
        there = MemoryStorage()
        for name, content in pushed.items():
            if not name.endswith(suffix):
                there.write(name, content)
            elif keep is not None:
                there.write(name, content[:keep])
        with pytest.raises(RemoteDamaged):
            _fetch(target, there)
    assert list(target.storage.iter_entries("objects/pack")) == []


def test_a_damaged_content_is_refused(source: Repository, target: Repository, there: Storage) -> None:
    """A large content is hashed while it streams, and the half that came is dropped."""
    make_execution(source.store, source.refs, blobs=[LARGE])
    push(source, Remote("origin", there))
    name = blob_name(hash_blob(LARGE))
    there.write(name, LARGE[:-1] + b"!")
    with pytest.raises(RemoteDamaged, match="does not hash"):
        _fetch(target, there)
    assert list(target.storage.iter_entries("objects/blob")) == []
    assert list(target.refs.iter_names(remote="origin")) == []


def test_a_malformed_ref_is_refused(source: Repository, target: Repository, there: Storage) -> None:
    """It is named, with the remote."""
    made = make_execution(source.store, source.refs)
    push(source, Remote("origin", there))
    there.write(f"refs/executions/{made.ref.name}", b"nonsense")
    with pytest.raises(RemoteDamaged, match=made.ref.name):
        _fetch(target, there)


def test_a_place_without_a_repository_is_refused(target: Repository, there: Storage) -> None:
    """The hint tells how a repository gets there."""
    with pytest.raises(NotARemote, match="no repository") as caught:
        _fetch(target, there)
    assert "redun push" in caught.value.hint


def test_a_remote_that_vanishes_meanwhile_is_told(source: Repository, target: Repository, tmp_path: Path) -> None:
    """Whatever is gone, the error is one of the remote's."""
    make_execution(source.store, source.refs)
    push(source, Remote("origin", LocalStorage(tmp_path / "remote")))
    remote = Remote("origin", LocalStorage(tmp_path / "remote"))
    remote.look()
    shutil.rmtree(tmp_path / "remote/objects/pack")
    with pytest.raises(RemoteDamaged, match=r"'origin'.*lacks object"):
        fetch(target, remote)
    shutil.rmtree(tmp_path / "remote")
    with pytest.raises(NotARemote, match="'origin'"):
        fetch(target, remote)
    assert list(target.storage.iter_entries("objects/pack")) == []


def test_a_read_only_repository_fetches_nothing(source: Repository, tmp_path: Path, there: Storage) -> None:
    """It is told before anything is transferred; a dry run works."""
    make_execution(source.store, source.refs)
    push(source, Remote("origin", there))
    Repository.init(tmp_path / "closed").close()
    with Repository.open(tmp_path / "closed", writable=False) as target:
        with pytest.raises(ReadOnlyStore):
            _fetch(target, there)
        assert _fetch(target, there, is_dry_run=True).executions == 1


def test_an_interrupted_run_is_asked_about_again(source: Repository, target: Repository, there: Storage) -> None:
    """Seen as interrupted, it may have ended after all; seen as done, it is not read again."""
    made = make_execution(source.store, source.refs)
    push(source, Remote("origin", there))
    Refs(there).write(dataclasses.replace(made.ref, status=RefStatus.INTERRUPTED))
    _fetch(target, there)
    assert target.refs.read(made.ref.name, remote="origin").status is RefStatus.INTERRUPTED
    Refs(there).write(made.ref)
    assert _fetch(target, there).executions == 1
    assert target.refs.read(made.ref.name, remote="origin").status is RefStatus.DONE


def test_what_was_lost_here_is_fetched_again(source: Repository, tmp_path: Path, there: Storage) -> None:
    """A ref that was seen counts for nothing when its execution is not in the store."""
    made = make_execution(source.store, source.refs)
    push(source, Remote("origin", there))
    with Repository.init(tmp_path / "target") as target:
        _fetch(target, there)
        for entry in list(target.storage.iter_entries("objects/pack")):
            os.unlink(tmp_path / "target" / entry.name)
    with Repository.open(tmp_path / "target") as target:
        assert _fetch(target, there).executions == 1
        _check_has(target, made)


def test_nothing_of_the_staging_is_left(source: Repository, target: Repository, there: Storage) -> None:
    """Packs that were brought here to be checked do not stay in the cache."""
    make_execution(source.store, source.refs)
    push(source, Remote("origin", there))
    _fetch(target, there)
    assert target.cache_path is not None
    assert list(target.cache_path.glob("fetch-*")) == []


def test_a_pull_makes_executions_our_own(source: Repository, target: Repository, there: Storage) -> None:
    """Their refs name packs that are here; a second pull does nothing."""
    made = make_execution(source.store, source.refs)
    push(source, Remote("origin", there))
    assert pull(target, Remote("origin", there)).executions == 1
    ref = target.refs.read(made.ref.name)
    assert (ref.object, ref.status) == (made.oid, RefStatus.DONE)
    assert ref.packs
    assert all(target.storage.size(f"objects/pack/{pack.hex()}.pack") for pack in ref.packs)
    assert pull(target, Remote("origin", there)).is_up_to_date
    _check_sound(target)


def test_a_pull_after_a_fetch_takes_what_was_fetched(source: Repository, target: Repository, there: Storage) -> None:
    """And only what was asked for, when ids are given."""
    made = [make_execution(source.store, source.refs, seed=seed) for seed in (0, 1)]
    push(source, Remote("origin", there))
    _fetch(target, there)
    assert pull(target, Remote("origin", there), [execution_id(1)]).executions == 1
    assert list(target.refs.iter_names()) == [made[1].ref.name]
    assert pull(target, Remote("origin", there), is_dry_run=True).executions == 1
    assert pull(target, Remote("origin", there)).executions == 1


def test_a_pull_never_replaces_a_better_telling(source: Repository, target: Repository, there: Storage) -> None:
    """Done here and interrupted there stays done."""
    made = make_execution(source.store, source.refs)
    push(source, Remote("origin", there))
    pull(target, Remote("origin", there))
    Refs(there).write(dataclasses.replace(made.ref, status=RefStatus.INTERRUPTED))
    with Repository.init(target.path.parent / "third") as third:
        pull(third, Remote("origin", there))
        assert third.refs.read(made.ref.name).status is RefStatus.INTERRUPTED
    target.refs.write(dataclasses.replace(made.ref, status=RefStatus.INTERRUPTED), remote="origin")
    pull(target, Remote("origin", there))
    assert target.refs.read(made.ref.name).status is RefStatus.DONE
