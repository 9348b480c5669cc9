"""`redun bundle create`, `apply` and `show` as they are typed."""

from __future__ import annotations

import json

import pytest

from redun.store.repository import Repository
from redun.testing.objects import execution_id, make_execution


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with two executions, the working directory; another, empty one beside it."""
    monkeypatch.delenv("REDUN_CONFIG", raising=False)
    for name in ("project", "other"):
        with Repository.init(tmp_path / name / ".redun") as repository:
            for seed in range(2 if name == "project" else 0):
                make_execution(repository.store, repository.refs, seed=seed)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def test_executions_go_through_a_file(project, redun):
    """Create, show and apply tell exactly what they did; again there is nothing to do."""
    assert redun("bundle", "create", "all.bundle").startswith("Wrote 2 executions into all.bundle: ")
    shown = redun("bundle", "show", "all.bundle")
    assert "all.bundle: 2 executions, " in shown
    assert f"{execution_id(0)[:8]} DONE  redun run made.py" in shown
    assert redun("-c", "../other/.redun", "bundle", "apply", "all.bundle").startswith("Took 2 executions out of ")
    assert redun("-c", "../other/.redun", "bundle", "apply", "all.bundle") == "All of all.bundle is here already.\n"
    assert redun("-c", "../other/.redun", "log").count("Exec ") == 2


def test_scripts_get_records(project, redun):
    """With --json each verb prints a record."""
    made = json.loads(redun("bundle", "create", "--json", "one.bundle", execution_id(1)[:8]))
    assert made["executions"] == 1
    listed = json.loads(redun("bundle", "show", "--json", "one.bundle"))
    assert [row["id"] for row in listed["executions"]] == [execution_id(1)]
    planned = json.loads(redun("-c", "../other/.redun", "bundle", "apply", "--json", "--dry-run", "one.bundle"))
    assert (planned["executions"], planned["dry_run"]) == (1, True)


def test_a_base_makes_it_thin(project, redun):
    """What a remote, or another bundle, has is left out; whoever lacks it is told what to get."""
    redun("remote", "add", "origin", "../shared")
    redun("push", "origin", execution_id(0)[:8])
    assert redun("bundle", "create", "--base", "origin", "thin.bundle").startswith("Wrote 1 execution into")
    assert "leaves out what origin at " in redun("-c", "../other/.redun", "bundle", "apply", "thin.bundle", code=1)
    redun("bundle", "create", "first.bundle", execution_id(0)[:8])
    assert redun("bundle", "create", "--base", "first.bundle", "also.bundle").startswith("Wrote 1 execution into")


def test_a_first_build_has_no_bundle_yet(project, redun):
    """With --if-exists a missing file is no error; without it, it is, and says so."""
    assert redun("bundle", "apply", "--if-exists", "none.bundle") == "There is no none.bundle.\n"
    assert "there is no bundle none.bundle" in redun("bundle", "apply", "none.bundle", code=1)
    (project / "text.bundle").write_text("something else")
    assert "is no bundle of redun" in redun("bundle", "apply", "text.bundle", code=1)
