"""Garbage collection, forgetting and purging in a repository at a bucket, from a project that knows it as a remote."""

from __future__ import annotations

import dataclasses
import json

import pytest

from redun.cli.main import main
from redun.objects.kinds import Kind
from redun.store.location import open_storage
from redun.store.ref_texts import RefStatus
from redun.store.refs import Refs
from redun.store.repository import Repository
from redun.testing.objects import build_execution, execution_id, made_ref, make_execution

LARGE = b"large " * 200_000


@pytest.fixture
def redun(capsys, monkeypatch, tmp_path):
    """Runs a command in a folder, expects its exit code, and returns what it printed: its errors when it fails."""
    monkeypatch.delenv("REDUN_CONFIG", raising=False)

    def run(folder, *words, code=0):
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / folder)
        capsys.readouterr()
        found = main(list(words))
        printed = capsys.readouterr()
        assert found == code, printed.err
        return printed.out if not code else printed.err

    return run


@pytest.fixture
def bucket(s3_bucket, redun, tmp_path):
    """A bucket with three executions, each pushed on its own, and a project that knows it as its remote."""
    redun("project", "remote", "add", "hub", f"{s3_bucket}/results")
    for seed in range(3):
        with Repository.open(tmp_path / "project" / ".redun") as repository:
            make_execution(repository.store, repository.refs, seed=seed, blobs=[LARGE + bytes([seed])])
        redun("project", "push", "hub")
    _let_the_clock_tick(open_storage(f"{s3_bucket}/results"))
    return s3_bucket


def _let_the_clock_tick(storage):
    """Wait until the bucket's own clock, which counts seconds, says a later one than for all that is there."""
    latest = max(entry.modified_us for entry in storage.iter_entries(""))
    while True:
        storage.write("cache/probe", b"")
        if next(entry.modified_us for entry in storage.iter_entries("cache")) > latest:
            storage.delete("cache/probe")
            return


def test_a_bucket_is_collected_as_a_folder_is(bucket, redun, tmp_path):
    """Told first; condemned; then deleted once the grace period is over. What is kept can be cloned, whole."""
    told = redun("project", "gc", "--remote", "hub", "--keep-executions", "1")
    assert "would be dropped: 2 executions" in told
    assert "Nothing was changed" in told
    record = json.loads(redun("project", "gc", "--remote", "hub", "--keep-executions", "1", "--apply", "--json"))
    assert (len(record["dropped"]), record["deleted_bytes"]) == (2, 0)
    assert "waiting for the end of the grace period: 2.3 MiB" in redun("project", "gc", "--remote", "hub")
    record = json.loads(redun("project", "gc", "--remote", "hub", "--apply", "--grace", "0", "--json"))
    assert record["deleted_bytes"] > 2 * len(LARGE)
    redun(".", "clone", f"{bucket}/results", "copy")
    with Repository.open(tmp_path / "copy" / ".redun", writable=False) as copy:
        assert [ref.execution_id for ref in copy.refs.iter_refs()] == [execution_id(2)]
    assert "Clean." in redun("copy", "fsck")
    assert redun("project", "log").count("Exec ") == 3
    assert "Pushed 2 executions" in redun("project", "push", "hub")


def test_the_newest_that_fit_are_kept_at_a_bucket(bucket, redun):
    """By size, and by age: all of these are old."""
    told = redun("project", "gc", "--remote", "hub", "--max-size", "2500K")
    assert "would be dropped: 1 execution\n" in told
    assert "older than 30 days" in redun("project", "gc", "--remote", "hub", "--keep-days", "30")


def test_a_secret_is_purged_from_a_bucket(bucket, redun, tmp_path):
    """Its pack there is written anew; here it stays until it is purged here."""
    with Repository.open(tmp_path / "project" / ".redun", writable=False) as repository:
        value = next(oid for oid, _ in repository.store.iter_oids(Kind.VALUE))
    assert "written anew: 1 pack" in redun("project", "purge", "--remote", "hub", value.hex(), "--apply")
    redun(".", "clone", f"{bucket}/results", "copy")
    assert f"note: object {value.hex()}: the value was purged on" in redun("copy", "fsck")
    assert "value" in redun("project", "show", value.hex())
    assert "up to date" in redun("project", "push", "hub")


def test_a_result_is_forgotten_at_a_bucket(bucket, redun):
    """Whoever works in that repository does not get it any more."""
    told = redun("project", "forget", "--remote", "hub", "made.step", "--apply")
    assert "recorded outcome" in told
    assert redun("project", "-r", "hub", "forget", "made.step") == "Nothing is on record that could be forgotten.\n"
    assert "would be" in redun("project", "forget", "made.step")


def test_a_remote_that_is_not_listed_is_refused(bucket, redun):
    """A misspelt name collects nothing."""
    assert "there is no remote 'hob'" in redun("project", "gc", "--remote", "hob", code=1)


def test_what_a_run_elsewhere_may_build_on_is_not_deleted(bucket, redun, tmp_path):
    """A run at the bucket that began before something was condemned may not have seen that; its end is waited for."""
    redun("project", "gc", "--remote", "hub", "--keep-executions", "1", "--apply")
    made = build_execution(seed=9)
    running = dataclasses.replace(
        made_ref(made),
        status=RefStatus.RUNNING,
        object=None,
        end_us=None,
        writer="20250615T150640Z-elsewhere-1-00000000",
    )
    refs = Refs(open_storage(f"{bucket}/results"))
    refs.write(running)
    delete = ("gc", "--remote", "hub", "--apply", "--grace", "0", "--json")
    assert json.loads(redun("project", *delete))["deleted_bytes"] == 0
    refs.write(dataclasses.replace(running, status=RefStatus.INTERRUPTED, writer=None, end_us=running.start_us))
    assert json.loads(redun("project", *delete))["deleted_bytes"] > 2 * len(LARGE)
