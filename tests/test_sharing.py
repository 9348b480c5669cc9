"""Remotes during runs that are started from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import redun
from redun import task
from redun.remotes.settings import RemoteUnknown
from redun.scheduler.scheduler import Scheduler
from redun.sharing import asking_remotes, push_run
from redun.store.repository import Repository
from redun.testing.objects import make_execution
from redun.upkeep import MAX_PACKS

redun_namespace = "test_sharing"
RAN: list[int] = []
SECTION = "[remotes.origin]\nurl = ../shared\nauto_pull = true\nauto_push = true\n"


@task(version="1")
def note(number: int) -> int:
    """Say that it ran."""
    RAN.append(number)
    return number + 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where projects are; their settings ask a remote, and push to it."""
    RAN.clear()
    for name in ("first", "second"):
        (tmp_path / name / ".redun").mkdir(parents=True)
        (tmp_path / name / ".redun" / "redun.ini").write_text(SECTION)
    return tmp_path


def test_runs_from_python_share_as_the_settings_say(folder: Path) -> None:
    """What one project has run, another one takes."""
    assert redun.run(note(1), config_dir=str(folder / "first/.redun")) == 2
    assert redun.run(note(1), config_dir=str(folder / "second/.redun")) == 2
    assert RAN == [1]
    with Repository.open(folder / "shared", writable=False) as shared:
        assert len(list(shared.refs.iter_names())) == 2


def test_packs_that_many_runs_have_left_are_merged(folder: Path) -> None:
    """By the one that brings one pack too many."""
    with Repository.init(folder / "shared") as shared:
        for seed in range(MAX_PACKS):
            make_execution(shared.store, shared.refs, seed=seed)
    assert redun.run(note(1), config_dir=str(folder / "first/.redun")) == 2
    assert len(list((folder / "shared/objects/pack").glob("*.pack"))) == 1


def test_packs_that_cannot_be_merged_are_a_warning(folder: Path, monkeypatch) -> None:
    """The run was pushed by then."""

    def fail(*_arguments: object) -> None:
        raise RemoteUnknown("origin", [])

    monkeypatch.setattr("redun.upkeep.repack_remote", fail)
    with pytest.warns(RuntimeWarning, match="the packs at remote 'origin' were not merged: there is no remote"):
        assert redun.run(note(1), config_dir=str(folder / "first/.redun")) == 2
    with Repository.open(folder / "shared", writable=False) as shared:
        assert len(list(shared.refs.iter_names())) == 1


def test_a_push_that_fails_is_a_warning(folder: Path) -> None:
    """The value is that of the run."""
    (folder / "shared").mkdir()
    (folder / "shared/stranger").write_text("")
    with pytest.warns(RuntimeWarning, match="this run was not pushed"):
        assert redun.run(note(2), config_dir=str(folder / "first/.redun")) == 3


def test_a_repository_that_cannot_be_written_asks_nobody(folder: Path) -> None:
    """What came could not be kept: that is told once."""
    Repository.init(folder / "first/.redun").close()
    said: list[str] = []
    with Repository.open(folder / "first/.redun", writable=False) as repository:
        scheduler = Scheduler(backend=repository)
        with asking_remotes(scheduler.config, scheduler, repository, ["origin"], warn=said.append):
            assert scheduler.lookups is None
        assert push_run(scheduler.config, repository, "0", said.append) == []
    assert len(said) == 1


def test_an_unknown_remote_is_an_error(folder: Path) -> None:
    """Before anything runs."""
    with Repository.init(folder / "first/.redun") as repository:
        scheduler = Scheduler(backend=repository)
        with (
            pytest.raises(RemoteUnknown),
            asking_remotes(scheduler.config, scheduler, repository, ["orgin"], warn=RAN.append),
        ):
            scheduler.run(note(3))
    assert RAN == []


def test_nothing_is_asked_behind_a_run(folder: Path) -> None:
    """The scheduler forgets the remotes, and what was kept for the run is removed."""
    with Repository.init(folder / "first/.redun") as repository:
        scheduler = Scheduler(backend=repository)
        with asking_remotes(scheduler.config, scheduler, repository, ["origin"], warn=pytest.fail):
            assert scheduler.lookups is not None
            scheduler.run(note(4))
        assert scheduler.lookups is None
