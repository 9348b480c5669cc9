"""Batches of a push: each is sent whole before the next is made, and none holds more than it must."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from redun.objects.links import walk
from redun.remotes.bundle import apply_bundle, create_bundle
from redun.remotes.cargo import Loader
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.remotes.sending import Sender
from redun.remotes.transfer import ignore_progress
from redun.store.local_storage import LocalStorage
from redun.store.memory_storage import MemoryStorage
from redun.store.objectdb import ObjectDb
from redun.store.refs import Refs
from redun.store.repository import Repository
from redun.store.storage import Storage
from redun.testing.objects import MadeFile, make_execution
from redun.testing.probed import Crash, ProbedStorage

N_EXECUTIONS = 12
N_JOBS = 10
LIMIT = 100
"""An execution of ten jobs has 58 objects of its own, so two of them fill a batch."""
LARGE = b"large " * 200_000


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    """A repository with some executions."""
    with Repository.init(tmp_path / "project" / ".redun") as opened:
        for seed in range(N_EXECUTIONS):
            make_execution(opened.store, opened.refs, N_JOBS, seed=seed)
        yield opened


@pytest.fixture
def there() -> ProbedStorage:
    """Where the remote is: in memory, with an account of what is asked."""
    return ProbedStorage(MemoryStorage("there"))


def _packs(there: Storage) -> list[str]:
    return [entry.name for entry in there.iter_entries("objects/pack") if entry.name.endswith(".pack")]


def _check_whole(there: Storage) -> set[str]:
    """Check that the closure of every ref is there; return the names of the refs."""
    store = ObjectDb(there, journals=None)
    refs = list(Refs(there).iter_refs())
    for ref in refs:
        assert ref.object is not None
        assert list(walk([ref.object], store.find_kind_and_data))
    return {ref.name for ref in refs}


def test_batches_send_what_one_would(repository: Repository, there: ProbedStorage) -> None:
    """The same objects arrive, each once, and are counted so, whether in one pack or in many."""
    whole = MemoryStorage("whole")
    at_once = push(repository, Remote("whole", whole))
    report = push(repository, Remote("origin", there), batch_objects=LIMIT)
    assert len(_packs(whole)) == 1
    assert 4 <= len(_packs(there)) <= N_EXECUTIONS
    assert _check_whole(there) == _check_whole(whole) == set(repository.refs.iter_names())
    listed = [sorted(oid for oid, _ in ObjectDb(place, journals=None).iter_oids()) for place in (there, whole)]
    assert listed[0] == listed[1]
    packed = sum(len(reader) for reader in ObjectDb(there, journals=None).packs.readers)
    assert (report.executions, report.objects) == (at_once.executions, at_once.objects) == (N_EXECUTIONS, packed)
    assert report.transferred_bytes == sum(entry.size for entry in there.iter_entries("objects/pack"))


@pytest.mark.parametrize("has_cache", [False, True])
def test_a_dry_run_tells_what_batches_take(
    repository: Repository, there: ProbedStorage, tmp_path: Path, has_cache: bool
) -> None:
    """Counts and bytes are those of the push that follows, and nothing is written meanwhile."""
    cache = LocalStorage(tmp_path / "cache") if has_cache else None
    told = push(repository, Remote("origin", there, cache), is_dry_run=True, batch_objects=LIMIT)
    assert not there.names("write")
    assert cache is None or cache.find_any() is None
    done = push(repository, Remote("origin", there, cache), batch_objects=LIMIT)
    assert (told.executions, told.objects, told.transferred_bytes) == (
        done.executions,
        done.objects,
        done.transferred_bytes,
    )
    again = push(repository, Remote("origin", there, cache), is_dry_run=True, batch_objects=LIMIT)
    assert again.is_up_to_date
    assert again.objects == 0


def test_no_batch_holds_more_than_its_limit_and_one_execution(repository: Repository, there: ProbedStorage) -> None:
    """What is held does not follow how much there is to send."""
    refs = [repository.refs.read(name) for name in repository.refs.iter_names()]
    roots = [ref.object for ref in refs if ref.object is not None]
    largest = max(len({one.oid for one in walk([root], repository.store.find_kind_and_data)}) for root in roots)
    remote = Remote("origin", there)
    remote.look_or_create()
    remote.load_packs()
    sender = Sender(repository, remote, ignore_progress)
    loader = Loader(repository, remote, (), ignore_progress, sender.has, limit=LIMIT)
    held = []
    for cargo in loader.iter_cargoes(refs, [], None):
        held.append(cargo.count_packed())
        sender.send(cargo)
        assert not cargo.count_packed()
    assert max(held) < LIMIT + largest
    assert len(held) > 3


def test_a_push_cut_off_between_batches_leaves_those_that_were_sent(
    repository: Repository, there: ProbedStorage
) -> None:
    """At whatever write it dies, refs that are there are whole, and the next push sends no object twice."""
    push(repository, Remote("origin", there), batch_objects=LIMIT)
    n_writes = len(there.names("write"))
    n_objects = len({oid for oid, _ in ObjectDb(there, journals=None).iter_oids()})
    kept = []
    for number in range(n_writes):
        place = ProbedStorage(MemoryStorage("place"))
        place.crash_at_write = number
        with pytest.raises(Crash):
            push(repository, Remote("origin", place), batch_objects=LIMIT)
        kept.append(len(_check_whole(place)))
        place.forget()
        place.crash_at_write = None
        push(repository, Remote("origin", place), batch_objects=LIMIT)
        assert _check_whole(place) == set(repository.refs.iter_names())
        assert len({oid for oid, _ in ObjectDb(place, journals=None).iter_oids()}) == n_objects
    assert kept == sorted(kept)
    assert kept[0] == 0
    assert kept[-1] == N_EXECUTIONS - 1
    assert len(set(kept)) > 4


def test_contents_and_edits_of_many_batches_are_sent_once(tmp_path: Path, there: ProbedStorage) -> None:
    """A large content that many executions have is asked for once, and sent once."""
    with Repository.init(tmp_path / "files" / ".redun") as repository:
        for seed in range(4):
            files = [MadeFile("all.bin", LARGE), MadeFile(f"{seed}.txt", b"small %d" % seed)]
            make_execution(repository.store, repository.refs, N_JOBS, seed=seed, files=files)
        report = push(repository, Remote("origin", there), batch_objects=1)
    assert len(_packs(there)) == 4
    blobs = [name for name in there.names("write") if name.startswith("objects/blob")]
    assert (len(blobs), there.names("size").count(blobs[0])) == (1, 1)
    assert report.objects == len({oid for oid, _ in ObjectDb(there, journals=None).iter_oids()})


def test_a_bundle_of_many_batches_is_applied_whole(repository: Repository, tmp_path: Path) -> None:
    """A bundle takes several packs as any remote does."""
    made = create_bundle(repository, tmp_path / "results.bundle", batch_objects=LIMIT)
    with Repository.init(tmp_path / "other" / ".redun") as other:
        applied = apply_bundle(other, tmp_path / "results.bundle")
        assert len(other.store.packs.readers) > 3
        assert set(other.refs.iter_names()) == set(repository.refs.iter_names())
    assert (applied.executions, applied.objects) == (made.executions, made.objects) == (N_EXECUTIONS, made.objects)
