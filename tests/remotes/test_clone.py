"""Clone: everything of another repository in a new place, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from redun.remotes.clone import CloneTargetTaken, clone
from redun.remotes.connect import connect
from redun.remotes.push import push
from redun.remotes.reach import NotARemote, RemoteDamaged
from redun.remotes.settings import add_remote, load_remotes
from redun.store.maintain.fsck import check_repository
from redun.store.repository import Repository
from redun.testing.objects import MadeExecution, MadeFile, make_execution


@pytest.fixture
def made(tmp_path: Path) -> list[MadeExecution]:
    """Two executions in ``tmp_path/project/.redun``."""
    with Repository.init(tmp_path / "project/.redun") as repository:
        return [
            make_execution(repository.store, repository.refs, seed=seed, files=[MadeFile("x", b"content")])
            for seed in (0, 1)
        ]


def test_a_clone_has_everything(tmp_path: Path, made: list[MadeExecution]) -> None:
    """Objects, refs and settings: it reads like the origin, and can push back to it."""
    report = clone(str(tmp_path / "project"), tmp_path / "copy")
    assert (report.executions, report.objects) == (2, len(made[0].oids | made[1].oids))
    with Repository.open(tmp_path / "copy/.redun") as repository:
        assert {ref.name: ref.object for ref in repository.refs.iter_refs()} == {one.ref.name: one.oid for one in made}
        for one in made:
            assert all(repository.store.get(oid) == data for oid, data, _ in one.objects)
        assert check_repository(repository).problems == ()
        new = make_execution(repository.store, repository.refs, seed=2)
        assert push(repository, connect(repository, "origin")).executions == 1
    with Repository.open(tmp_path / "project/.redun") as origin:
        assert origin.refs.read(new.ref.name).object == new.oid
        assert origin.store.has(new.oid)


def test_the_origin_is_remembered_whole(tmp_path: Path, made: list[MadeExecution], monkeypatch) -> None:
    """A relative path is written down as an absolute one: the clone may lie deeper."""
    monkeypatch.chdir(tmp_path)
    clone("project", tmp_path / "deep/er/copy")
    assert load_remotes(tmp_path / "deep/er/copy/.redun/redun.ini")["origin"].url == str(tmp_path / "project")
    assert made


def test_a_clone_of_nothing_leaves_nothing(tmp_path: Path) -> None:
    """A mistyped URL makes no folder."""
    with pytest.raises(NotARemote):
        clone(str(tmp_path / "none"), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_place_that_is_taken_is_refused(tmp_path: Path, made: list[MadeExecution]) -> None:
    """Nothing is written over a repository that is there, nor in the place of a file."""
    with Repository.init(tmp_path / "copy/.redun") as repository:
        before = repository.config_path.read_text()
    with pytest.raises(CloneTargetTaken, match="copy"):
        clone(str(tmp_path / "project"), tmp_path / "copy")
    assert (tmp_path / "copy/.redun/redun.ini").read_text() == before
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CloneTargetTaken):
        clone(str(tmp_path / "project"), tmp_path / "mine.txt")
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_checkout_of_the_source_takes_a_clone(tmp_path: Path, made: list[MadeExecution]) -> None:
    """The folder may hold anything but a repository, and what it holds stays."""
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout/make.py").write_text("source")
    assert clone(str(tmp_path / "project"), tmp_path / "checkout").executions == len(made)
    assert (tmp_path / "checkout/make.py").read_text() == "source"


def test_a_clone_that_was_cut_off_goes_on(tmp_path: Path, made: list[MadeExecution]) -> None:
    """The same origin and the same place: what is missing comes."""
    with Repository.init(tmp_path / "copy/.redun") as repository:
        add_remote(repository.config_path, "origin", str(tmp_path / "project"))
    assert clone(str(tmp_path / "project"), tmp_path / "copy").executions == len(made)
    assert clone(str(tmp_path / "project"), tmp_path / "copy").executions == 0


def test_a_damaged_origin_is_refused(tmp_path: Path, made: list[MadeExecution]) -> None:
    """No execution enters the clone; the objects of its packs neither."""
    for pack in (tmp_path / "project/.redun/objects/pack").glob("*.pack"):
        pack.write_bytes(pack.read_bytes()[:-1] + b"!")
    with pytest.raises(RemoteDamaged):
        clone(str(tmp_path / "project"), tmp_path / "copy")
    with Repository.open(tmp_path / "copy/.redun") as repository:
        assert list(repository.refs.iter_names()) == []
        assert list(repository.store.iter_oids()) == []
    assert made
