"""Fsck: whatever is damaged is found and named, and what can be made anew is."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.hashing import Oid, hash_blob
from redun.objects.codec import encode_node
from redun.objects.kinds import Kind
from redun.objects.value_records import ValueRecord
from redun.store.blobs import blob_name
from redun.store.journal import Journal
from redun.store.liveness import describe_writer, now_us
from redun.store.local_storage import LocalStorage
from redun.store.maintain.findings import Problem, Severity
from redun.store.maintain.fsck import FsckReport, check_repository
from redun.store.maintain.gc import collect
from redun.store.maintain.gc_policy import GcPolicy
from redun.store.maintain.repack import consolidate
from redun.store.pack import write_pack
from redun.store.pack_format import pack_name
from redun.store.ref_texts import RefStatus
from redun.store.refs import Refs
from redun.store.repository import Repository
from redun.store.storage import Entry
from redun.testing.objects import MadeExecution, MadeFile, build_execution, made_ref, make_execution
from redun.testing.probed import Crash

LARGE = b"large " * 200_000


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    """A repository with two executions, one of them with a large content."""
    with Repository.init(tmp_path / ".redun") as opened:
        make_execution(opened.store, opened.refs, seed=0)
        make_execution(opened.store, opened.refs, seed=1, blobs=[LARGE], files=[MadeFile("gone", b"x", is_kept=False)])
        yield opened


def _check(repository: Repository, level: str = "full", *, repair: bool = False) -> FsckReport:
    """Check a repository as another process would, which has nothing of it in memory."""
    with Repository.open(repository.path, writable=repair) as opened:
        return check_repository(opened, level=level, repair=repair)


def _only(report: FsckReport, what: str) -> Problem:
    """Return the one problem of a sort."""
    (problem,) = [problem for problem in report.problems if problem.what == what]
    return problem


def _names(repository: Repository, suffix: str) -> list[str]:
    return [entry.name for entry in repository.storage.iter_entries("objects") if entry.name.endswith(suffix)]


def _damage(repository: Repository, name: str, content: bytes) -> None:
    (repository.storage.path / name).write_bytes(content)


@pytest.mark.parametrize("level", ["full", "quick"])
def test_a_sound_repository_is_clean(repository: Repository, level: str) -> None:
    """It tells what it has checked, by kind; content that is not kept is no problem."""
    report = _check(repository, level)
    assert report.is_clean
    assert report.problems == ()
    assert (report.packs, report.idxs, report.journals, report.refs, report.blobs) == (2, 2, 0, 2, 1)
    assert report.objects == {
        **dict.fromkeys(("unit", "source", "reduction", "jobs", "tag", "execution"), 2),
        **dict.fromkeys(("eval", "call"), 8),
        **dict.fromkeys(("task", "file", "blob"), 1),
        "value": 16,
    }


def test_an_unknown_level_is_refused(repository: Repository) -> None:
    """There are two."""
    with pytest.raises(ValueError, match="'thorough'"):
        check_repository(repository, level="thorough")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, bytes]:
    """A repository of one pack, the pack's name and its content."""
    path = tmp_path_factory.mktemp("small")
    with Repository.init(path) as repository:
        make_execution(repository.store, repository.refs, 1)
        (name,) = _names(repository, ".pack")
        return path, name, repository.storage.read(name)


@settings(max_examples=60)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_wrong_byte_anywhere_in_a_pack_is_found(small, place: float, flip: int) -> None:
    """Full notices every one of them and names the pack."""
    path, name, content = small
    at = int(place * len(content))
    (path / name).write_bytes(content[:at] + bytes([content[at] ^ flip]) + content[at + 1 :])
    with Repository.open(path, writable=False) as repository:
        report = check_repository(repository)
    assert not report.is_clean
    assert any(problem.what == "pack" and problem.where == name for problem in report.problems)


@pytest.mark.parametrize("level", ["full", "quick"])
@pytest.mark.parametrize("keep", [0, 3, 100, -1])
def test_a_pack_cut_short_is_found(repository: Repository, level: str, keep: int) -> None:
    """Its size does not fit its idx; the runs that it held are named by a full check."""
    name = _names(repository, ".pack")[0]
    _damage(repository, name, repository.storage.read(name)[:keep])
    report = _check(repository, level)
    assert not report.is_clean
    assert any(problem.what == "pack" and problem.where == name for problem in report.problems)
    if level == "full":
        assert any(problem.what == "ref" for problem in report.problems)


def test_a_missing_pack_is_found_by_its_idx_and_its_refs(repository: Repository) -> None:
    """The idx leads nowhere, and the run is not whole."""
    name = _names(repository, ".pack")[0]
    (repository.storage.path / name).unlink()
    report = _check(repository)
    assert _only(report, "idx").where == name.replace(".pack", ".idx")
    assert {problem.what for problem in report.problems} >= {"idx", "ref"}


@pytest.mark.parametrize("level", ["full", "quick"])
@pytest.mark.parametrize("damage", ["missing", "cut", "flip", "other"])
def test_an_idx_that_is_not_its_pack_s_is_found_and_repaired(repository: Repository, level: str, damage: str) -> None:
    """It is made anew, byte for byte, and the next check is clean."""
    name, other = _names(repository, ".idx")
    content = repository.storage.read(name)
    if damage == "missing":
        (repository.storage.path / name).unlink()
    else:
        wrong = {"cut": content[:-7], "other": repository.storage.read(other)}
        _damage(repository, name, wrong.get(damage, content[:300] + b"!" + content[301:]))
    problem = _only(_check(repository, level), "idx")
    assert (problem.severity, problem.where, problem.is_repaired) == (Severity.ERROR, name, False)
    report = _check(repository, level, repair=True)
    assert _only(report, "idx").is_repaired
    assert report.is_clean
    assert repository.storage.read(name) == content
    assert _check(repository).problems == ()


def test_an_idx_of_a_damaged_pack_is_not_repaired(repository: Repository) -> None:
    """There is nothing sound to make it from."""
    name = _names(repository, ".pack")[0]
    _damage(repository, name, b"x" * 50 + repository.storage.read(name)[50:])
    (repository.storage.path / name.replace(".pack", ".idx")).unlink()
    for level in ("quick", "full"):
        report = _check(repository, level, repair=True)
        assert not report.is_clean
        assert not _only(report, "idx").is_repaired
        assert any(problem.what == "pack" for problem in report.problems)
    assert not (repository.storage.path / name.replace(".pack", ".idx")).exists()


def test_the_objects_lost_in_a_damaged_pack_are_counted(repository: Repository) -> None:
    """What its other blocks hold is still there."""
    name = _names(repository, ".pack")[0]
    content = bytearray(repository.storage.read(name))
    content[60] ^= 1
    _damage(repository, name, bytes(content))
    whys = [problem.why for problem in _check(repository).problems if problem.where == name]
    assert any("not to its name" in why for why in whys)
    assert any("objects are lost" in why for why in whys)


def test_a_wrong_content_is_found(repository: Repository) -> None:
    """A full check hashes large contents; a quick one only counts them."""
    name = blob_name(hash_blob(LARGE))
    _damage(repository, name, LARGE[:-1] + b"?")
    assert _only(_check(repository), "blob").where == name
    assert _check(repository, "quick").is_clean


def test_a_missing_content_is_named_with_what_links_to_it(repository: Repository) -> None:
    """The value that needs it, and the run that is not whole any more."""
    (repository.storage.path / blob_name(hash_blob(LARGE))).unlink()
    report = _check(repository)
    assert _only(report, "object").where == hash_blob(LARGE).hex()
    assert "value" in _only(report, "object").why
    assert hash_blob(LARGE).hex()[:8] in _only(report, "ref").why


def _store(repository: Repository, rows: list[tuple[Oid, bytes, int]]) -> None:
    write_pack(((oid, kind, data) for oid, data, kind in rows), repository.storage)


def test_a_link_that_leads_nowhere_is_found(repository: Repository) -> None:
    """Even in an object that no ref reaches."""
    missing = hash_blob(b"nowhere")
    oid, data = ValueRecord("list", "data", [], [missing]).encode()
    _store(repository, [(oid, data, int(Kind.VALUE))])
    problem = _only(_check(repository), "object")
    assert problem.where == missing.hex()
    assert oid.hex()[:8] in problem.why


def test_a_node_that_its_kind_does_not_allow_is_found(repository: Repository) -> None:
    """Its bytes hash to its name, and still it is no tag."""
    oid, data = encode_node(Kind.TAG, [], [1])
    _store(repository, [(oid, data, int(Kind.TAG))])
    problem = _only(_check(repository), "object")
    assert problem.where == oid.hex()
    assert "tag" in problem.why


def _journal(repository: Repository, *, is_dead: bool) -> tuple[Path, MadeExecution]:
    header = describe_writer(now_us(), token=b"test")
    header = header._replace(process_start="1") if is_dead else header
    journal = Journal.create(repository.storage.path / "objects/journal", header=header)
    made = build_execution(seed=7)
    for oid, data, kind in made.objects:
        journal.append(data, kind, oid)
    journal.close()
    return journal.path, made


def test_a_journal_is_read_like_a_pack(repository: Repository) -> None:
    """The objects of a run in flight count."""
    _journal(repository, is_dead=False)
    report = _check(repository)
    assert (report.is_clean, report.journals, report.objects["execution"]) == (True, 1, 3)
    assert report.problems == ()


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_the_torn_tail_of_a_dead_writer_is_a_note(repository: Repository, cut: int) -> None:
    """A record that was not written to its end is no damage: that is how a run is killed."""
    path, _ = _journal(repository, is_dead=True)
    path.write_bytes(path.read_bytes()[:-cut])
    report = _check(repository)
    assert report.is_clean
    whys = [problem.why for problem in report.problems if problem.what == "journal"]
    assert any("writer is gone" in why for why in whys)
    assert any("torn tail" in why for why in whys)


def test_a_damaged_record_inside_a_journal_is_an_error(repository: Repository) -> None:
    """What comes behind it is lost, and that is not how a run is killed."""
    path, _ = _journal(repository, is_dead=True)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    report = _check(repository)
    assert not report.is_clean
    assert any(problem.severity is Severity.ERROR and "damaged" in problem.why for problem in report.problems)


def test_a_journal_that_is_none_is_found(repository: Repository) -> None:
    """It has not the first bytes of one."""
    _damage(repository, "objects/journal/x.journal", b"something else")
    assert "does not begin" in _only(_check(repository), "journal").why


def test_a_malformed_ref_is_named(repository: Repository) -> None:
    """Cut short, of another version, or of a remote."""
    name = next(repository.refs.iter_names())
    content = repository.storage.read(f"refs/executions/{name}")
    for text in (content[:-10], b"redun-ref 9\n", b""):
        _damage(repository, f"refs/executions/{name}", text)
        for level in ("full", "quick"):
            problem = _only(_check(repository, level), "ref")
            assert problem.where == f"refs/executions/{name}"


@pytest.mark.parametrize(
    ("key", "changed"),
    [("argv", ["other"]), ("end_us", 7), ("status", RefStatus.FAILED)],
    ids=["argv", "end", "status"],
)
def test_a_ref_that_contradicts_its_execution_is_named(repository: Repository, key: str, changed: object) -> None:
    """A wrong bit in a ref that still reads as a ref is found by what the execution itself says."""
    ref = next(repository.refs.iter_refs())
    repository.refs.write(dataclasses.replace(ref, **{key: changed}))
    problem = _only(_check(repository), "ref")
    assert problem.severity is Severity.ERROR
    assert key.removesuffix("_us") in problem.why


def test_a_ref_that_leads_nowhere_is_named(repository: Repository) -> None:
    """Its execution is missing, or is the execution of another run, or no execution."""
    made = build_execution(seed=3)
    ref = made_ref(made)
    Refs(repository.storage).write(ref)
    for level in ("full", "quick"):
        assert "is missing" in _only(_check(repository, level), "ref").why
    wrong = next(one for one in repository.refs.iter_refs() if one.name != ref.name)
    Refs(repository.storage).write(dataclasses.replace(ref, object=wrong.object))
    assert wrong.execution_id in _only(_check(repository), "ref").why
    Refs(repository.storage).write(dataclasses.replace(ref, object=None))
    assert "names no object" in _only(_check(repository), "ref").why


def test_refs_of_remotes_are_checked_too(repository: Repository) -> None:
    """What was fetched must be there as well."""
    repository.refs.write(made_ref(build_execution(seed=3)), remote="origin")
    assert _only(_check(repository), "ref").where.startswith("refs/remotes/origin/")


def test_a_run_whose_writer_is_gone_is_a_note(repository: Repository) -> None:
    """The next run ends it."""
    ref = dataclasses.replace(
        made_ref(build_execution(seed=3)), status=RefStatus.RUNNING, end_us=None, object=None, writer="nobody"
    )
    repository.refs.write(ref)
    report = _check(repository)
    assert report.is_clean
    assert "interrupted" in _only(report, "ref").why


def test_files_that_do_not_belong_are_notes(repository: Repository) -> None:
    """They harm nobody, and are named."""
    strangers = ("objects/pack/x.tmp", "objects/blob/zz/x", "refs/executions/x", "refs/notes", "objects/journal/x")
    for name in strangers:
        repository.storage.write(name, b"?")
    report = _check(repository)
    assert report.is_clean
    assert {problem.where for problem in report.problems} == set(strangers)


def test_what_a_killed_process_left_half_written_is_removed(repository: Repository) -> None:
    """Only what is older than an hour, and only with repair; what is being written now is left alone."""
    old, young = (repository.storage.path / "objects/pack" / f".tmp-{name}" for name in ("old", "young"))
    for path in (old, young):
        path.write_bytes(b"half")
    an_hour_ago = now_us() / 1_000_000 - 3700
    os.utime(old, (an_hour_ago, an_hour_ago))
    problem = _only(_check(repository), "file")
    assert (problem.where, problem.severity, problem.is_repaired) == ("objects/pack/.tmp-old", Severity.NOTE, False)
    assert old.exists()
    assert _only(_check(repository, repair=True), "file").is_repaired
    assert (old.exists(), young.exists()) == (False, True)


def test_checking_changes_nothing(repository: Repository) -> None:
    """Without repair, not even damage is touched."""
    (repository.storage.path / _names(repository, ".idx")[0]).unlink()
    _journal(repository, is_dead=True)
    before = {path: path.read_bytes() for path in repository.path.rglob("*") if path.is_file()}
    _check(repository)
    _check(repository, "quick")
    assert {path: path.read_bytes() for path in repository.path.rglob("*") if path.is_file()} == before


def test_an_empty_repository_is_clean(tmp_path: Path) -> None:
    """So is one whose folders are missing."""
    with Repository.init(tmp_path) as repository:
        assert check_repository(repository).problems == ()
    for folder in ("objects/pack", "objects/blob", "objects/journal", "refs"):
        shutil.rmtree(tmp_path / folder)
    with Repository.open(tmp_path, writable=False) as repository:
        assert check_repository(repository).problems == ()
    assert LocalStorage(tmp_path).size("objects/format")


@pytest.mark.parametrize("moment", ["refs", "journal", "pack"])
def test_what_moves_while_it_is_checked_is_no_damage(repository: Repository, monkeypatch, moment: str) -> None:
    """Another process ends a run and merges packs just when fsck has listed refs, journals or packs."""
    folder = {"refs": "refs/executions", "journal": "objects/journal", "pack": "objects/pack"}[moment]
    listed = LocalStorage.iter_entries
    others = iter([2, 3, 4])

    def disturb(storage: LocalStorage, prefix: str) -> Iterator[Entry]:
        entries = list(listed(storage, prefix))
        if prefix == folder and storage is checked.storage and (seed := next(others, None)):
            make_execution(repository.store, repository.refs, seed=seed)
            consolidate(repository.store)
        return iter(entries)

    with Repository.open(repository.path, writable=False) as checked:
        monkeypatch.setattr(LocalStorage, "iter_entries", disturb)
        report = check_repository(checked)
    assert next(others, None) != 2, "nothing happened meanwhile"
    assert report.problems == ()


def test_an_idx_that_a_killed_merge_has_left_is_removed(tmp_path):
    """Killed between a pack and its idx, merging leaves an idx whose objects are all in the merged pack."""
    with Repository.init(tmp_path / ".redun") as repository:
        for seed in range(3):
            make_execution(repository.store, repository.refs, seed=seed)
        delete, n_deleted = repository.storage.delete, []

        def die(name):
            if name.endswith(".idx"):
                raise Crash(name)
            if repository.storage.size(name) is not None:  # a merge first asks whether anything can be deleted
                n_deleted.append(name)
            delete(name)

        repository.storage.delete = die
        with pytest.raises(Crash):
            consolidate(repository.store)
        repository.storage.delete = delete
        assert len(n_deleted) == 1
        repository.store.refresh(force=True)
        report = check_repository(repository)
        assert report.is_clean
        assert [(problem.what, problem.severity.value) for problem in report.problems] == [("idx", "note")]
        assert all(problem.is_repaired for problem in check_repository(repository, repair=True).problems)
        assert check_repository(repository).problems == ()


def test_an_idx_that_a_killed_collection_has_left_is_removed(repository):
    """Killed between a pack and its idx, collecting leaves an idx of what nothing needs: its list says so."""
    collect(repository, GcPolicy(keep_executions=0, grace_seconds=3600.0))
    packs = _names(repository, ".pack")
    assert packs
    repository.storage.delete(packs[0])
    problem = _only(_check(repository), "idx")
    assert (problem.severity, problem.why) == (Severity.NOTE, "it is left of a pack that was collected")
    assert _only(_check(repository, repair=True), "idx").is_repaired
    assert _check(repository).is_clean


def test_an_idx_whose_objects_are_nowhere_is_an_error(tmp_path):
    """A pack that is gone with all that it held is told, and its idx is left to tell of it."""
    with Repository.init(tmp_path / ".redun") as repository:
        make_execution(repository.store, repository.refs)
        (reader,) = repository.store.packs.readers
        repository.storage.delete(pack_name(reader.name))
    with Repository.open(tmp_path / ".redun") as repository:
        for repair in (False, True, False):
            problems = check_repository(repository, repair=repair).problems
            assert ("idx", "its pack is missing") in {(problem.what, problem.why) for problem in problems}


def test_memory_hardly_grows_with_what_is_there(tmp_path):
    """Twice the objects, in one more pack, take a few bytes more for each."""
    peaks = []
    with Repository.init(tmp_path / ".redun") as repository:
        for seed in range(2):
            make_execution(repository.store, repository.refs, 900, seed=seed)
            repository.store.refresh(force=True)
            tracemalloc.start()
            report = check_repository(repository)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert report.is_clean
    assert sum(report.objects.values()) > 7_000
    assert peaks[1] - peaks[0] < 3_600 * 16
