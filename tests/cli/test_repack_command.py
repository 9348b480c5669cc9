"""`redun repack` as it is typed."""

from __future__ import annotations

import json

import pytest

from redun.store.repository import Repository
from redun.testing.objects import make_execution


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """The working directory is a project with three packs of equal size."""
    monkeypatch.chdir(tmp_path)
    with Repository.init(tmp_path / ".redun") as repository:
        for seed in range(3):
            make_execution(repository.store, repository.refs, seed=seed)


def test_packs_are_merged(redun, tmp_path):
    """Into one here; all that was there is there, and a second time there is nothing to do."""
    n_packs = json.loads(redun("repack", "--dry-run", "--json"))["packs"]
    assert redun("repack", "--dry-run").startswith(f"would merge {n_packs} packs of {n_packs}, ")
    assert len(list(tmp_path.glob(".redun/objects/pack/*.pack"))) == n_packs
    assert redun("repack").startswith(f"merged {n_packs} packs into one of ")
    assert len(list(tmp_path.glob(".redun/objects/pack/*.pack"))) == 1
    assert redun("repack") == "nothing to merge: 1 pack\n"
    redun("fsck")


def test_a_script_can_read_what_was_done(redun):
    """How many packs there were, which were merged, and what came of it."""
    record = json.loads(redun("repack", "--all", "--json"))
    assert record["merged"] == record["packs"] > 1
    assert record["packs_after"] == 1
    assert 0 < record["new_bytes"] < record["merged_bytes"]


def test_a_damaged_pack_is_left_alone(redun, tmp_path):
    """Nothing is removed, and who asked is told to check."""
    pack = next(iter(sorted(tmp_path.glob(".redun/objects/pack/*.pack"))))
    content = bytearray(pack.read_bytes())
    content[60] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(content)
    before = sorted(tmp_path.glob(".redun/objects/pack/*.pack"))
    assert "redun fsck" in redun("repack", "--all", code=1)
    assert set(before) <= set(tmp_path.glob(".redun/objects/pack/*.pack"))
