"""Push: exactly what is missing, in an order that can be cut off anywhere, and nothing the second time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from redun.hashing import Oid, hash_blob
from redun.objects.links import BrokenLink, walk
from redun.remotes.connect import open_remote
from redun.remotes.push import push
from redun.remotes.reach import NotARemote, RemoteUnreachable
from redun.remotes.remote import Remote
from redun.remotes.transfer import TransferReport
from redun.store.blobs import blob_name
from redun.store.format_file import FORMAT_NAME
from redun.store.local_storage import LocalStorage
from redun.store.maintain.fsck import check_repository
from redun.store.maintain.gc import collect
from redun.store.maintain.gc_policy import GcPolicy
from redun.store.memory_storage import MemoryStorage
from redun.store.objectdb import ObjectDb
from redun.store.ref_texts import RefStatus
from redun.store.refs import Refs
from redun.store.repository import Repository
from redun.store.storage import Storage
from redun.testing.objects import MadeFile, build_execution, execution_id, made_ref, make_execution
from redun.testing.probed import Crash, ProbedStorage

LARGE = b"large " * 200_000


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    """An empty repository in a project folder."""
    with Repository.init(tmp_path / "project" / ".redun") as opened:
        yield opened


@pytest.fixture
def there() -> ProbedStorage:
    """Where the remote is: in memory, with an account of what is asked."""
    return ProbedStorage(MemoryStorage("there"))


def _push(repository: Repository, there: Storage, *names: str, **options: object) -> TransferReport:
    return push(repository, Remote("origin", there), names or None, **options)


def _store(there: Storage) -> ObjectDb:
    return ObjectDb(there, journals=None)


def _check_whole(there: Storage) -> set[str]:
    """Check that the closure of every ref is there; return the names of the refs."""
    store = _store(there)
    names = set()
    for ref in Refs(there).iter_refs():
        assert ref.object is not None
        for _ in walk([ref.object], store.find_kind_and_data):
            pass
        names.add(ref.name)
    return names


def _check_idxs_closed(there: Storage) -> None:
    """Check that whatever a pack with an idx holds is there with all that its hard links lead to."""
    idxs = {
        entry.name.rpartition(".")[0] for entry in there.iter_entries("objects/pack") if entry.name.endswith(".idx")
    }
    store = _store(there)
    for reader in store.packs.readers:
        if reader.where.rpartition(".")[0] in idxs:
            for _ in walk([oid for oid, _, _ in reader.iter_objects()], store.find_kind_and_data):
                pass


def test_a_push_sends_all_that_a_ref_reaches(repository: Repository, there: ProbedStorage) -> None:
    """Objects, refs and counts are those of what was made; the pack named in the ref holds it."""
    made = [make_execution(repository.store, repository.refs, seed=seed) for seed in (0, 1)]
    report = _push(repository, there)
    assert _check_whole(there) == {one.ref.name for one in made}
    assert {oid for oid, _ in _store(there).iter_oids()} == made[0].oids | made[1].oids
    assert (report.executions, report.objects) == (2, len(made[0].oids | made[1].oids))
    sizes = [entry.size for entry in there.iter_entries("objects/pack")]
    assert (len(sizes), report.transferred_bytes) == (2, sum(sizes))
    (pack,) = Refs(there).read(made[0].ref.name).packs
    assert there.size(f"objects/pack/{pack.hex()}.pack")


def test_a_second_push_writes_nothing_and_asks_twice(repository: Repository, there: ProbedStorage) -> None:
    """The format and one listing of refs are all that is asked for."""
    make_execution(repository.store, repository.refs)
    _push(repository, there)
    there.forget()
    report = _push(repository, there)
    assert report.is_up_to_date
    assert [verb for verb, _ in there.calls] == ["read", "list"]


def test_a_second_run_sends_what_is_new(repository: Repository, there: ProbedStorage) -> None:
    """What the remote has already is in no second pack."""
    first = make_execution(repository.store, repository.refs, seed=0)
    _push(repository, there)
    second = make_execution(repository.store, repository.refs, seed=1)
    there.forget()
    report = _push(repository, there)
    assert report.objects == len(second.oids - first.oids)
    assert len(there.names("write")) == 3  # pack, idx, ref
    assert _check_whole(there) == {first.ref.name, second.ref.name}


def test_the_number_of_requests_does_not_follow_the_number_of_jobs(repository: Repository) -> None:
    """A run of 5 jobs and one of 500 cost the same writes and reads."""
    counts = []
    for seed, n_jobs in enumerate((5, 500)):
        make_execution(repository.store, repository.refs, n_jobs, seed=seed)
        there = ProbedStorage(MemoryStorage())
        _push(repository, there, *repository.refs.find(execution_id(seed)))
        counts.append(sorted(verb for verb, _ in there.calls))
    assert counts[0] == counts[1]


def test_refs_come_last_and_contents_first(repository: Repository, there: ProbedStorage) -> None:
    """Large contents, pack, idx, ref: in this order, and forced to the disk before the ref."""
    make_execution(repository.store, repository.refs, blobs=[LARGE])
    _push(repository, there)
    writes = there.names("write")
    assert [name.split("/")[1] for name in writes] == ["format", "blob", "pack", "pack", "executions"]
    assert [name.rpartition(".")[2] for name in writes[2:4]] == ["pack", "idx"]
    last_write = max(at for at, call in enumerate(there.calls) if call[0] == "write")
    synced = {name for verb, name in there.calls[:last_write] if verb == "sync"}
    assert synced == set(writes[1:4])


def test_a_push_killed_at_any_write_is_finished_by_the_next(repository: Repository) -> None:
    """After each possible crash the remote is sound, and repeating the push ends as if nothing had happened."""
    for seed in (0, 1):
        make_execution(repository.store, repository.refs, seed=seed, blobs=[LARGE], files=[MadeFile("a.txt", b"a")])
    whole = MemoryStorage()
    _push(repository, whole)
    expected = {entry.name for entry in whole.iter_entries("")}
    for number in range(100):
        there = ProbedStorage(MemoryStorage())
        there.crash_at_write = number
        for entry in list((repository.path / "refs/remotes").rglob("2*")):
            entry.unlink()
        try:
            _push(repository, there)
        except Crash:
            _check_whole(there)
            _check_idxs_closed(there)
        else:
            assert number == len(expected)
            return
        there.crash_at_write = None
        _push(repository, there)
        assert {entry.name for entry in there.iter_entries("")} == expected
        _check_whole(there)
    pytest.fail("a push that is not cut off was never reached")


def test_only_the_refs_asked_for_are_sent(repository: Repository, there: ProbedStorage) -> None:
    """The others stay."""
    made = [make_execution(repository.store, repository.refs, seed=seed) for seed in range(3)]
    _push(repository, there, made[1].ref.name)
    assert _check_whole(there) == {made[1].ref.name}
    assert _push(repository, there).executions == 2


def test_a_run_in_flight_stays_at_home(repository: Repository, there: ProbedStorage) -> None:
    """A running ref has no execution yet."""
    ref = made_ref(build_execution())
    repository.refs.write(dataclasses.replace(ref, status=RefStatus.RUNNING, end_us=None, object=None, writer="w"))
    assert _push(repository, there).is_up_to_date
    assert list(there.iter_entries("refs")) == []


def test_a_better_telling_replaces_a_worse_one(repository: Repository, there: ProbedStorage) -> None:
    """A run judged as interrupted that ended after all is sent again; the worse never replaces the better."""
    made = make_execution(repository.store, repository.refs)
    _push(repository, there)
    judged = dataclasses.replace(made.ref, status=RefStatus.INTERRUPTED)
    Refs(there).write(judged)
    repository.refs.write(judged, remote="origin")
    assert _push(repository, there).executions == 1
    assert Refs(there).read(made.ref.name).status is RefStatus.DONE
    repository.refs.write(judged)
    assert _push(repository, there).is_up_to_date
    assert Refs(there).read(made.ref.name).status is RefStatus.DONE


def test_a_run_that_is_not_whole_is_named_and_left_out(repository: Repository, there: ProbedStorage) -> None:
    """The others are sent all the same."""
    broken = build_execution(seed=5)
    for oid, data, kind in broken.objects[6:]:
        repository.store.put(oid, data, kind)
    missing = {oid.hex()[:8] for oid, _, _ in broken.objects[:6]}
    repository.refs.write(made_ref(broken))
    report = _push(repository, there)
    (skipped,) = report.skipped
    assert skipped.name == made_ref(broken).name
    assert any(digits in skipped.why for digits in missing)
    assert (report.executions, list(there.iter_entries("refs"))) == (0, [])


def test_a_malformed_ref_is_named_and_left_out(repository: Repository, there: ProbedStorage) -> None:
    """The others are sent all the same."""
    made = make_execution(repository.store, repository.refs)
    bad = made_ref(build_execution(seed=1))
    repository.storage.write(f"refs/executions/{bad.name}", b"nonsense")
    report = _push(repository, there)
    assert (report.executions, [skipped.name for skipped in report.skipped]) == (1, [bad.name])
    assert _check_whole(there) == {made.ref.name}


def test_contents_that_the_working_tree_still_has_go_along(repository: Repository, there: ProbedStorage) -> None:
    """Small ones in the pack, large ones as files; what was changed or is gone is not sent."""
    files = [
        MadeFile("small.txt", b"small", is_kept=False),
        MadeFile("large.bin", LARGE, is_kept=False),
        MadeFile("changed.txt", b"before", is_kept=False),
        MadeFile("gone.txt", b"gone", is_kept=False),
        MadeFile("a\0b", b"no such path", is_kept=False),
        MadeFile("kept.txt", b"kept", is_kept=True),
    ]
    project = repository.path.parent
    (project / "small.txt").write_bytes(b"small")
    (project / "large.bin").write_bytes(LARGE)
    (project / "changed.txt").write_bytes(b"after")
    made = make_execution(repository.store, repository.refs, files=files)
    report = _push(repository, there)
    store = _store(there)
    sent = {file.path for file in files if store.has(hash_blob(file.content))}
    assert sent == {"small.txt", "large.bin", "kept.txt"}
    assert there.size(blob_name(hash_blob(LARGE))) == len(LARGE)
    assert report.objects == len(made.oids) + 2
    _check_whole(there)


def test_a_file_that_changes_while_it_is_sent_is_not_sent(
    repository: Repository, there: ProbedStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The content is hashed again on its way, and what does not fit is left out; the run goes along."""
    project = repository.path.parent
    files = [MadeFile("large.bin", LARGE, is_kept=False), MadeFile("small.txt", b"small", is_kept=False)]
    for file in files:
        (project / file.path).write_bytes(file.content)
    made = make_execution(repository.store, repository.refs, files=files)
    blob_size = Remote.blob_size

    def change(remote: Remote, oid: Oid, **options: bool) -> int | None:
        # Asked after the file was hashed and before it is sent.
        (project / "large.bin").write_bytes(b"x" * len(LARGE))
        (project / "small.txt").unlink(missing_ok=True)
        return blob_size(remote, oid, **options)

    monkeypatch.setattr(Remote, "blob_size", change)
    report = _push(repository, there)
    assert (report.executions, report.objects) == (1, len(made.oids))
    assert not any(_store(there).has(hash_blob(file.content)) for file in files)
    _check_whole(there)


def test_a_large_content_is_sent_once(repository: Repository, there: ProbedStorage) -> None:
    """A remote that has the file is not given it again."""
    for seed in (0, 1):
        make_execution(repository.store, repository.refs, seed=seed, blobs=[LARGE])
        _push(repository, there)
    assert there.names("write").count(blob_name(hash_blob(LARGE))) == 1


def test_a_dry_run_counts_and_writes_nothing(repository: Repository, there: ProbedStorage) -> None:
    """It counts what the push then sends, at a place that need not exist."""
    make_execution(repository.store, repository.refs, blobs=[LARGE])
    planned = _push(repository, there, is_dry_run=True)
    assert there.names("write") == []
    done = _push(repository, there)
    assert (planned.executions, planned.objects) == (done.executions, done.objects)


def test_two_pushers_of_different_runs_do_not_conflict(tmp_path: Path, there: ProbedStorage) -> None:
    """Each finds the other's packs, or sends a little twice; both closures are whole."""
    with Repository.init(tmp_path / "a") as one, Repository.init(tmp_path / "b") as two:
        make_execution(one.store, one.refs, seed=0)
        make_execution(two.store, two.refs, seed=1)
        late = Remote("origin", there)
        late.look_or_create()
        late.make()
        late.load_packs()  # as if it had looked before the other one wrote
        _push(one, there)
        push(two, late)
    assert len(_check_whole(there)) == 2


def test_what_was_pushed_is_remembered_as_seen(repository: Repository, there: ProbedStorage) -> None:
    """The remote-tracking ref is the text at the remote."""
    made = make_execution(repository.store, repository.refs)
    _push(repository, there)
    assert repository.refs.read(made.ref.name, remote="origin") == Refs(there).read(made.ref.name)


def test_a_remote_emptied_by_somebody_is_filled_again(repository: Repository, there: ProbedStorage) -> None:
    """What was remembered as seen proves nothing."""
    made = make_execution(repository.store, repository.refs)
    _push(repository, there)
    again = ProbedStorage(MemoryStorage())
    assert _push(repository, again).executions == 1
    assert _check_whole(again) == {made.ref.name}


def test_a_folder_with_something_else_in_it_is_refused(repository: Repository, tmp_path: Path) -> None:
    """Nothing is written among strangers."""
    make_execution(repository.store, repository.refs)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/cat.png").write_bytes(b"cat")
    with pytest.raises(NotARemote, match=r"found cat\.png"):
        _push(repository, LocalStorage(tmp_path / "photos"))
    assert [path.name for path in (tmp_path / "photos").rglob("*")] == ["cat.png"]


def test_a_remote_of_another_format_is_refused(repository: Repository, there: ProbedStorage) -> None:
    """The message says what was expected and found."""
    make_execution(repository.store, repository.refs)
    there.write(FORMAT_NAME, b"redun objects 9\n")
    with pytest.raises(NotARemote, match="redun objects 9"):
        _push(repository, there)


def test_a_project_folder_leads_to_its_repository(repository: Repository, tmp_path: Path) -> None:
    """A remote may be named by the project that holds it."""
    make_execution(repository.store, repository.refs)
    Repository.init(tmp_path / "other/.redun").close()
    push(repository, open_remote("origin", "../other", repository.path.parent, repository.cache_path))
    assert len(_check_whole(LocalStorage(tmp_path / "other/.redun"))) == 1
    assert not (tmp_path / "other/objects").exists()


def test_a_remote_that_cannot_be_reached_is_named(repository: Repository, tmp_path: Path) -> None:
    """A file where a folder should be, told with the remote's name and place."""
    make_execution(repository.store, repository.refs)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises((RemoteUnreachable, NotARemote), match="'origin' at"):
        _push(repository, LocalStorage(tmp_path / "file" / "below"))


def test_a_remote_that_cannot_be_written_is_named(repository: Repository, tmp_path: Path) -> None:
    """The message says so, whichever way the storage tells it."""
    make_execution(repository.store, repository.refs)
    with pytest.raises(RemoteUnreachable, match=r"'origin'.*for reading only"):
        _push(repository, LocalStorage(tmp_path / "closed", read_only=True))


def test_a_broken_closure_is_what_the_checks_here_would_see(there: ProbedStorage, repository: Repository) -> None:
    """The checks of this file do fail on a remote whose pack is gone."""
    make_execution(repository.store, repository.refs)
    _push(repository, there)
    for entry in list(there.iter_entries("objects/pack")):
        there.delete(entry.name)
    with pytest.raises(BrokenLink):
        _check_whole(there)


def test_a_pack_never_takes_the_name_of_a_condemned_one(repository: Repository, tmp_path: Path) -> None:
    """The same executions, sent again while what they were in is about to be deleted, are in a pack of another name."""
    make_execution(repository.store, repository.refs)
    with Repository.init(tmp_path / "there") as there:
        push(repository, Remote("there", there.storage))
        before = {entry.name for entry in there.storage.iter_entries("objects/pack")}
        collect(there, GcPolicy(keep_executions=0, grace_seconds=3600.0))
        assert push(repository, Remote("there", there.storage)).executions == 1
        fresh = {entry.name for entry in there.storage.iter_entries("objects/pack")} - before
        assert sorted(name.rpartition(".")[2] for name in fresh) == ["condemned", "idx", "pack"]
        there.store.refresh(force=True)
        assert check_repository(there).is_clean


def test_what_is_condemned_at_the_remote_is_sent_again(repository: Repository, tmp_path: Path) -> None:
    """A push builds on nothing that the remote is about to delete; until then it can still be fetched."""
    made = make_execution(repository.store, repository.refs, 20, blobs=[LARGE])
    there = tmp_path / "there" / ".redun"
    with Repository.init(there) as remote:
        push(repository, open_remote("origin", str(there), tmp_path, None))
        remote.store.refresh(force=True)
        collect(remote, GcPolicy(keep_executions=0))
        assert remote.refs.find(made.ref.execution_id) == []
        report = push(repository, open_remote("origin", str(there), tmp_path, None))
        assert report.objects == len(made.oids)
        collect(remote, GcPolicy(grace_seconds=0))
    assert _check_whole(LocalStorage(there)) == {made.ref.name}
    assert _store(LocalStorage(there)).blobs.has(hash_blob(LARGE))
