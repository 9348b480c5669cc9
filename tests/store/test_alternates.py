"""Alternates: repositories that another one reads, and never writes."""

from __future__ import annotations

import shutil

import pytest

from redun.hashing import hash_blob
from redun.objects.kinds import Kind
from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.store.local_storage import LocalStorage
from redun.store.location import open_storage
from redun.store.maintain.findings import Severity
from redun.store.maintain.fsck import check_repository
from redun.store.maintain.gc import collect
from redun.store.maintain.gc_policy import GcPolicy, GcRefused
from redun.store.memory_storage import MemoryStorage
from redun.store.promised import Promise
from redun.store.repository import Repository
from redun.testing.object_store import ObjectStoreSuite, put_value
from redun.testing.objects import MadeFile, make_execution

LARGE = b"large" * (1 << 18)


@pytest.fixture
def shared(tmp_path):
    """A shared repository with one execution that has a large output."""
    with Repository.init(tmp_path / "shared" / ".redun") as repository:
        make_execution(repository.store, repository.refs, 3, files=[MadeFile("out.bin", LARGE)])
        yield repository


@pytest.fixture
def open_with(tmp_path):
    """Open a repository whose settings name alternates."""
    opened = []

    def open_with(*places, name="mine", writable=True):
        folder = tmp_path / name / ".redun"
        Repository.init(folder).close()
        lines = "".join(f"    {place}\n" for place in places)
        (folder / "redun.ini").write_text(f"[repository]\nalternates =\n{lines}")
        warnings = []
        opened.append(Repository.open(folder, writable=writable, on_warning=warnings.append))
        return opened[-1], warnings

    yield open_with
    for repository in opened:
        repository.close()


def _snapshot(folder):
    return sorted((str(path), path.stat().st_mtime_ns) for path in folder.rglob("*"))


def test_an_alternate_answers_and_is_never_written(shared, open_with):
    """Objects, large contents, listings and prefixes come from the alternate; nothing changes there."""
    before = _snapshot(shared.path)
    mine, warnings = open_with("../shared")
    for oid, kind in shared.store.iter_oids():
        assert mine.store.get(oid) == shared.store.get(oid)
        assert mine.store.has(oid)
        assert mine.store.kind_of(oid) == kind
        assert (oid, kind) in mine.store.find_prefix(oid.hex()[:8])
        if kind != Kind.BLOB:
            assert mine.store.get_node(oid) == shared.store.get_node(oid)
        else:
            assert mine.store.open(oid).read() == LARGE
            assert mine.store.blob_size(oid) == len(LARGE)
        assert mine.store.find_candidates(oid) == shared.store.find_candidates(oid)
        assert mine.store.find_producers(oid) == shared.store.find_producers(oid)
    assert sorted(mine.store.iter_oids()) == sorted(shared.store.iter_oids())
    assert _snapshot(shared.path) == before
    assert not warnings


def test_what_an_alternate_has_is_not_stored_again(shared, open_with, tmp_path):
    """Objects and contents that are put and that the alternate has take no room here."""
    mine, _ = open_with("../shared")
    made = make_execution(mine.store, mine.refs, 3, files=[MadeFile("out.bin", LARGE)])
    path = tmp_path / "out.bin"
    path.write_bytes(LARGE)
    mine.store.put_file(path)
    mine.store.seal()
    own = {reader.idx.oid_at(at) for reader in mine.store.packs.readers for at in range(len(reader))}
    assert not own & made.oids
    assert list(mine.store.blobs.iter_oids()) == []
    assert check_repository(mine).is_clean


def test_what_an_alternate_lacks_is_stored_here(shared, open_with):
    """New objects go to the own repository and link into the alternate; fsck and gc find all of it whole."""
    mine, _ = open_with("../shared")
    make_execution(mine.store, mine.refs, 3, seed=1)
    new = put_value(mine.store, "new")
    mine.store.seal()
    mine.store.finish()
    assert mine.store.packs.has(new)
    assert not shared.store.has(new)
    assert check_repository(mine).is_clean
    assert collect(mine, GcPolicy(grace_seconds=0)).n_kept == 1
    assert check_repository(mine).is_clean


def test_an_own_outcome_of_an_eval_that_the_alternate_has_is_found(shared, open_with):
    """An eval that was not stored again still has the outcomes that this process has just recorded."""
    from redun.objects.execution_records import JobStatus
    from redun.testing.object_store import put_jobs

    evaluated = put_value(shared.store, "eval")
    shared.store.seal()
    mine, _ = open_with("../shared")
    assert put_value(mine.store, "eval") == evaluated
    result = put_value(mine.store, "result")
    put_jobs(mine.store, [(evaluated, result, 1_000, JobStatus.DONE)])
    assert [one.target for one in mine.store.find_candidates(evaluated)] == [result]


def test_alternates_of_alternates_are_read_and_circles_end(shared, open_with):
    """An alternate's own alternates count, a repository that is come to twice counts once, and itself never."""
    below, _ = open_with("../shared", "../mine", name="below")
    value = put_value(below.store, "below")
    below.store.seal()
    below.store.finish()
    mine, warnings = open_with("../below", "../shared/.redun")
    assert [store.storage.location for store in mine.store.beyond.alternates] == [
        str(below.path),
        str(shared.path),
    ]
    assert mine.store.has(value)
    assert not warnings


def test_a_bare_repository_can_be_an_alternate(shared, open_with, tmp_path):
    """What a push made is one too: a tree without settings."""
    push(shared, Remote("bare", LocalStorage(tmp_path / "bare")))
    mine, _ = open_with("../bare")
    assert all(mine.store.has(oid) for oid, _ in shared.store.iter_oids())


def test_a_vanished_alternate_is_a_miss_with_one_warning(shared, open_with, tmp_path):
    """Without the alternate the repository opens; fsck names what is missing and why, and gc touches nothing."""
    mine, _ = open_with("../shared")
    made = make_execution(mine.store, mine.refs, 3, files=[MadeFile("out.bin", LARGE)])
    put_value(mine.store, 7)
    mine.store.seal()
    mine.store.finish()
    assert collect(mine, GcPolicy()).n_kept == 1
    mine.close()
    shutil.move(tmp_path / "shared", tmp_path / "elsewhere")
    again, warnings = open_with("../shared")
    assert len(warnings) == 1
    assert "../shared cannot be read" in warnings[0]
    assert not again.store.has(made.oid)
    report = check_repository(again)
    assert not report.is_clean
    assert [one.where for one in report.problems if one.what == "alternate"] == ["../shared"]
    assert any(made.oid.hex()[:8] in one.why for one in report.problems if one.severity is Severity.ERROR)
    with pytest.raises(GcRefused):
        collect(again, GcPolicy())


def test_an_alternate_that_vanishes_meanwhile_is_a_miss(shared, open_with, tmp_path):
    """A disk that goes away while it is in use is no failure: what it had is missing, and put again."""
    mine, _ = open_with("../shared")
    value = put_value(shared.store, "late")
    shared.store.seal()
    shutil.move(tmp_path / "shared", tmp_path / "elsewhere")
    mine.store.refresh(force=True)
    assert not mine.store.has(value)
    assert put_value(mine.store, "late") == value
    mine.store.seal()
    assert mine.store.packs.has(value)


def test_a_damaged_copy_in_an_alternate_is_put_again(shared, open_with):
    """What was found damaged over there is stored here when it is made anew; a large content is hashed before."""
    mine, _ = open_with("../shared")
    blob = next(oid for oid, kind in shared.store.iter_oids(int(Kind.BLOB)) if kind == Kind.BLOB)
    path = shared.path / "objects" / "blob" / blob.hex()[:2] / blob.hex()
    path.chmod(0o644)
    path.write_bytes(b"x" * len(LARGE))
    mine.store.put(blob, LARGE, int(Kind.BLOB))
    assert mine.store.open(blob).read() == LARGE
    assert list(mine.store.blobs.iter_oids()) == [blob]


def test_push_sends_what_only_an_alternate_has(shared, open_with):
    """A remote gets the whole execution, large contents included, wherever they lie."""
    mine, _ = open_with("../shared")
    make_execution(mine.store, mine.refs, 3, files=[MadeFile("out.bin", LARGE)])
    place = MemoryStorage()
    assert push(mine, Remote("origin", place)).executions == 1
    with Repository.init(mine.path.parent.parent / "other" / ".redun") as other:
        assert pull(other, Remote("origin", place)).executions == 1
        assert check_repository(other).is_clean
        assert list(other.store.blobs.iter_oids()) == list(shared.store.blobs.iter_oids())


def test_pull_brings_only_what_no_alternate_has(shared, open_with):
    """An execution that is whole in the alternate takes a ref here, and nothing else."""
    place = MemoryStorage()
    push(shared, Remote("origin", place))
    mine, _ = open_with("../shared")
    report = pull(mine, Remote("origin", place))
    assert (report.executions, report.objects) == (1, 0)
    assert not mine.store.packs.readers
    assert check_repository(mine).is_clean


def test_a_url_is_an_alternate_too(shared, open_with):
    """What lies at a URL is read through copies of its tables; a large content is found there."""
    url = "memory://alternates/shared"
    push(shared, Remote("bucket", open_storage(url)))
    mine, warnings = open_with(url)
    for oid, _ in shared.store.iter_oids():
        assert mine.store.get(oid) == shared.store.get(oid)
    made = make_execution(mine.store, mine.refs, 3, files=[MadeFile("out.bin", LARGE)])
    mine.store.seal()
    assert (
        not {oid for reader in mine.store.packs.readers for oid in map(reader.idx.oid_at, range(len(reader)))}
        & made.oids
    )
    assert check_repository(mine).is_clean
    assert not warnings


def test_a_url_that_cannot_be_reached_is_passed_over(open_with):
    """It is told of, and the repository works without it."""
    mine, warnings = open_with("memory://alternates/nothing", "nosuch://there")
    assert len(warnings) == len(mine.store.beyond.gone) == 2
    assert not mine.store.has(hash_blob(b"x"))


def test_places_are_told_apart_by_commas_and_lines(tmp_path):
    """Both forms of a list are read, and an empty one names nothing."""
    from redun.config import Config

    def places(text):
        config = Config()
        config.read_string(f"[repository]\nalternates = {text}\n")
        return config.repository.alternates

    assert places("a, b") == places("a\n  b") == places("\n  a,\n  b\n") == ("a", "b")
    assert places("") == ()


class TestStoreWithAnAlternate(ObjectStoreSuite):
    """The contract holds over an alternate that has nothing."""

    @pytest.fixture
    def store(self, open_with, tmp_path):
        Repository.init(tmp_path / "shared" / ".redun").close()
        return open_with("../shared")[0].store


def test_what_is_only_promised_to_an_alternate_is_missing(shared, open_with):
    """A content that a lazy pull over there has left elsewhere cannot be read from here."""
    oid = hash_blob(b"far away")
    shared.store.promises.add([Promise(oid, len(LARGE), "origin")])
    assert shared.store.has(oid)
    mine, _ = open_with("../shared")
    assert not mine.store.has(oid)
    assert mine.store.blob_size(oid) is None
