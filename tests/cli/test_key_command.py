"""`redun key` as it is typed, and remotes that ask who signed."""

from __future__ import annotations

import json

import pytest

from redun.cli.main import main
from redun.store.ref_names import EXECUTIONS
from redun.store.repository import Repository
from redun.testing.objects import execution_id, make_execution


@pytest.fixture
def redun(capsys, monkeypatch, tmp_path):
    """Runs a command in a folder, expects its exit code, and returns all that it printed."""
    monkeypatch.delenv("REDUN_CONFIG", raising=False)

    def run(folder, *words, code=0):
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / folder)
        capsys.readouterr()
        found = main(list(words))
        printed = capsys.readouterr()
        assert found == code, printed.err
        return printed.out + printed.err

    return run


@pytest.fixture
def alice(tmp_path, redun):
    """A project with a key and two executions, of which the first was recorded before there was a key; its hub."""
    redun("alice", "remote", "add", "hub", "../hub")
    redun("alice", "key", "create", "../alice.pem")
    folder = tmp_path / "alice" / ".redun"
    with Repository.open(folder) as repository:
        make_execution(repository.store, repository.refs, seed=0)
    with (folder / "redun.ini").open("a") as stream:
        stream.write("[signing]\nkey = ../alice.pem\n")
    with Repository.open(folder) as repository:
        made = make_execution(repository.store, repository.refs, seed=1)
        repository.refs.write(repository.refs.sign(made.ref))
    redun("alice", "push", "hub")
    (tmp_path / "team.keys").write_text(redun("alice", "key", "show"))
    return tmp_path


def _ids(folder):
    with Repository.open(folder / ".redun", writable=False) as repository:
        return {ref.execution_id for ref in repository.refs.iter_refs()}


def test_only_what_was_signed_is_taken(alice, redun):
    """What nobody signed is told and left there; that is no failure, unless it was asked for."""
    redun("bob", "remote", "add", "hub", "../hub", "--require-signatures", "../team.keys")
    assert "  signed by   ../team.keys\n" in redun("bob", "remote", "show", "hub")
    told = redun("bob", "pull", "hub")
    assert "Pulled 1 execution" in told
    assert f"{execution_id(0)} was refused: it is not signed" in told
    assert _ids(alice / "bob") == {execution_id(1)}
    record = json.loads(redun("bob", "fetch", "hub", "--json").partition("\n[redun]")[0])
    assert [one["why"] for one in record["refused"]] == ["it is not signed"]
    assert "was left out: it is not signed" in redun("bob", "pull", "hub", execution_id(0)[:8], code=1)


def test_what_was_recorded_before_can_be_signed(alice, redun):
    """Then it is pushed once more, with its signature, and taken."""
    assert redun("alice", "key", "sign", execution_id(0)[:8]) == "Signed 1 execution.\n"
    assert "Pushed 1 execution" in redun("alice", "push", "hub")
    redun("bob", "remote", "add", "hub", "../hub", "--require-signatures", "../team.keys")
    assert "Pulled 2 executions" in redun("bob", "pull", "hub")
    assert "up to date" in redun("alice", "push", "hub")
    assert "Signed 2 executions." in redun("alice", "key", "sign", "--all")


def test_what_was_tampered_with_is_refused(alice, redun):
    """Somebody who may write to the remote cannot make an execution of another, nor exchange its result."""
    folder = alice / "hub" / EXECUTIONS
    names = sorted(path.name for path in folder.iterdir())
    target = folder / names[1]
    lines = target.read_text().splitlines(keepends=True)
    stolen = next(
        line for line in (folder / names[0]).read_text().splitlines(keepends=True) if line.startswith("object")
    )
    changed = [stolen if line.startswith("object") else line for line in lines if not line.startswith("check")]
    target.write_text("".join(changed))
    redun("bob", "remote", "add", "hub", "../hub", "--require-signatures", "../team.keys")
    assert "does not fit what it says" in redun("bob", "pull", "hub")
    assert _ids(alice / "bob") == set()


def test_what_was_fetched_before_is_asked_too(alice, redun):
    """A requirement that comes later holds for what is taken over later."""
    redun("bob", "remote", "add", "hub", "../hub")
    redun("bob", "fetch", "hub")
    with (alice / "bob" / ".redun" / "redun.ini").open("a") as stream:
        stream.write("require_signatures = ../team.keys\n")
    redun("bob", "pull", "hub")
    assert _ids(alice / "bob") == {execution_id(1)}


def test_a_pull_does_not_sign_what_others_made(alice, redun):
    """Else whoever has a key would vouch for all that anybody pushed."""
    redun("carol", "remote", "add", "hub", "../hub")
    redun("carol", "key", "create", "../carol.pem")
    with (alice / "carol" / ".redun" / "redun.ini").open("a") as stream:
        stream.write("[signing]\nkey = ../carol.pem\n")
    redun("carol", "pull", "hub")
    public = redun("carol", "key", "show").strip()
    texts = [path.read_text() for path in (alice / "carol" / ".redun" / EXECUTIONS).iterdir()]
    assert sum("\nsignature " in text for text in texts) == 1
    assert not any(public in text for text in texts)


def test_a_bundle_can_be_asked_who_signed(alice, redun):
    """It says so on the command line, as a bundle has no settings."""
    redun("alice", "bundle", "create", "../all.bundle")
    redun("bob", "init")
    told = redun("bob", "bundle", "apply", "../all.bundle", "--require-signature", "../team.keys")
    assert "Took 1 execution" in told
    assert _ids(alice / "bob") == {execution_id(1)}


def test_keys_that_are_not_there_are_told_as_settings(alice, redun):
    """With what to do; a key is not overwritten."""
    redun("bob", "remote", "add", "hub", "../hub", "--require-signatures", "../nobody.keys")
    assert "expected a public key" in redun("bob", "pull", "hub", code=2)
    assert "expected [signing] key" in redun("bob", "key", "show", code=2)
    assert "expected [signing] key" in redun("bob", "key", "sign", "--all", code=2)
    assert "never overwritten" in redun("bob", "key", "create", "../alice.pem", code=2)
    assert json.loads(redun("bob", "key", "create", "--json", "../bob.pem"))["path"] == "../bob.pem"
