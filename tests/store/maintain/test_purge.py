"""Purging: no byte is left, everything else is, and whoever looks is told why."""

from __future__ import annotations

import os
import time

import pytest

from redun.objects.codec import encode_node
from redun.objects.kinds import Kind
from redun.objects.value_records import ValueRecord
from redun.store.absent import Cause, ObjectAbsent
from redun.store.base import ObjectMissing
from redun.store.condemned import write_condemned
from redun.store.maintain.fsck import Severity, check_repository
from redun.store.maintain.gc import collect
from redun.store.maintain.gc_policy import GcPolicy
from redun.store.maintain.purge import NotPurgeable, PurgeRefused, plan_purge, purge, take_back
from redun.store.maintain.repack import consolidate
from redun.store.repository import Repository
from redun.testing.objects import MadeFile, make_execution
from redun.testing.probed import Crash

SECRET = b"correct horse battery staple "
LARGE = SECRET * 50_000


@pytest.fixture
def repository(tmp_path):
    with Repository.init(tmp_path / ".redun") as opened:
        yield opened


def _put_secret(repository):
    oid, data = ValueRecord("str", "data", SECRET.decode(), []).encode()
    repository.store.put(oid, data, Kind.VALUE)
    repository.store.seal()
    repository.store.finish()
    return oid


def _grep(repository, secret=SECRET):
    """Return where a secret is, as anybody would look who has the files: packs decompressed."""
    with Repository.open(repository.path, writable=False) as fresh:
        objects = [oid for oid, _ in fresh.store.iter_oids() if secret in fresh.store.get(oid)]
    files = [path for path in repository.path.rglob("*") if path.is_file() and secret in path.read_bytes()]
    return [*objects, *files]


def _purge(repository, *oids):
    report = plan_purge(repository, oids)
    purge(repository, report)
    return report


def test_nothing_is_left_of_a_purged_value(repository):
    """Its pack is written anew with all the rest; the reader is told when it went."""
    oid = _put_secret(repository)
    make_execution(repository.store, repository.refs)
    others = {other for other, _ in repository.store.iter_oids()} - {oid}
    consolidate(repository.store)
    assert _grep(repository)
    report = plan_purge(repository, [oid])
    assert (report.objects[0].n_packs, len(report.rewritten)) == (1, 1)
    assert _grep(repository)
    purge(repository, report)
    assert _grep(repository) == []
    assert {other for other, _ in repository.store.iter_oids()} == others
    with pytest.raises(ObjectAbsent, match=r"was purged on \d{4}-\d\d-\d\d"):
        repository.store.get(oid)


def test_contents_go_with_the_value_or_file_that_they_are_part_of(repository):
    """A large content is a file of its own, and a value's node holds a link to it."""
    made = make_execution(repository.store, repository.refs, files=[MadeFile("a.txt", LARGE)])
    file = next(oid for oid, _, kind in made.objects if kind == Kind.FILE)
    report = _purge(repository, file)
    assert [one.kind for one in report.objects] == [Kind.FILE, Kind.BLOB]
    assert _grep(repository) == []


def test_fsck_tells_purged_from_lost(repository):
    """What was purged is a note; a value that is back again is told as well; what else is missing is an error."""
    made = make_execution(repository.store, repository.refs)
    value = next(oid for oid, _, kind in made.objects if kind == Kind.VALUE)
    _purge(repository, value)
    report = check_repository(repository)
    assert report.is_clean
    assert [(problem.severity, problem.where) for problem in report.problems] == [(Severity.NOTE, value.hex())]
    oid, data, kind = next(row for row in made.objects if row[0] == value)
    repository.store.put(oid, data, kind)
    repository.store.seal()
    repository.store.finish()
    assert "and is here" in check_repository(repository).problems[0].why


def test_gc_goes_on_without_what_was_purged(repository):
    """An execution that needs it is kept as it is."""
    made = make_execution(repository.store, repository.refs)
    value = next(oid for oid, _, kind in made.objects if kind == Kind.VALUE)
    _purge(repository, value)
    collect(repository, GcPolicy(grace_seconds=0))
    assert all(repository.store.has(oid) for oid in made.oids - {value})


def test_condemned_packs_are_purged_too(repository):
    """What gc will delete tomorrow can be read today."""
    oid = _put_secret(repository)
    write_condemned(repository.storage, [reader.name for reader in repository.store.packs.readers], [], 10**15)
    os.utime(next(repository.path.glob("objects/pack/*.condemned")), (time.time() + 9, time.time() + 9))
    repository.store.refresh(force=True)
    assert repository.store.packs.condemned
    _purge(repository, oid)
    assert _grep(repository) == []


def test_leftovers_of_killed_processes_go(repository):
    """A file that was half written may hold anything; a young one may be somebody's at this moment, and is told."""
    oid = _put_secret(repository)
    old, young = (repository.path / "objects" / "pack" / f".tmp-{name}" for name in ("old", "young"))
    cut_off = repository.path / "cache" / "fetch-abc"
    cut_off.mkdir(parents=True)
    for path in (old, young, cut_off / "pack"):
        path.write_bytes(SECRET)
    for path in (old, cut_off):
        os.utime(path, (1, 1))
    report = _purge(repository, oid)
    assert not old.exists()
    assert not cut_off.exists()
    assert report.unread == [str(young)]


def test_nothing_is_purged_while_a_run_goes_on(repository):
    """It may hold the object in its journal, or merge packs at its end."""
    oid = _put_secret(repository)
    with Repository.open(repository.path) as other:
        other.store.put(*encode_node(Kind.UNIT, [], ["function", "m.f", b"x" * 32]), Kind.UNIT)
        other.store.flush()
        with pytest.raises(PurgeRefused):
            _purge(repository, oid)
    assert repository.store.has(oid)


@pytest.mark.parametrize("kind", [Kind.CALL, Kind.EVAL, Kind.TASK, Kind.JOBS, Kind.EXECUTION, Kind.TAG])
def test_what_others_are_judged_by_is_never_purged(repository, kind):
    """The error says what is, and what to do instead."""
    made = make_execution(repository.store, repository.refs)
    with pytest.raises(NotPurgeable, match="expected a value"):
        plan_purge(repository, [next(oid for oid, _, found in made.objects if found == kind)])


def test_what_nobody_knows_cannot_be_purged(repository):
    """A mistyped hash is no success."""
    with pytest.raises(ObjectMissing):
        plan_purge(repository, [b"x" * 32])


def test_a_purge_that_was_killed_is_done_by_asking_again(repository, monkeypatch):
    """After each write: either it is whole and noted, or it is gone and noted; never is anything else lost."""
    oid = _put_secret(repository)
    make_execution(repository.store, repository.refs)
    consolidate(repository.store)
    others = {other for other, _ in repository.store.iter_oids()} - {oid}
    write, delete = type(repository.storage).write, type(repository.storage).delete
    for limit in range(5):  # a list, a pack, its idx; then the old pack goes, and its idx
        left = [limit]

        def fail(self, name, *args, verb, left=left):
            if not left[0]:
                raise Crash
            left[0] -= 1
            return verb(self, name, *args)

        with monkeypatch.context() as patch:
            patch.setattr(type(repository.storage), "write", lambda *args: fail(*args, verb=write))
            patch.setattr(type(repository.storage), "delete", lambda *args: fail(*args, verb=delete))
            with pytest.raises(Crash):
                _purge(repository, oid)
        repository.store.refresh(force=True)
        assert all(repository.store.has(other) for other in others)
        assert limit == 0 or repository.store.find_absence(oid) is not None
    _purge(repository, oid)
    assert _grep(repository) == []
    assert {other for other, _ in repository.store.iter_oids()} == others


def test_a_purge_can_be_taken_back(repository):
    """Then it may come again, and counts as missing until it does; the later word holds even when clocks go back."""
    oid = _put_secret(repository)
    _purge(repository, oid)
    assert take_back(repository, [oid], clock=lambda: 5) == [oid]
    assert repository.store.find_absence(oid).cause is Cause.WITHHELD
    assert take_back(repository, [oid]) == []
    _purge(repository, oid)
    assert repository.store.find_absence(oid).cause is Cause.PURGED
