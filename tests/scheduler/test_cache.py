"""The table of docs/internals/files.md: what happens to a file that a recorded result names, a test per cell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from redun import File, Scheduler, task
from redun.file import ContentFile, IFile, StagingFile
from redun.hashing import hash_blob
from redun.store.memory import MemoryStore

redun_namespace = "test_restoring"


class Runs:
    """Counts how often each task ran."""

    counts: dict[str, int] = {}


def count(name):
    """Note a run; kept out of the tasks' hashes by being called through an attribute of this module's state."""
    Runs.counts[name] = Runs.counts.get(name, 0) + 1


@task(version="1")
def produce(path: str, text: str) -> File:
    """Write a file through the file API."""
    count("produce")
    file = File(path)
    file.write(text)
    return file


@task(version="1")
def produce_by_shell(path: str, text: str) -> File:
    """Write a file in a way that redun does not see."""
    count("produce")
    Path(path).write_text(text)
    return File(path)


@task(version="1")
def name_only(path: str) -> File:
    """Name a file that is there already."""
    count("name_only")
    return File(path)


@task(version="1")
def wrap(path: str, text: str) -> list[File]:
    """Have a file made by a call below."""
    count("wrap")
    return [produce(path, text)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    Runs.counts = {}
    return tmp_path


class Log:
    """Keeps a run's lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, msg):
        self.lines.append(msg)

    warning = info


@pytest.fixture
def store():
    """A store that outlives single runs."""
    return MemoryStore()


def run(store, expression):
    """Run, and return the value and the log."""
    log = Log()
    value = Scheduler(backend=store, logger=log).run(expression)
    return value, "\n".join(log.lines)


def lose(store, content):
    """Take a content out of a store, as damage would."""
    del store._objects[hash_blob(content)]


PRODUCERS = pytest.mark.parametrize("make", [produce, produce_by_shell], ids=["file api", "shell"])


@PRODUCERS
def test_produced_and_as_recorded_is_a_hit(folder, store, make):
    """Nothing runs and nothing is written."""
    run(store, make("out.txt", "a"))
    before = os.stat("out.txt").st_mtime_ns
    _, log = run(store, make("out.txt", "a"))
    assert Runs.counts == {"produce": 1}
    assert os.stat("out.txt").st_mtime_ns == before
    assert "Restored" not in log


@PRODUCERS
def test_produced_and_missing_is_restored(folder, store, make):
    """The content comes back, the job does not run, and the log says so."""
    (folder / "sub").mkdir()
    run(store, make("sub/out.txt", "a"))
    os.remove("sub/out.txt")
    os.rmdir("sub")
    _, log = run(store, make("sub/out.txt", "a"))
    assert Path("sub/out.txt").read_text() == "a"
    assert Runs.counts == {"produce": 1}
    assert "Restored File sub/out.txt" in log


def test_produced_and_missing_without_its_content_runs_again(folder, store):
    """A content that the store has lost cannot come back; the job makes it again."""
    run(store, produce("out.txt", "a"))
    os.remove("out.txt")
    lose(store, b"a")
    _, log = run(store, produce("out.txt", "a"))
    assert Runs.counts == {"produce": 2}
    assert "out.txt is missing and its content is not kept" in log
    assert Path("out.txt").read_text() == "a"


def test_produced_and_too_large_to_keep_runs_again(folder, store):
    """Beyond keep_bytes contents are not kept at run time."""
    config = {"files": {"keep_bytes": "3"}}
    Scheduler(config, backend=store).run(produce("out.txt", "long"))
    os.remove("out.txt")
    Scheduler(config, backend=store).run(produce("out.txt", "long"))
    assert Runs.counts == {"produce": 2}


@PRODUCERS
def test_different_but_produced_earlier_is_restored(folder, store, make):
    """An older build that redun itself made, and has, may be replaced."""
    run(store, make("out.txt", "old"))
    run(store, make("out.txt", "new"))
    Path("out.txt").write_text("old")
    _, log = run(store, make("out.txt", "new"))
    assert Path("out.txt").read_text() == "new"
    assert Runs.counts == {"produce": 2}
    assert "Restored File out.txt" in log


def test_different_and_produced_elsewhere_runs_again(folder, store):
    """What counts is a content recorded at this very path."""
    run(store, produce("out.txt", "new"))
    run(store, produce("other.txt", "old"))
    Path("out.txt").write_text("old")
    run(store, produce("out.txt", "new"))
    assert Runs.counts == {"produce": 3}


@PRODUCERS
def test_different_and_unknown_runs_again(folder, store, make):
    """redun itself never overwrites content that it does not have: the job does, as the user wrote it."""
    run(store, make("out.txt", "a"))
    Path("out.txt").write_text("edited by hand")
    _, log = run(store, make("out.txt", "a"))
    assert Runs.counts == {"produce": 2}
    assert "out.txt was changed by something else" in log


def test_different_and_its_content_lost_runs_again(folder, store):
    """A content that redun made but no longer has is as good as unknown."""
    run(store, produce("out.txt", "old"))
    run(store, produce("out.txt", "new"))
    Path("out.txt").write_text("old")
    lose(store, b"old")
    run(store, produce("out.txt", "new"))
    assert Runs.counts == {"produce": 3}


def test_named_only_and_as_recorded_is_a_hit(folder, store):
    """A source that did not change."""
    Path("in.txt").write_text("a")
    run(store, name_only("in.txt"))
    run(store, name_only("in.txt"))
    assert Runs.counts == {"name_only": 1}


def make_old(path):
    """Give a file a time before any job of the test, as a source has."""
    os.utime(path, (1_000_000_000, 1_000_000_000))


def test_named_only_and_missing_runs_again(folder, store):
    """A source that is gone is not brought back, whatever the store holds."""
    Path("in.txt").write_text("a")
    make_old("in.txt")
    store.put(hash_blob(b"a"), b"a", 0)
    run(store, name_only("in.txt"))
    os.remove("in.txt")
    _, log = run(store, name_only("in.txt"))
    assert Runs.counts == {"name_only": 2}
    assert not os.path.exists("in.txt")
    assert "in.txt is missing" in log


def test_named_only_and_different_is_never_touched(folder, store):
    """A source that the user edited stays as the user left it, even when redun once produced such a content."""
    Path("in.txt").write_text("a")
    make_old("in.txt")
    run(store, name_only("in.txt"))
    run(store, produce("in.txt", "made"))
    run(store, name_only("in.txt"))
    assert Path("in.txt").read_text() == "made"
    assert Runs.counts == {"name_only": 2, "produce": 1}


def test_an_executable_comes_back_executable(folder, store):
    """A restored program can be run."""
    run(store, build_tool("tool"))
    os.remove("tool")
    run(store, build_tool("tool"))
    assert os.access("tool", os.X_OK)
    assert Runs.counts == {"build_tool": 1}


@task(version="1")
def build_tool(path: str) -> File:
    """Make an executable file."""
    count("build_tool")
    Path(path).write_text("#!/bin/sh\n")
    os.chmod(path, 0o755)
    return File(path)


def test_a_file_made_below_is_restored_in_one_step(folder, store):
    """The caller's summary knows the files below it: neither job is asked."""
    run(store, wrap("out.txt", "a"))
    os.remove("out.txt")
    _, log = run(store, wrap("out.txt", "a"))
    assert Path("out.txt").read_text() == "a"
    assert Runs.counts == {"wrap": 1, "produce": 1}
    assert log.count("Cached Job") == 1


def test_an_unknown_file_below_runs_only_the_call_that_made_it(folder, store):
    """The caller is stepped through, and the call below runs again."""
    run(store, wrap("out.txt", "a"))
    Path("out.txt").write_text("edited by hand")
    _, log = run(store, wrap("out.txt", "a"))
    assert Runs.counts == {"wrap": 1, "produce": 2}
    assert log.count("Cached Job") == 1


def test_an_older_result_brings_its_own_file_back(folder, store):
    """Going back to an earlier argument replays that result and restores its content."""
    for text in ("one", "two", "three"):
        run(store, produce("out.txt", text))
    run(store, produce("out.txt", "one"))
    assert Path("out.txt").read_text() == "one"
    assert Runs.counts == {"produce": 3}


@task(version="1")
def read_while_it_changes(source: File, edit: bool) -> str:
    """Read a file that somebody saves at that very moment."""
    count("read")
    if edit:
        Path(source.path).write_text("edited meanwhile")
    return source.read()


@task(version="1")
def above(path: str, edit: bool) -> list[str]:
    """Have it read by a call below."""
    count("above")
    return [read_while_it_changes(File(path), edit)]


def test_a_result_made_while_its_input_changed_does_not_serve(folder, store):
    """The job was asked with the old content and saw the new one: its result fits neither, so it is not reused."""
    Path("in.txt").write_text("as asked")
    make_old("in.txt")
    value, log = run(store, above("in.txt", edit=True))
    assert value == ["edited meanwhile"]
    assert "in.txt changed while the job ran" in log
    Path("in.txt").write_text("as asked")
    make_old("in.txt")
    run(store, above("in.txt", edit=True))
    assert Runs.counts == {"above": 1, "read": 2}


def test_an_input_that_stays_does_not_hinder_reuse(folder, store):
    """The usual case."""
    Path("in.txt").write_text("as asked")
    run(store, above("in.txt", edit=False))
    run(store, above("in.txt", edit=False))
    assert Runs.counts == {"above": 1, "read": 1}


@task(version="1")
def append_in_place(file: File) -> File:
    """Change a file and hand it on."""
    count("append")
    Path(file.path).write_text(file.read() + "+")
    return File(file.path)


@task(version="1")
def build_up(path: str) -> File:
    """Make a file, then change it in place."""
    count("build_up")
    return append_in_place(produce(path, "a"))


def test_a_file_changed_in_place_and_handed_on_is_reused(folder, store):
    """A job that changes what it was given, and says so in its result, is no accident."""
    run(store, build_up("out.txt"))
    run(store, build_up("out.txt"))
    assert Path("out.txt").read_text() == "a+"
    assert Runs.counts == {"build_up": 1, "produce": 1, "append": 1}


@task(version="1")
def name_thrice(path: str) -> list[File]:
    """Return one file as a File, by its content and by its path."""
    count("thrice")
    File(path).write("a")
    return [IFile(path), File(path), ContentFile(path)]


@task(version="1")
def above_thrice(path: str) -> list[list[File]]:
    """Have it named by a call below."""
    count("above")
    return [name_thrice(path)]


@pytest.mark.parametrize("is_deleted", [False, True])
def test_one_file_named_by_several_classes_is_one_version(folder, store, is_deleted):
    """Neither an immutable file nor another class of one content hinders reuse; and the content is put back."""
    run(store, above_thrice("out.txt"))
    if is_deleted:
        Path("out.txt").unlink()
    run(store, above_thrice("out.txt"))
    assert Path("out.txt").read_text() == "a"
    assert Runs.counts == {"above": 1, "thrice": 1}


@task(version="1")
def stage_out(path: str) -> StagingFile:
    """Write a file, and name it only as what a staging means."""
    count("stage_out")
    File(path).write("staged")
    return StagingFile("scratch.txt", path)


def test_a_file_that_only_a_staging_names_is_kept(folder, store):
    """It was made by the job as any other, so it is put back."""
    run(store, stage_out("out.txt"))
    Path("out.txt").unlink()
    run(store, stage_out("out.txt"))
    assert Path("out.txt").read_text() == "staged"
    assert Runs.counts == {"stage_out": 1}
