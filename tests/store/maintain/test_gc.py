"""Collecting garbage: what is kept stays whole, the rest goes in two steps, and whatever is in use is left alone."""

from __future__ import annotations

import os
import time

import pytest

from redun.objects.execution_records import RunSubject, TagRecord
from redun.objects.kinds import Kind
from redun.objects.links import walk
from redun.store.blobs import blob_name
from redun.store.condemned import list_condemned
from redun.store.maintain import gc_choose
from redun.store.maintain.fsck import check_repository
from redun.store.maintain.gc import collect, plan_gc
from redun.store.maintain.gc_policy import GcPolicy, GcRefused
from redun.store.maintain.repack import consolidate
from redun.store.pack_format import pack_name
from redun.store.repository import Repository
from redun.store.tagging import write_tag_edit
from redun.testing.objects import MadeFile, build_execution, make_execution
from redun.testing.probed import Crash

LARGE = b"large " * 200_000
AT_ONCE = 0.0
DAY_SECONDS = 24 * 3600


@pytest.fixture
def repository(tmp_path):
    with Repository.init(tmp_path / ".redun") as opened:
        yield opened


def _make(repository, seed, n_jobs=5, **parts):
    return make_execution(repository.store, repository.refs, n_jobs, seed=seed, **parts)


def _check(repository, kept, gone=()):
    """Check that some executions are whole, that others left nothing behind, and that fsck finds nothing."""
    with Repository.open(repository.path, writable=False) as fresh:
        names = {ref.name for ref in fresh.refs.iter_refs()}
        assert names == {made.ref.name for made in kept}
        needed = {oid for made in kept for oid in made.oids}
        for made in kept:
            for _ in walk([made.oid], fresh.store.find_kind_and_data):
                pass
        for made in gone:
            assert not fresh.refs.find(made.ref.execution_id)
            assert not any(fresh.store.has(oid) for oid in made.oids - needed)
        problems = check_repository(fresh).problems
        assert problems == ()


def _age(repository, seconds):
    """Let all lists of condemned things be older."""
    moment = time.time() - seconds
    for condemned in list_condemned(repository.storage):
        path = repository.storage.path / condemned.name
        os.utime(path, (moment, moment))
    for folder in ("objects/pack", "objects/blob"):
        for path in (repository.storage.path / folder).rglob("*"):
            if path.is_file() and path.suffix != ".condemned":
                os.utime(path, (moment - 10, moment - 10))


def test_a_repository_without_garbage_is_left_alone(repository):
    """All executions are kept when nobody says otherwise, and no file is written."""
    made = [_make(repository, seed, blobs=[LARGE]) for seed in range(3)]
    before = sorted(path.name for path in repository.path.rglob("*"))
    plan = collect(repository, GcPolicy(grace_seconds=AT_ONCE))
    assert (plan.n_kept, plan.dropped, plan.deleted_bytes, plan.condemned_bytes) == (3, [], 0, 0)
    assert sorted(path.name for path in repository.path.rglob("*")) == before
    _check(repository, made)


@pytest.mark.parametrize(
    ("policy", "n_kept"),
    [
        (GcPolicy(keep_executions=2), 2),
        (GcPolicy(keep_executions=0), 0),
        (GcPolicy(keep_days=1e6), 4),
        (GcPolicy(keep_days=0.0), 0),
        (GcPolicy(keep_executions=1, keep_days=0.0), 1),
        (GcPolicy(max_bytes=0), 0),
        (GcPolicy(max_bytes=1 << 40), 4),
    ],
)
def test_the_policy_says_what_is_kept(repository, policy, n_kept):
    """The newest, by number, by age, or by what they need on disk; each that is not kept is told with a reason."""
    for seed in range(4):
        _make(repository, seed)
    plan = plan_gc(repository, policy)
    assert plan.n_kept == n_kept
    assert len(plan.dropped) == 4 - n_kept
    assert all(dropped.why for dropped in plan.dropped)
    assert [dropped.ref.name for dropped in plan.dropped] == sorted(
        (dropped.ref.name for dropped in plan.dropped), reverse=True
    )


def test_a_size_keeps_the_newest_that_fit(repository):
    """Large contents count with their size: the older of two executions does not fit any more."""
    old = _make(repository, 0, blobs=[LARGE + b"old"])
    new = _make(repository, 1, blobs=[LARGE + b"new"])
    collect(repository, GcPolicy(max_bytes=int(1.5 * len(LARGE)), grace_seconds=AT_ONCE))
    _check(repository, [new], [old])


def test_what_goes_is_gone_and_what_stays_is_whole(repository):
    """Objects, large contents and kept files of dropped executions are deleted; what others share with them stays."""
    old = _make(repository, 0, 40, files=[MadeFile("a", b"shared"), MadeFile("b", b"old")], blobs=[LARGE + b"0"])
    new = _make(repository, 1, 40, files=[MadeFile("a", b"shared")], blobs=[LARGE + b"1"])
    plan = collect(repository, GcPolicy(keep_executions=1, grace_seconds=AT_ONCE))
    assert plan.deleted_bytes > len(LARGE)
    assert plan.condemned_bytes == 0
    _check(repository, [new], [old])
    assert list_condemned(repository.storage) == []


def test_a_dry_run_changes_nothing(repository):
    """Planning tells what would go, and deletes, writes and condemns nothing."""
    _make(repository, 0, blobs=[LARGE])
    made = _make(repository, 1)
    before = {path: path.stat().st_mtime_ns for path in repository.path.rglob("*")}
    plan = plan_gc(repository, GcPolicy(keep_executions=1))
    assert len(plan.dropped) == 1
    assert plan.condemned_bytes > len(LARGE)
    assert {path: path.stat().st_mtime_ns for path in repository.path.rglob("*")} == before
    assert repository.store.has(made.oid)


def test_nothing_is_deleted_before_the_grace_period(repository):
    """The first collection condemns; one a day later deletes."""
    old, new = _make(repository, 0, blobs=[LARGE]), _make(repository, 1)
    first = collect(repository, GcPolicy(keep_executions=1))
    assert first.deleted_bytes == 0
    assert first.condemned_bytes > len(LARGE)
    assert repository.store.get(old.oid)
    again = collect(repository, GcPolicy(keep_executions=1))
    assert (again.condemned_bytes, again.deleted_bytes) == (0, 0)
    assert again.waiting_bytes == pytest.approx(first.condemned_bytes, rel=0.01)
    _age(repository, DAY_SECONDS + 60)
    assert collect(repository, GcPolicy(keep_executions=1)).deleted_bytes == again.waiting_bytes
    _check(repository, [new], [old])


def test_nothing_new_is_built_on_what_is_condemned(repository):
    """A condemned result answers no look-up, and what is put again is written again."""
    old = _make(repository, 0, blobs=[LARGE])
    _make(repository, 1)
    evals = [oid for oid, _, kind in old.objects if kind == Kind.EVAL]
    assert any(repository.store.find_candidates(oid) for oid in evals)
    collect(repository, GcPolicy(keep_executions=1))
    with Repository.open(repository.path) as fresh:
        assert not any(fresh.store.find_candidates(oid) for oid in evals if not fresh.store.packs.has(oid))
        for oid, data, kind in old.objects:
            fresh.store.put(oid, data, kind)
        again = make_execution(fresh.store, fresh.refs, 5, seed=0, blobs=[LARGE])
    _age(repository, DAY_SECONDS + 60)
    collect(repository, GcPolicy())
    assert repository.store.get(again.oid)
    with Repository.open(repository.path, writable=False) as fresh:
        for _ in walk([again.oid], fresh.store.find_kind_and_data):
            pass


def test_what_is_needed_again_is_taken_off_the_list(repository):
    """A ref that came in the grace period, as that of a run or a pull that had begun before, keeps what it needs."""
    old, new = _make(repository, 0, blobs=[LARGE]), _make(repository, 1)
    collect(repository, GcPolicy(keep_executions=1))
    repository.refs.write(old.ref)
    _age(repository, DAY_SECONDS + 60)
    plan = collect(repository, GcPolicy())
    assert plan.n_rescued > 0
    _check(repository, [old, new])


def test_a_pack_that_is_needed_again_as_a_whole_comes_back(repository):
    """Written anew it has the name that it had, and is not deleted under it."""
    made = _make(repository, 0, 20)
    collect(repository, GcPolicy(keep_executions=0))
    repository.refs.write(made.ref)
    _age(repository, DAY_SECONDS + 60)
    collect(repository, GcPolicy())
    _check(repository, [made])


def test_of_a_pack_that_is_needed_again_only_that_part_comes_back(repository):
    """What else it holds may link to what is deleted: it goes, and fsck finds nothing."""
    made = [_make(repository, seed, 20, blobs=[LARGE + bytes([seed])]) for seed in range(3)]
    consolidate(repository.store)
    collect(repository, GcPolicy(keep_executions=1))
    repository.refs.write(made[0].ref)
    _age(repository, DAY_SECONDS + 60)
    assert collect(repository, GcPolicy()).n_rescued > 0
    _check(repository, [made[0], made[2]], [made[1]])


def test_fsck_finds_nothing_in_the_grace_period(repository):
    """Condemned packs are sound, and a list of them belongs where it is."""
    _make(repository, 0, 20, blobs=[LARGE])
    new = _make(repository, 1)
    collect(repository, GcPolicy(keep_executions=1))
    assert list_condemned(repository.storage)
    _check(repository, [new])


def test_a_running_process_is_a_root(repository):
    """What a live journal links to stays, though no ref leads to it yet."""
    old = _make(repository, 0)
    _make(repository, 1)
    with Repository.open(repository.path) as other:
        (tip,) = [(oid, data, kind) for oid, data, kind in old.objects if oid == old.oid]
        other.store.put(*tip)
        jobs = build_execution(3, seed=7)
        for oid, data, kind in jobs.objects:
            other.store.put(oid, data, kind)
        other.store.flush()
        collect(repository, GcPolicy(keep_executions=0, grace_seconds=AT_ONCE))
        with Repository.open(repository.path, writable=False) as fresh:
            for oid, data, _ in jobs.objects:
                assert fresh.store.get(oid) == data


def test_executions_seen_at_a_remote_are_kept_alike(repository):
    """A remote-tracking ref is a root, and is dropped with the execution that it tells of."""
    old, new = _make(repository, 0), _make(repository, 1)
    for made in (old, new):
        repository.refs.write(made.ref, remote="origin")
    repository.storage.delete(f"refs/executions/{new.ref.name}")
    plan = collect(repository, GcPolicy(keep_executions=1, grace_seconds=AT_ONCE))
    assert [dropped.ref.name for dropped in plan.dropped] == [old.ref.name]
    assert [ref.name for ref in repository.refs.iter_refs(remote="origin")] == [new.ref.name]
    assert repository.store.has(new.oid)


def test_tags_go_with_the_execution_that_they_speak_of(repository):
    """An edit that speaks only of a dropped execution is dropped; one of another stays."""
    old, new = _make(repository, 0), _make(repository, 1)
    for made in (old, new):
        subject = RunSubject(made.record.execution_id, 0)
        write_tag_edit(repository, [TagRecord(subject, [], "note", '"x"', is_deleted=False)])
    plan = collect(repository, GcPolicy(keep_executions=1, grace_seconds=AT_ONCE))
    assert len(plan.dropped_tags) == 1
    assert len(list(repository.refs.iter_tag_names())) == 1
    _check(repository, [new], [old])


def test_a_pack_with_little_garbage_stays_as_it_is(repository):
    """Writing a large pack anew for a few objects would cost more than it frees; it stays whole and sound."""
    old, new = _make(repository, 0, 1), _make(repository, 1, 300)
    consolidate(repository.store)
    plan = collect(repository, GcPolicy(keep_executions=1, grace_seconds=AT_ONCE))
    assert plan.deleted_bytes == 0
    assert repository.store.has(old.oid)
    _check(repository, [new])


def test_a_repository_that_is_not_whole_is_refused(repository):
    """With a hole in what is to be kept nobody can tell what can be spared: nothing is changed."""
    made = _make(repository, 0, 30)
    _make(repository, 1, 2)
    (reader,) = [reader for reader in repository.store.packs.readers if reader.has(made.oid)]
    path = repository.storage.path / pack_name(reader.name)
    content = bytearray(path.read_bytes())
    content[40] ^= 0xFF
    path.write_bytes(content)
    with Repository.open(repository.path) as fresh, pytest.raises(GcRefused, match="missing or damaged"):
        collect(fresh, GcPolicy(grace_seconds=AT_ONCE))
    assert path.exists()
    ref = repository.storage.path / "refs/executions" / made.ref.name
    ref.write_text("nonsense")
    with Repository.open(repository.path) as fresh, pytest.raises(GcRefused, match="malformed"):
        collect(fresh, GcPolicy(keep_executions=0, grace_seconds=AT_ONCE))


@pytest.mark.parametrize("verb", ["write", "delete"])
def test_a_collection_that_is_killed_anywhere_is_finished_by_the_next(tmp_path, verb):
    """After each single write and each single delete what is kept is whole, and the next collection ends it."""
    for step in range(100):
        with Repository.init(tmp_path / str(step) / ".redun") as repository:
            old = _make(repository, 0, 30, blobs=[LARGE + b"0"])
            new = _make(repository, 1, 30, blobs=[LARGE + b"1"])
            consolidate(repository.store)
            if not _killed(repository, verb, step):
                return
            _check_whole(repository, new)
            for _ in range(2):
                collect(repository, GcPolicy(keep_executions=1, grace_seconds=AT_ONCE))
            _check(repository, [new], [old])
    pytest.fail("a collection that is not killed was never reached")


def _killed(repository, verb, step):
    """Collect, and die at one call of a verb of the storage; tell whether it came so far."""
    original = getattr(repository.storage, verb)
    calls = iter(range(1000))

    def dying(*arguments):
        if next(calls) == step:
            raise Crash(f"{verb} {step}")
        return original(*arguments)

    setattr(repository.storage, verb, dying)
    try:
        collect(repository, GcPolicy(keep_executions=1, grace_seconds=AT_ONCE))
    except Crash:
        return True
    finally:
        setattr(repository.storage, verb, original)
    return False


def _check_whole(repository, made):
    with Repository.open(repository.path, writable=False) as fresh:
        for reached in walk([made.oid], fresh.store.find_kind_and_data):
            assert reached.data is not None


def test_two_collections_at_once_do_no_harm(repository):
    """Each finds what the other has left, in any order."""
    old, new = _make(repository, 0, 20, blobs=[LARGE]), _make(repository, 1, 20)
    with Repository.open(repository.path) as other:
        plan_gc(other, GcPolicy(keep_executions=1))
        collect(repository, GcPolicy(keep_executions=1, grace_seconds=AT_ONCE))
        collect(other, GcPolicy(keep_executions=1, grace_seconds=AT_ONCE))
    _check(repository, [new], [old])


@pytest.mark.parametrize("what", ["pack", "blob"])
def test_what_is_written_again_during_a_collection_stays(repository, what):
    """A push that writes the same bytes under the same name, after the collection has looked, is not undone."""
    made = make_execution(repository.store, repository.refs, 3, seed=7, blobs=[LARGE])
    collect(repository, GcPolicy(keep_executions=0, grace_seconds=3600.0))
    _age(repository, 7200)
    storage, listing = repository.storage, repository.storage.iter_entries
    names = [entry.name for entry in listing(f"objects/{what}") if not entry.name.endswith(".condemned")]
    contents = {name: storage.read(name) for name in names}
    survey_is_over = []

    def write_again(prefix):
        if survey_is_over:
            for name, content in contents.items():
                storage.write(name, content)
        return listing(prefix)

    storage.iter_entries = write_again
    plan = gc_choose._plan

    def note_and_plan(*arguments):
        try:
            return plan(*arguments)
        finally:
            survey_is_over.append(True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc_choose, "_plan", note_and_plan)
        collect(repository, GcPolicy(grace_seconds=3600.0))
    assert made.oid is not None
    assert {name: storage.read(name) for name in names} == contents


def test_a_content_that_is_written_again_stays(repository):
    """A large content that some process puts anew while it is condemned is not deleted."""
    _make(repository, 0, blobs=[LARGE])
    _make(repository, 1)
    collect(repository, GcPolicy(keep_executions=1))
    (oid,) = repository.store.blobs.iter_oids()
    _age(repository, DAY_SECONDS + 60)
    with Repository.open(repository.path) as fresh:
        fresh.store.put(oid, LARGE, int(Kind.BLOB))
    collect(repository, GcPolicy(keep_executions=1))
    assert (repository.storage.path / blob_name(oid)).exists()
