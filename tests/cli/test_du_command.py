"""`redun du` as it is typed."""

from __future__ import annotations

import json

import pytest

from redun.store.repository import Repository
from redun.testing.objects import execution_id, make_execution


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """The working directory is a project with two executions."""
    monkeypatch.chdir(tmp_path)
    with Repository.init(tmp_path / ".redun") as repository:
        for seed in range(2):
            make_execution(repository.store, repository.refs, seed=seed)


def test_it_tells_what_takes_room(redun):
    """One line for each part, and the objects by kind."""
    lines = redun("du").splitlines()
    assert lines[0].endswith("KiB")
    assert [line.split("  ")[1] for line in lines[1:4]] == ["packs", "lookup tables", "large contents"]
    assert "execution 2" in lines[-1]
    assert json.loads(redun("du", "--json"))["objects"]["execution"] == 2


def test_it_tells_what_an_execution_takes(redun):
    """By a prefix of its id, or - for the newest; one that there is not is an error."""
    assert redun("du", execution_id(0)[:8], "-").startswith("needed by 2 executions: ")
    record = json.loads(redun("du", "--json", "-"))
    assert 0 < record["own_bytes"] < record["needed_bytes"]
    assert "no execution has an id that begins with" in redun("du", "ffffffff", code=1)
