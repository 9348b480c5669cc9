"""`redun fsck` as it is typed: what it prints, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from redun.cli.errors import ExitCode
from redun.cli.main import main
from redun.store.repository import Repository
from redun.testing.objects import make_execution


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one execution, below the working directory."""
    monkeypatch.delenv("REDUN_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    with Repository.init(tmp_path / ".redun") as repository:
        make_execution(repository.store, repository.refs)
    return tmp_path / ".redun"


def test_a_clean_repository_exits_with_0(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what was checked."""
    assert main(["fsck"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Checked {folder} (full)"
    assert lines[1] == "  1 pack, 1 idx, 0 journals, 1 ref, 0 large contents"
    assert lines[2].startswith("  25 objects: call 4, ")
    assert lines[-1] == "Clean."
    assert main(["fsck", "--quick"]) == 0
    assert "(quick)" in capsys.readouterr().out


def test_damage_exits_with_1_and_names_the_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each finding is one line; JSON has the same."""
    (pack,) = (folder / "objects/pack").glob("*.pack")
    pack.write_bytes(pack.read_bytes()[:-1])
    assert main(["fsck"]) == ExitCode.FAILED
    out = capsys.readouterr().out
    assert f"error: pack objects/pack/{pack.name}: " in out
    assert out.splitlines()[-1].endswith("problems.")
    assert main(["fsck", "--json"]) == ExitCode.FAILED
    record = json.loads(capsys.readouterr().out)
    assert not record["clean"]
    assert record["problems"][0] == {
        **record["problems"][0],
        "severity": "error",
        "where": f"objects/pack/{pack.name}",
        "repaired": False,
    }


def test_repair_makes_an_idx_anew(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is repaired is said, and the exit code is 0."""
    (idx,) = (folder / "objects/pack").glob("*.idx")
    idx.unlink()
    assert main(["fsck"]) == ExitCode.FAILED
    assert main(["fsck", "--repair"]) == 0
    out = capsys.readouterr().out
    assert f"repaired: idx objects/pack/{idx.name}: it is missing" in out
    assert out.splitlines()[-1] == "Clean, 1 repaired."
    assert main(["fsck"]) == 0
