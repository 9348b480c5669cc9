"""`redun purge` as it is typed, with a remote that has the same secret."""

from __future__ import annotations

import json

import pytest

from redun.objects.kinds import Kind
from redun.objects.value_records import ValueRecord
from redun.store.repository import Repository
from redun.testing.objects import make_execution

SECRET = "result 0/1"


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.delenv("REDUN_CONFIG", raising=False)
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with Repository.init(folder / ".redun") as repository:
        for seed in range(2):
            make_execution(repository.store, repository.refs, seed=seed)
    return folder


@pytest.fixture
def secret():
    return ValueRecord("str", "data", SECRET, []).encode()[0]


def _has(folder, oid):
    with Repository.open(folder / ".redun", writable=False) as repository:
        return repository.store.has(oid)


def test_it_tells_first_and_does_it_when_asked(project, redun, secret):
    """A dry run names what would go and from where; then it is gone, and show and fsck say why."""
    short = secret.hex()[:10]
    told = redun("purge", short)
    assert f"would be purged: value {secret.hex()}, in 1 pack\nwould be written anew: 1 pack\n" in told
    assert _has(project, secret)
    record = json.loads(redun("purge", short, "--apply", "--json"))
    assert record["objects"] == [
        {"oid": secret.hex(), "kind": "value", "packs": 1, "blob_bytes": 0, "was_purged": False, "in_alternate": False}
    ]
    assert not _has(project, secret)
    assert "was purged on" in redun("show", short, code=1)
    assert f"note: object {secret.hex()}: the value was purged on" in redun("fsck")
    assert "not here any more" in redun("purge", short)
    assert redun("log").count("Exec ") == 2
    assert "nothing on record is called 'ffff0000'" in redun("purge", "ffff0000", code=1)


def test_what_was_purged_does_not_come_back_with_a_pull(project, redun, secret):
    """Neither with its old execution nor with a new one of the same pack; once that is taken back, it does."""
    redun("remote", "add", "origin", "../hub")
    redun("push")
    redun("purge", secret.hex(), "--apply")
    for path in (project / ".redun" / "refs").rglob("*Z-*"):
        path.unlink()
    redun("gc", "--apply", "--grace", "0")
    assert "Pulled 2 executions" in redun("pull")
    assert not _has(project, secret)
    assert "Clean." in redun("fsck")
    assert "may come back with a pull" in redun("purge", "--undo", secret.hex(), "--apply")
    redun("pull")
    assert _has(project, secret)
    assert "note" not in redun("fsck")


def test_a_push_tells_the_remote_what_is_absent(project, redun, secret, tmp_path, monkeypatch):
    """So the remote is whole but for that, and so is who pulls from it, though neither ever had it."""
    redun("remote", "add", "origin", "../hub")
    redun("purge", secret.hex(), "--apply")
    assert "Pushed 2 executions" in redun("push")
    assert "the value was purged" in redun("-c", str(tmp_path / "hub"), "fsck")
    redun("clone", "../hub", "../clone")
    monkeypatch.chdir(tmp_path / "clone")
    assert "the value was purged" in redun("fsck")
    redun("bundle", "create", "all.bundle")
    redun("-c", str(tmp_path / "hub"), "gc")


def test_kinds_that_others_are_judged_by_are_refused(project, redun):
    """With a word on what to do instead."""
    with Repository.open(project / ".redun", writable=False) as repository:
        call = next(oid for oid, _ in repository.store.iter_oids(Kind.CALL))
    assert "found the call" in redun("purge", call.hex(), code=1)
