"""`redun gc` as it is typed."""

from __future__ import annotations

import json

import pytest

from redun.store.repository import Repository
from redun.testing.objects import execution_id, make_execution

LARGE = b"large " * 200_000


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.delenv("REDUN_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    with Repository.init(tmp_path / ".redun") as repository:
        for seed in range(3):
            make_execution(repository.store, repository.refs, seed=seed, blobs=[LARGE + bytes([seed])])
    return tmp_path


def test_it_tells_first_and_does_it_when_asked(project, redun):
    """A dry run names what would go and why; --apply condemns it, and with no grace period deletes it."""
    told = redun("gc", "--keep-executions", "1")
    assert "kept: 1 execution, 1.1 MiB" in told
    assert "would be dropped: 2 executions" in told
    assert f"  {execution_id(1)[:8]} redun run made.py main --seed 1: not among the newest 1" in told
    assert "Nothing was changed; --apply does it." in told
    assert redun("log").count("Exec ") == 3
    assert "waiting" not in redun("gc", "--keep-executions", "1", "--apply")
    assert "waiting for the end of the grace period: 2.3 MiB" in redun("gc")
    assert redun("log").count("Exec ") == 1
    assert "deleted: 2.3 MiB" in redun("gc", "--apply", "--grace", "0")
    assert "error" not in redun("fsck")
    assert "kept: 1 execution, 1.1 MiB\ndeleted: 0 bytes\n" in redun("gc", "--apply")


def test_scripts_get_a_record(project, redun):
    """With --json each number has a name."""
    record = json.loads(redun("gc", "--json", "--max-size", "2500K", "--apply", "--grace", "0"))
    assert record["kept_executions"] == 2
    assert [one["id"] for one in record["dropped"]] == [execution_id(0)]
    assert "more than 2560000 bytes" in record["dropped"][0]["why"]
    assert record["deleted_bytes"] > len(LARGE)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--grace", "soon"], "expected a time such as 24h"),
        (["--max-size", "big"], "expected a size such as 500M"),
        (["--keep-executions", "-1"], "-1"),
    ],
)
def test_what_cannot_be_meant_is_refused(project, redun, words, why):
    """A wrong option is told, and nothing is done."""
    assert why in redun("gc", "--apply", *words, code=2)
    assert redun("log").count("Exec ") == 3


def test_a_damaged_repository_is_refused(project, redun):
    """With a malformed ref nothing is collected, and the way out is told."""
    (ref, *_) = sorted((project / ".redun/refs/executions").iterdir())
    ref.write_text("nonsense")
    said = redun("gc", "--apply", "--keep-executions", "0", code=1)
    assert "nothing of" in said
    assert "redun fsck" in said


def test_a_namespace_is_dropped_when_that_is_asked(project, redun, tmp_path):
    """Told first; then its folder goes and nothing else."""
    redun("remote", "add", "hub", "hub")
    redun("remote", "add", "--namespace", "pr-1", "mine", "hub")
    redun("push", "hub", "-")
    redun("push", "mine")
    assert "would be deleted: 6 files of namespace pr-1" in redun("gc", "--remote", "hub", "--drop-namespace", "pr-1")
    assert "there is no namespace 'pr-2'; there are pr-1" in redun(
        "gc", "--remote", "hub", "--drop-namespace", "pr-2", code=1
    )
    record = json.loads(redun("gc", "--remote", "hub", "--drop-namespace", "pr-1", "--apply", "--json"))
    assert (record["name"], record["applied"]) == ("pr-1", True)
    assert not [path for path in (tmp_path / "hub" / "namespaces").rglob("*") if path.is_file()]
