"""`redun fsck` as it is typed: what it prints, and its exit code."""

from __future__ import annotations

import json
import shutil
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


@pytest.fixture
def damaged(folder: Path) -> Path:
    """The pack of a repository that was pushed to two remotes, with a wrong byte in it now."""
    for name in ("origin", "hub"):
        assert main(["remote", "add", name, f"../{folder.parent.name}-{name}"]) == 0
        assert main(["push", "-q", name]) == 0
    (pack,) = (folder / "objects/pack").glob("*.pack")
    content = bytearray(pack.read_bytes())
    content[60] ^= 1
    pack.write_bytes(content)
    return pack


def test_damage_is_told_with_who_may_have_it(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line names the remotes, which were not asked."""
    assert main(["fsck"]) == ExitCode.FAILED
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "`redun fsck --repair` may bring what is damaged or missing from origin, hub."
    assert main(["fsck", "--json"]) == ExitCode.FAILED
    assert json.loads(capsys.readouterr().out)["repair_from"] == ["origin", "hub"]
    assert damaged.exists()


def test_repair_brings_it_from_the_remotes(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each line tells from where, the exit code is 0, and so it is afterwards."""
    assert main(["fsck", "--repair"]) == 0
    out = capsys.readouterr().out
    assert f"repaired from origin: pack objects/pack/{damaged.name}: its content hashes to " in out
    assert out.splitlines()[-1].startswith("Clean, ")
    assert main(["fsck"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Clean."


def test_repair_asks_only_those_it_is_told_to(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By name or by place; JSON has each source."""
    assert main(["fsck", "--repair", "--from", "hub", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["clean"]
    assert {problem["repaired_from"] for problem in record["problems"]} == {"hub"}
    damaged.write_bytes(b"")
    place = f"../{damaged.parents[3].name}-origin"
    assert main(["fsck", "--repair", "--from", place]) == 0
    assert f"repaired from {place}: " in capsys.readouterr().out


def test_a_bundle_repairs_as_a_remote_does(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever has the objects will do."""
    assert main(["fsck", "--repair"]) == 0
    assert main(["bundle", "create", "all.bundle"]) == 0
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert main(["fsck", "--repair", "--from", "all.bundle"]) == 0
    assert "repaired from all.bundle: pack " in capsys.readouterr().out
    assert main(["fsck"]) == 0


def test_a_remote_that_is_gone_is_a_warning(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the others have comes."""
    shutil.rmtree(damaged.parents[3].parent / f"{damaged.parents[3].name}-origin")
    assert main(["fsck", "--repair"]) == 0
    printed = capsys.readouterr()
    assert "warning: remote 'origin'" in printed.err
    assert "repaired from hub: " in printed.out


def test_where_to_repair_from_is_asked_with_repair_alone(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And it must be a remote or a place."""
    assert main(["fsck", "--from", "hub"]) == ExitCode.USAGE
    assert "--repair" in capsys.readouterr().err
    assert main(["fsck", "--repair", "--from", "nobody"]) == ExitCode.FAILED
    assert "'nobody'" in capsys.readouterr().err
    assert damaged.exists()


WORKFLOW = """
from redun import task

redun_namespace = "mended"


@task()
def part(n: int):
    return [n, b"x" * 1_100_000]


@task()
def main(size: int = 5):
    return [part(n) for n in range(size)]
"""


def test_a_run_after_a_repair_finds_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Packs and contents are damaged, repaired and read: no job runs again, and the result is the same."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    Path("wf.py").write_text(WORKFLOW)
    for words in (["run", "wf.py", "main"], ["remote", "add", "origin", "../shared"], ["push"]):
        assert main(words) == 0
    for path in (*Path(".redun/objects/pack").glob("*.pack"), *Path(".redun/objects/blob").glob("*/*")):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] + b"?")
    assert main(["fsck"]) == ExitCode.FAILED
    assert main(["fsck", "--repair"]) == 0
    capsys.readouterr()
    assert main(["run", "wf.py", "main"]) == 0
    told = capsys.readouterr().err
    assert "Cached Job" in told
    assert "Run    Job" not in told
