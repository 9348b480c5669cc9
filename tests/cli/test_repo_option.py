"""`redun -r`: which repository a command works on, in place of the one that the settings name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from redun.cli.main import main
from redun.store.repository import Repository
from redun.testing.objects import execution_id, make_execution


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two projects with an execution each; the working directory is the first."""
    monkeypatch.delenv("REDUN_CONFIG", raising=False)
    for seed, name in enumerate(["here", "there"]):
        with Repository.init(tmp_path / name / ".redun") as repository:
            make_execution(repository.store, repository.refs, seed=seed)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def ids(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """Return the ids of the executions that `redun log` lists."""
    assert main([*words, "log", "--json"]) == 0
    return [one["id"] for one in json.loads(capsys.readouterr().out)]


@pytest.mark.parametrize("repo", ["../there", "../there/.redun", "{folder}/there", "file://{folder}/there", "origin"])
def test_a_repository_is_named_by_path_url_or_remote(
    folder: Path, repo: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A project stands for the repository in it; a remote's path starts at the project, another where it is typed."""
    assert main(["remote", "add", "origin", "../there"]) == 0
    assert ids(capsys, "-r", repo.format(folder=folder)) == [execution_id(1)]
    assert ids(capsys, "--repo", "default") == ids(capsys) == [execution_id(0)]


def test_it_may_be_made_and_pushed_from(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Settings and remotes stay those of the folder."""
    assert main(["remote", "add", "there", "../there"]) == 0
    assert main(["-r", "../new", "init"]) == 0
    assert main(["-r", "../new", "pull", "there"]) == 0
    assert main(["-r", "../new", "push", "there"]) == 0
    capsys.readouterr()
    assert ids(capsys, "-r", "../new") == [execution_id(1)]
    assert (folder / "new/objects/format").exists()


def test_a_name_that_nobody_knows_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the remotes that there are."""
    assert main(["remote", "add", "origin", "../there"]) == 0
    assert main(["-r", "orign", "log"]) == 1
    assert "there is no remote 'orign'; there are origin" in capsys.readouterr().err


def test_a_setting_that_nobody_reads_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt one would count as its default."""
    (folder / "here/.redun/redun.ini").write_text("[repository]\nurl = ../there\nendpiont = x\n")
    assert main(["log"]) == 2
    assert "redun.ini:3: [repository] endpiont: there is no such setting" in capsys.readouterr().err
