"""`redun init`, `remote`, `push`, `fetch`, `pull` and `clone` as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from redun.cli.errors import ExitCode
from redun.cli.main import main
from redun.store.repository import Repository
from redun.testing.objects import MadeExecution, build_execution, execution_id, made_ref, make_execution
from redun.upkeep import MAX_PACKS


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder, the working directory, with an empty repository."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.delenv("REDUN_CONFIG", raising=False)
    monkeypatch.chdir(folder)
    assert main(["init"]) == 0
    return folder


def _make(project: Path, *seeds: int) -> list[MadeExecution]:
    with Repository.open(project / ".redun") as repository:
        return [make_execution(repository.store, repository.refs, seed=seed) for seed in seeds]


def _redun(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """Run a command, expect its exit code, and return what it printed as its result."""
    capsys.readouterr()
    found = main(list(words))
    printed = capsys.readouterr()
    assert found == code, printed.err
    return printed.out if not code else printed.err


def test_init_tells_where(tmp_path: Path, monkeypatch, capsys) -> None:
    """Here, in a folder that is named, or where -c or the environment says; again does no harm."""
    monkeypatch.delenv("REDUN_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    for words, path in (
        (["init"], ".redun"),
        (["init"], ".redun"),
        (["init", "sub/dir"], "sub/dir/.redun"),
        (["-c", "other", "init"], "other"),
    ):
        assert _redun(capsys, *words) == f"Initialized redun repository: {tmp_path / path}\n"
        assert (tmp_path / path / "redun.ini").is_file()
    monkeypatch.setenv("REDUN_CONFIG", "fourth")
    assert str(tmp_path / "fourth") in _redun(capsys, "init")


def test_init_below_a_repository_makes_a_new_one(project: Path, monkeypatch, capsys) -> None:
    """Whoever types init means here."""
    (project / "below").mkdir()
    monkeypatch.chdir(project / "below")
    assert _redun(capsys, "init").rstrip().endswith("below/.redun")


def test_remotes_are_added_listed_changed_and_removed(project: Path, capsys) -> None:
    """The settings keep them, and whatever else stands there."""
    ini = (project / ".redun/redun.ini").read_text()
    assert _redun(capsys, "remote", "add", "origin", "../shared") == ""
    _redun(capsys, "remote", "add", "backup", "s3://bucket/x")
    assert _redun(capsys, "remote") == "origin  ../shared\nbackup  s3://bucket/x\n"
    assert _redun(capsys, "repo", "list") == _redun(capsys, "remote", "list")
    _redun(capsys, "remote", "set-url", "origin", "../else")
    assert json.loads(_redun(capsys, "remote", "list", "--json"))[0] == {"name": "origin", "url": "../else"}
    _redun(capsys, "remote", "remove", "origin")
    _redun(capsys, "remote", "remove", "backup")
    assert (project / ".redun/redun.ini").read_text() == ini


def test_a_path_typed_below_the_project_is_kept_from_the_project(project: Path, monkeypatch, capsys) -> None:
    """The settings mean the same wherever they are read."""
    (project / "src").mkdir()
    monkeypatch.chdir(project / "src")
    _redun(capsys, "remote", "add", "origin", "../../shared")
    assert _redun(capsys, "remote") == "origin  ../shared\n"


def test_a_remote_that_is_not_there_is_told(project: Path, capsys) -> None:
    """With its name and what to do."""
    assert "no remote 'origin'" in _redun(capsys, "push", code=ExitCode.FAILED)
    assert "no remote 'x'" in _redun(capsys, "remote", "remove", "x", code=ExitCode.FAILED)
    _redun(capsys, "remote", "add", "origin", "../shared")
    assert "redun push" in _redun(capsys, "pull", code=ExitCode.FAILED)
    assert "already" in _redun(capsys, "remote", "add", "origin", "x", code=ExitCode.FAILED)
    assert "cannot be" not in _redun(capsys, "remote", "add", "a.b", "x", code=ExitCode.FAILED)
    assert project.exists()


def test_outside_a_repository_there_are_no_remotes(tmp_path: Path, monkeypatch, capsys) -> None:
    """The hint says how to make one."""
    monkeypatch.delenv("REDUN_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    assert "redun init" in _redun(capsys, "remote", code=ExitCode.FAILED)


def test_push_tells_exact_counts_and_then_that_there_is_nothing(project: Path, capsys) -> None:
    """Executions, objects and bytes; a dry run tells them before."""
    made = _make(project, 0, 1)
    _redun(capsys, "remote", "add", "origin", "../shared")
    count = len(made[0].oids | made[1].oids)
    told = _redun(capsys, "push", "-n")
    assert told.startswith(f"Would push 2 executions to remote 'origin': {count} objects, ")
    assert _redun(capsys, "push") == told.replace("Would push", "Pushed")
    assert _redun(capsys, "push") == "Remote 'origin' is up to date.\n"


def test_a_push_merges_the_packs_that_many_pushes_have_left(project: Path, capsys) -> None:
    """It tells how many, and the next one has nothing to merge."""
    with Repository.init(project.parent / "shared") as shared:
        for seed in range(MAX_PACKS):
            make_execution(shared.store, shared.refs, seed=seed)
    _redun(capsys, "remote", "add", "origin", "../shared")
    _make(project, 100)
    record = json.loads(_redun(capsys, "push", "--json"))
    assert (record["merged_packs"], record["packs"]) == (MAX_PACKS + 1, 1)
    assert len(list((project.parent / "shared/objects/pack").glob("*.pack"))) == 1
    _make(project, 101)
    assert json.loads(_redun(capsys, "push", "--json"))["merged_packs"] == 0
    assert _redun(capsys, "pull").startswith(f"Pulled {MAX_PACKS} executions")
    assert "Clean." in _redun(capsys, "fsck")


def test_one_execution_is_pushed_by_a_prefix_of_its_id(project: Path, capsys) -> None:
    """Or as the newest; what is no execution or several is told."""
    _make(project, 0, 1, 2)
    _redun(capsys, "remote", "add", "origin", "../shared")
    assert "Pushed 1 execution to" in _redun(capsys, "push", "origin", execution_id(1)[:6])
    assert "Pushed 1 execution to" in _redun(capsys, "push", "origin", "-")
    assert "no execution" in _redun(capsys, "push", "origin", "zzz", code=ExitCode.FAILED)
    assert "3 executions have ids" in _redun(capsys, "push", "origin", "", code=ExitCode.FAILED)
    record = json.loads(_redun(capsys, "push", "--json"))
    assert (record["remote"], record["executions"], record["skipped"], record["dry_run"]) == ("origin", 1, [], False)


def test_what_is_not_whole_makes_the_exit_code_1(project: Path, capsys) -> None:
    """It is named, and the rest is pushed."""
    _make(project, 0)
    with Repository.open(project / ".redun") as repository:
        repository.refs.write(made_ref(build_execution(seed=1)))
    _redun(capsys, "remote", "add", "origin", "../shared")
    err = _redun(capsys, "push", code=ExitCode.FAILED)
    assert execution_id(1) in err
    assert "left out" in err
    assert "Already up to date" not in err


def test_pull_and_fetch_tell_exact_counts(project: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    """A fetch keeps what came apart; a pull makes it our own."""
    made = _make(project, 0, 1)
    _redun(capsys, "remote", "add", "origin", "../shared")
    _redun(capsys, "push")
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.chdir(other)
    _redun(capsys, "init")
    _redun(capsys, "remote", "add", "origin", "../shared")
    assert _redun(capsys, "fetch", "-n") == "Would fetch 2 executions from remote 'origin'.\n"
    count = len(made[0].oids | made[1].oids)
    assert _redun(capsys, "fetch").startswith(f"Fetched 2 executions from remote 'origin': {count} objects, ")
    assert _redun(capsys, "fetch") == "Already up to date with remote 'origin'.\n"
    assert _redun(capsys, "pull", "-n") == "Would pull 2 executions from remote 'origin'.\n"
    assert _redun(capsys, "pull", "-q") == ""
    assert json.loads(_redun(capsys, "pull", "--json"))["executions"] == 0
    with Repository.open(other / ".redun") as repository:
        assert len(list(repository.refs.iter_names())) == 2


def test_remote_show_compares(project: Path, capsys) -> None:
    """Where it is, and what is only here or only there; one that is not there is an error."""
    _make(project, 0, 1)
    _redun(capsys, "remote", "add", "origin", "../shared")
    err = _redun(capsys, "remote", "show", "origin", code=ExitCode.FAILED)
    assert "there is no repository there" in err
    _redun(capsys, "push", "origin", "-")
    record = json.loads(_redun(capsys, "remote", "show", "origin", "--json"))
    assert (record["executions"], record["only_here"], record["only_there"], record["fetched"]) == (1, 1, 0, 1)
    assert "there       1 execution\n" in _redun(capsys, "remote", "show", "origin")


def test_remote_status_tells_what_either_side_lacks(project: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    """Of one remote or of all; one that is nothing yet is no error, one that cannot be reached is."""
    _make(project, 0)
    _redun(capsys, "remote", "add", "origin", "../shared")
    there = tmp_path / "shared"
    ahead = json.loads(_redun(capsys, "push", "-n", "--json"))
    lines = _redun(capsys, "remote", "status").splitlines()
    assert lines[:2] == [f"origin  {there}", "  nothing is there yet: the first push makes a repository"]
    assert lines[2].startswith(f"  ahead   1 execution: {ahead['objects']} objects, ")
    assert lines[3:] == ["  behind  0 executions"]
    record = json.loads(_redun(capsys, "remote", "status", "origin", "--json"))
    assert record["ahead"]["bytes"] == ahead["bytes"] > 0
    _redun(capsys, "push")
    assert _redun(capsys, "remote", "status") == f"origin  {there}\n  up to date, 1 execution\n"
    with Repository.open(there) as shared:
        make_execution(shared.store, shared.refs, seed=1)
    assert "  behind  1 execution: at most " in _redun(capsys, "remote", "status", "origin")
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange/file").write_text("")
    _redun(capsys, "remote", "add", "broken", "../strange")
    assert "broken" in _redun(capsys, "remote", "status", code=ExitCode.FAILED)
    assert "no remote 'x'" in _redun(capsys, "remote", "status", "x", code=ExitCode.FAILED)


def test_clone_names_its_folder_after_the_url(project: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    """Or as told; the clone is a project of its own."""
    _make(project, 0)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    out = _redun(capsys, "clone", "../project")
    assert out.startswith(f"Cloned ../project into {tmp_path / 'elsewhere/project'}: 1 execution, ")
    assert json.loads(_redun(capsys, "clone", "../project", "named", "--json"))["executions"] == 1
    monkeypatch.chdir(tmp_path / "elsewhere/named")
    assert _redun(capsys, "pull") == "Already up to date with remote 'origin'.\n"
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/taken").write_text("")
    assert "found a file" in _redun(capsys, "clone", "../project", "taken", code=ExitCode.FAILED)


def _share(folder: Path) -> None:
    with Repository.init(folder) as shared:
        make_execution(shared.store, shared.refs, seed=1)


def test_a_fresh_checkout_takes_a_remote_and_pulls(tmp_path: Path, monkeypatch, capsys) -> None:
    """``remote add`` makes the repository that a checkout lacks, and ``pull`` fills it."""
    _share(tmp_path / "shared")
    monkeypatch.delenv("REDUN_CONFIG", raising=False)
    (tmp_path / "checkout").mkdir()
    monkeypatch.chdir(tmp_path / "checkout")
    _redun(capsys, "remote", "add", "origin", "../shared")
    assert "Pulled 1 execution" in _redun(capsys, "pull")


def test_settings_under_version_control_are_enough_to_pull(tmp_path: Path, monkeypatch, capsys) -> None:
    """A checkout that brings only redun.ini gets the rest of its repository at the first pull."""
    _share(tmp_path / "shared")
    monkeypatch.delenv("REDUN_CONFIG", raising=False)
    folder = tmp_path / "checkout" / ".redun"
    folder.mkdir(parents=True)
    (folder / "redun.ini").write_text("[remotes.origin]\nurl = ../shared\n")
    monkeypatch.chdir(folder.parent)
    assert "Pulled 1 execution" in _redun(capsys, "pull")
    assert (folder / "objects" / "format").exists()


@pytest.mark.parametrize("verb", ["pull", "fetch"])
def test_a_first_build_finds_nothing_to_pull(project: Path, capsys, verb: str) -> None:
    """With --if-exists a remote that nobody has pushed to is no error; one that cannot be reached still is."""
    _redun(capsys, "remote", "add", "origin", "../shared")
    assert "there is no repository there" in _redun(capsys, verb, code=1)
    assert _redun(capsys, verb, "--if-exists") == "There is nothing at remote 'origin' yet.\n"
    assert json.loads(_redun(capsys, verb, "--if-exists", "--json")) == {}
    assert _redun(capsys, verb, "--if-exists", "-q") == ""
    _redun(capsys, "remote", "add", "wrong", "nowhere://bucket")
    assert "cannot reach" in _redun(capsys, verb, "wrong", "--if-exists", code=1)


def test_lazy_transfers_tell_what_stays_there(project: Path, tmp_path: Path, capsys) -> None:
    """Clone and pull say how much was left; a pull that is not lazy says what came; show says where a content is."""
    content = b"c" * (1 << 20)
    with Repository.open(project / ".redun") as repository:
        made = make_execution(repository.store, repository.refs, blobs=[content])
    _redun(capsys, "remote", "add", "origin", str(tmp_path / "shared"))
    _redun(capsys, "push")
    printed = _redun(capsys, "clone", "--lazy", str(tmp_path / "shared"), str(tmp_path / "copy"))
    assert printed.endswith("1 content (1.0 MiB) stays there until needed.\n")
    copy = ["-c", str(tmp_path / "copy" / ".redun")]
    oid = next(oid for oid, data, _ in made.objects if data == content)
    assert "at remote 'origin' still" in _redun(capsys, *copy, "show", oid.hex(), code=ExitCode.FAILED)
    assert "1 content of 1048576 bytes left there" in _redun(capsys, *copy, "fsck")
    dry = json.loads(_redun(capsys, *copy, "pull", "--dry-run", "--json"))
    assert (dry["contents"], dry["promised"]) == (1, 0)
    assert "Pulled 1 content from remote 'origin': 0 objects, 1.0 MiB." in _redun(capsys, *copy, "pull")
    assert "1048576 bytes" in _redun(capsys, *copy, "show", oid.hex())
    assert "Already up to date" in _redun(capsys, *copy, "pull", "--lazy")


def test_log_says_that_executions_of_an_alternate_are_elsewhere(project: Path, tmp_path: Path, capsys) -> None:
    """Objects of an alternate are found, its executions are not; the hint says where they are."""
    (made,) = _make(project, 0)
    other = tmp_path / "other" / ".redun"
    assert main(["-c", str(other), "init"]) == 0
    (other / "redun.ini").write_text(f"[repository]\nalternates = {project}\n")
    told = _redun(capsys, "-c", str(other), "log", made.ref.execution_id, code=ExitCode.FAILED)
    assert "redun -c ALTERNATE/.redun log" in told
    assert "execution" in _redun(capsys, "-c", str(other), "show", made.oid.hex())


def test_a_remote_of_many_packs_is_told(project: Path, monkeypatch, capsys) -> None:
    """With the command that merges them, and as a number for scripts; not when nothing had to be looked at."""
    monkeypatch.setattr("redun.cli.sync.MANY_PACKS", 2)
    _redun(capsys, "remote", "add", "origin", "../shared")
    for seed in range(4):
        _make(project, seed)
        _redun(capsys, "push")
    monkeypatch.chdir(project.parent)
    assert main(["clone", "shared", "copy"]) == 0
    _make(project, 9)
    assert main(["-c", "project/.redun", "push"]) == 0
    capsys.readouterr()
    assert main(["-c", "copy/.redun", "pull"]) == 0
    told = capsys.readouterr().err
    assert "remote 'origin' has 5 packs" in told
    assert "`redun -r origin repack` merges them" in told
    assert json.loads(_redun(capsys, "-c", "copy/.redun", "pull", "--json"))["packs"] == 0
    assert main(["-c", "copy/.redun", "-r", "origin", "repack"]) == 0
    _make(project, 10)
    assert main(["-c", "project/.redun", "push"]) == 0
    assert json.loads(_redun(capsys, "-c", "copy/.redun", "pull", "--json"))["packs"] == 2
    assert "packs" not in capsys.readouterr().err
