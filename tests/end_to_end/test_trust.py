"""Whom a repository trusts: pickles that bite whoever reads them, and remotes from which only data is taken."""

from __future__ import annotations

import json
import shutil

import pytest

from redun.cli.main import main
from redun.objects.kinds import Kind
from redun.store.repository import Repository

FLOW = """
from redun import File, script, task

redun_namespace = "t"


class Trap:
    def __init__(self, x):
        self.x = x

    def __reduce__(self):
        return spring, (self.x,)


def spring(x):
    open("sprung", "a").close()
    return Trap(x)


def note(name):
    with open("runs.txt", "a") as stream:
        stream.write(name + " ")


@task()
def plain(x):
    note("plain")
    return {"numbers": [x, 1.5], "text": "t"}


@task()
def trap(x):
    note("trap")
    return [Trap(x)]


@task()
def use(traps):
    note("use")
    return traps[0].x


@task()
def write(x):
    note("write")
    file = File("out.txt")
    file.write("written")
    return file


@task()
def read(file):
    note("read")
    return file.read()


@task()
def fail(x):
    error = ValueError("failed")
    error.trap = Trap(x)
    raise error


@task()
def main(n: int = 1):
    note("main")
    return [plain(n), use(trap(n)), write(n), read(File("in.txt"))]
"""


@pytest.fixture
def origin(tmp_path, redun_command):
    """A project that has run, and the hub that it was pushed to."""
    folder = tmp_path / "origin"
    folder.mkdir()
    (folder / "flow.py").write_text(FLOW)
    (folder / "in.txt").write_text("input")
    redun_command("-q", "run", "flow.py", "main", cwd=folder)
    redun_command("-q", "run", "flow.py", "fail", "--x", "1", cwd=folder, code=1)
    redun_command("remote", "add", "hub", "../hub", cwd=folder)
    redun_command("push", "hub", cwd=folder)
    (folder / "sprung").unlink(missing_ok=True)
    return folder


@pytest.fixture
def pulled(origin, tmp_path, redun_command):
    """Makes a project with the same code that has pulled from the hub, trusting it so."""

    def make(trust):
        folder = tmp_path / f"trusts-{trust}"
        folder.mkdir()
        for name in ("flow.py", "in.txt"):
            shutil.copy(origin / name, folder)
        redun_command("remote", "add", "hub", "../hub", "--trust", trust, cwd=folder)
        return folder, json.loads(redun_command("pull", "hub", "--json", cwd=folder).stdout)

    return make


def _objects(folder):
    with Repository.open(folder / ".redun", writable=False) as repository:
        return list(repository.store.iter_oids())


def test_no_command_unpickles_anything(origin, monkeypatch, capfdbinary):
    """Log, show, search, transfers, tags, checks, collection: with a trap in each result, argument and error."""
    monkeypatch.chdir(origin)
    monkeypatch.delenv("REDUN_CONFIG", raising=False)
    execution = next(path.name[-36:] for path in (origin / ".redun" / "refs" / "executions").iterdir())
    commands = [
        *(
            ["log"],
            ["log", "-"],
            ["log", "-", "--all"],
            ["log", "t.use"],
            ["log", "t.trap", "--json"],
            ["log", "out.txt"],
        ),
        *(
            ["log", execution],
            ["fsck"],
            ["fsck", "--quick"],
            ["du"],
            ["du", "-"],
            ["gc"],
            ["repack"],
            ["remote", "show", "hub"],
        ),
        *(
            ["remote", "status", "hub"],
            ["push", "hub"],
            ["fetch", "hub"],
            ["pull", "hub"],
            ["clone", "../hub", "../copy"],
        ),
        *(["bundle", "create", "all.bundle"], ["bundle", "show", "all.bundle"], ["bundle", "apply", "all.bundle"]),
        *(["tag", "list"], ["tag", "add", "-", "a=1"], ["forget", "t.trap"], ["forget", "-"]),
        *(["purge", oid.hex()] for oid, kind in _objects(origin) if kind == Kind.VALUE),
        *([word, oid.hex(), *more] for oid, _ in _objects(origin) for word, *more in (("show",), ("show", "--json"))),
        *(["show", "--raw", oid.hex()] for oid, _ in _objects(origin)[:5]),
        ["gc", "--keep-executions", "0", "--apply", "--grace", "0"],
    ]
    for words in commands:
        assert main(words) == 0, (words, capfdbinary.readouterr().err)
        assert not (origin / "sprung").exists(), words


def test_only_data_is_taken_from_where_only_data_is_trusted(pulled, redun_command):
    """What is plain is reused; pickles, calls to be made and files to be put back are not here, and their jobs run."""
    folder, record = pulled("data")
    assert record["withheld"] > 0
    with Repository.open(folder / ".redun", writable=False) as repository:
        assert not any(b"spring" in repository.store.get(oid) for oid, kind in _objects(folder) if kind == Kind.VALUE)
    assert not {kind for _, kind in _objects(folder)} & {Kind.EXPRESSION, Kind.BLOB}
    assert "Clean." in redun_command("fsck", cwd=folder).stdout
    ran = redun_command("run", "flow.py", "main", cwd=folder)
    assert sorted((folder / "runs.txt").read_text().split()) == ["main", "trap", "write"]
    assert "was withheld: it was only where plain data alone is trusted" in ran.stderr
    assert not (folder / "sprung").exists()


def test_all_is_taken_from_where_all_is_trusted(pulled, redun_command):
    """The same workflow runs nothing; the trap springs, as the run reads it."""
    folder, record = pulled("full")
    assert record["withheld"] == 0
    redun_command("run", "flow.py", "use", "--traps", "1", cwd=folder, code=1)
    redun_command("run", "flow.py", "main", cwd=folder)
    assert "main" not in (folder / "runs.txt").read_text()


def test_what_was_withheld_comes_from_who_is_trusted(pulled, redun_command):
    """As soon as a remote that is trusted has it; nothing else needs to be new there."""
    folder, _ = pulled("data")
    redun_command("remote", "add", "friend", "../hub", cwd=folder)
    redun_command("pull", "friend", cwd=folder)
    assert "note:" not in redun_command("fsck", cwd=folder).stdout
    redun_command("run", "flow.py", "main", cwd=folder)
    assert not (folder / "runs.txt").exists()
    assert "up to date" in redun_command("pull", "friend", cwd=folder).stdout


def test_a_bundle_can_be_trusted_with_data_alone(origin, tmp_path, redun_command):
    """It says so on the command line, as a bundle has no settings."""
    redun_command("bundle", "create", "all.bundle", cwd=origin)
    folder = tmp_path / "other"
    folder.mkdir()
    redun_command("init", cwd=folder)
    told = redun_command("bundle", "apply", "--trust", "data", "../origin/all.bundle", cwd=folder).stdout
    assert "withheld, as only data is trusted" in told
    assert not {kind for _, kind in _objects(folder)} & {Kind.EXPRESSION, Kind.BLOB}


def test_a_clone_can_be_trusted_with_data_alone(origin, tmp_path, redun_command):
    """Also lazily; its settings say so, which holds when it goes on after it was cut off."""
    for more in ([], ["--lazy"]):
        shutil.rmtree(tmp_path / "clone", ignore_errors=True)
        told = redun_command("clone", "--trust", "data", *more, "hub", "clone", cwd=tmp_path).stdout
        assert "withheld, as only data is trusted" in told
        shutil.rmtree(tmp_path / "clone" / ".redun" / "refs")
        redun_command("clone", "hub", "clone", cwd=tmp_path)
        assert not {kind for _, kind in _objects(tmp_path / "clone")} & {Kind.EXPRESSION, Kind.BLOB}


def test_a_run_takes_no_code_from_where_only_data_is_trusted(pulled, redun_command):
    """Asking a remote during a run is bound by the same rule as a pull, without one before it."""
    folder, _ = pulled("data")
    shutil.rmtree(folder / ".redun" / "refs")
    shutil.rmtree(folder / ".redun" / "objects" / "pack")
    ran = redun_command("run", "--remote", "hub", "flow.py", "main", cwd=folder)
    assert sorted((folder / "runs.txt").read_text().split()) == ["main", "trap", "write"]
    assert "Cached Job" in ran.stderr
    assert not (folder / "sprung").exists()
    with Repository.open(folder / ".redun", writable=False) as repository:
        assert repository.store.packs.notes.absent == {}


def test_nobody_works_in_a_repository_that_is_not_trusted(pulled, redun_command):
    """A run in it would use all that is there; looking at it is safe."""
    folder, _ = pulled("data")
    assert (
        "[remotes.hub] trust = data" in redun_command("-r", "hub", "run", "flow.py", "main", cwd=folder, code=2).stderr
    )
    assert redun_command("-r", "hub", "log", cwd=folder).stdout.count("Exec ") == 2
    with (folder / ".redun" / "redun.ini").open("a") as stream:
        stream.write("namespace = pr-1\n")
    assert "namespace = pr-1" in redun_command("-r", "hub", "gc", cwd=folder, code=2).stderr


def test_a_misspelt_trust_is_refused(tmp_path, redun_command):
    """It is never taken for the other one."""
    redun_command("init", cwd=tmp_path)
    with (tmp_path / ".redun" / "redun.ini").open("a") as stream:
        stream.write("[remotes.hub]\nurl = hub\ntrust = date\n")
    assert "trust: expected full or data, found 'date'" in redun_command("pull", "hub", cwd=tmp_path, code=2).stderr
