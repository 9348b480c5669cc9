"""The compile example, run as its page shows: what runs again, what never does, and what comes back."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ALL = ["compile", "compile", "compile", "link", "link", "make", "make_prog", "make_prog"]
"""The eight jobs of a first run."""

AFTER_LIB = ["compile", "link", "link", "make", "make_prog", "make_prog"]
"""What runs when lib.c says something else: its compile, both links, and the two tasks that take it as an argument."""

REDUN = [str(Path(sys.executable).with_name("redun"))]
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def test_a_first_run_says_what_it_does(fresh):
    """A first run prints version, folder, execution, one line a job, the table of statuses and the result."""
    run = fresh.make()
    said = run.stderr
    assert re.search(r"^\[redun\] redun :: version \d+\.\d+", said, re.MULTILINE)
    assert re.search(r"^\[redun\] config dir: .*\.redun$", said, re.MULTILINE)
    assert re.search(rf"^\[redun\] Start Execution {UUID}:  redun run make\.py make$", said, re.MULTILINE)
    assert re.search(r"^\[redun\] \| JOB STATUS ", said, re.MULTILINE)
    assert re.search(r"^\[redun\] \| ALL +0 +0 +0 +0 +8 +8$", said, re.MULTILINE)
    assert re.search(r"^\[redun\] \| redun\.examples\.compile\.compile +0 +0 +0 +0 +3 +3$", said, re.MULTILINE)
    result = r"\[File\(path=prog, hash=[0-9a-f]{8}\), File\(path=prog2, hash=[0-9a-f]{8}\)\]\n"
    assert re.fullmatch(result, run.stdout)


def test_a_first_run_compiles_the_shared_file_once(fresh):
    """Eight jobs run; lib.c, which both programs use, is compiled once; both programs work."""
    run = fresh.make()
    assert run.ran == ALL
    assert sum("path=lib.c" in arguments for arguments in run.arguments("compile")) == 1
    assert fresh.says("prog") == "Hello from prog\n"
    assert fresh.says("prog2") == "Hello from prog2\n"


def test_a_second_run_runs_nothing(built):
    """A second run gives the same result and runs no job."""
    first, second = built.make(), built.make()
    assert second.ran == []
    assert second.stdout == first.stdout


def test_an_edit_runs_what_depends_on_it(built):
    """After an edit of lib.c its compile and both links run, and the two other compiles are cached."""
    built.edit("lib.c", "Hello", "Bonjour")
    run = built.make()
    assert run.ran == AFTER_LIB
    assert run.cached == ["compile", "compile"]
    assert built.says("prog") == "Bonjour from prog\n"


def test_an_edit_taken_back_brings_the_old_programs_back(built):
    """With lib.c's old text, nothing runs, and all outputs are what they were, byte for byte."""
    before = built.outputs()
    built.edit("lib.c", "Hello", "Bonjour")
    built.make()
    assert built.outputs() != before
    built.edit("lib.c", "Bonjour", "Hello")
    assert built.make().ran == []
    assert built.outputs() == before
    assert built.says("prog2") == "Hello from prog2\n"


def test_an_edit_that_changes_no_object_stops_there(built):
    """A comment in lib.c compiles it again, and links nothing: the object file is what it was."""
    built.edit("lib.c", "const char", "/* a greeting */ const char")
    assert "link" not in built.make().ran


def test_new_times_run_nothing(built):
    """Touched sources and outputs with the same content run nothing."""
    for path in built.folder.iterdir():
        if path.is_file():
            os.utime(path, (1_000_000_000, 1_000_000_000))
    assert built.make().ran == []


def test_another_hash_seed_runs_nothing(built):
    """The order in which Python hashes strings takes no part in any key."""
    assert built.make(PYTHONHASHSEED="1").ran == []
    assert built.make(PYTHONHASHSEED="2").ran == []


def test_another_folder_runs_nothing(built, tmp_path):
    """The whole project moved elsewhere runs nothing."""
    built.folder.rename(tmp_path / "moved")
    moved = type(built)(tmp_path / "moved", built.command)
    assert moved.make().ran == []


def test_a_fresh_checkout_beside_a_copied_repository_runs_nothing(built, tmp_path):
    """In a fresh checkout with a copy of .redun, no job runs and the programs appear."""
    before = built.outputs()
    clone = built.copy(tmp_path / "clone", outputs=False)
    shutil.copytree(built.folder / ".redun", clone.folder / ".redun")
    assert clone.make().ran == []
    assert {name: clone.outputs()[name] for name in ("prog", "prog2")} == {
        name: before[name] for name in ("prog", "prog2")
    }
    assert clone.says("prog") == "Hello from prog\n"


def test_a_fresh_checkout_with_the_first_ones_repository_runs_nothing(built, tmp_path):
    """``redun -c DIR`` in a fresh checkout uses the repository of another, and no job runs."""
    clone = built.copy(tmp_path / "clone", outputs=False)
    assert clone.make("-c", str(built.folder / ".redun")).ran == []
    assert clone.says("prog2") == "Hello from prog2\n"


def test_a_fresh_git_clone_runs_nothing(built, tmp_path):
    """What git brings is enough: a clone beside a copy of .redun runs nothing."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(built.folder)]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *arguments], check=True)
    subprocess.run(["git", "clone", "-q", str(built.folder), str(tmp_path / "clone")], check=True)
    clone = type(built)(tmp_path / "clone", built.command)
    assert not (clone.folder / "prog").exists()
    shutil.copytree(built.folder / ".redun", clone.folder / ".redun", dirs_exist_ok=True)
    assert clone.make().ran == []
    assert clone.says("prog") == "Hello from prog\n"


def test_a_deleted_program_is_restored(built):
    """A program that was deleted comes back executable, no job runs, and a line says so."""
    before = built.outputs()
    (built.folder / "prog").unlink()
    run = built.make()
    assert run.ran == []
    assert re.search(r"^\[redun\] Restored .*\bprog\b", run.stderr, re.MULTILINE | re.IGNORECASE)
    assert built.outputs() == before
    assert built.says("prog") == "Hello from prog\n"


def test_an_older_build_is_replaced(built):
    """A program that redun itself once built, put where a newer one belongs, is restored without a job."""
    old = (built.folder / "prog").read_bytes()
    built.edit("lib.c", "Hello", "Bonjour")
    built.make()
    (built.folder / "prog").write_bytes(old)
    run = built.make()
    assert run.ran == []
    assert built.says("prog") == "Bonjour from prog\n"


def test_a_program_overwritten_by_a_stranger_is_linked_again(built):
    """Content that redun does not know is never overwritten by redun: the link runs again."""
    (built.folder / "prog").write_text("not a program")
    run = built.make()
    assert run.ran == ["link"]
    assert "'prog'" in run.arguments("link")[0]
    assert built.says("prog") == "Hello from prog\n"


def test_a_program_whose_content_is_lost_is_linked_again(built):
    """When a deleted program's content is gone from the store too, its link runs again."""
    (built.folder / "prog").unlink()
    objects = built.folder / ".redun" / "objects"
    for name in ("blob", "pack", "journal"):
        shutil.rmtree(objects / name, ignore_errors=True)
    run = built.make()
    assert "link" in run.ran
    assert built.says("prog") == "Hello from prog\n"


def test_a_source_is_never_touched(built):
    """No run writes a file that redun did not make: an edited or deleted source stays as the user left it."""
    built.edit("lib.c", "Hello", "Bonjour")
    built.make()
    edited = (built.folder / "lib.c").read_text()
    built.make()
    assert (built.folder / "lib.c").read_text() == edited
    (built.folder / "lib.c").unlink()
    subprocess.run([*REDUN, "run", "make.py", "make"], cwd=built.folder, capture_output=True, check=False)
    assert not (built.folder / "lib.c").exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    gcc(*FLAGS,", "    # the compiler is told how\n    gcc(*FLAGS,"),
        ('"""Turn one C file into an object file."""', '"""Compile one C file."""'),
        ('    gcc(*FLAGS, "-c", c_file.path,', '    gcc(\n        *FLAGS,\n        "-c", c_file.path,'),
        ("import subprocess\n", "import subprocess\n\n\n\n"),
    ],
    ids=["comment", "docstring", "layout", "lines"],
)
def test_a_cosmetic_edit_of_a_task_runs_nothing(built, old, new):
    """Comments, docstrings, layout and lines above a task take no part in its hash."""
    built.edit("make.py", old, new)
    assert built.make().ran == []


def test_a_changed_task_runs_and_says_so(built):
    """A task whose own code changed runs, and its line says so."""
    built.edit("make.py", 'gcc(*FLAGS, "-c"', 'gcc(*FLAGS, "-g", "-c"')
    run = built.make()
    assert run.ran.count("compile") == 3
    assert "make" not in run.ran
    assert all(line.endswith(" on default (function body changed)") for line in run.arguments("compile"))


def test_a_changed_helper_runs_its_users_and_is_named(built):
    """A plain function that tasks call takes part in their hashes; their lines name it."""
    built.edit("make.py", '["gcc", *arguments]', '["gcc", "-pipe", *arguments]')
    run = built.make()
    assert run.ran.count("compile") == 3
    assert "make_prog" not in run.ran
    assert all("gcc" in line.partition(" on default")[2] for line in run.arguments("compile"))


def test_a_changed_constant_runs_its_users_and_is_named(built):
    """A constant that a task uses takes part in its hash; its line names it."""
    built.edit("make.py", '"-O1"', '"-O2", "-g"')
    run = built.make()
    assert run.ran.count("compile") == 3
    assert "make" not in run.ran
    assert all("FLAGS" in line.partition(" on default")[2] for line in run.arguments("compile"))


def test_log_lists_executions(built):
    """``redun log`` lists the executions, the newest first."""
    built.make()
    lines = [line for line in built.redun("log").splitlines() if "Exec " in line]
    assert len(lines) == 2
    shape = r"\s*Exec [0-9a-f]{8} \[ DONE \] \d{4}-\d\d-\d\d \d\d:\d\d:\d\d:  run make\.py make"
    assert all(re.match(shape, line) for line in lines)


def test_log_of_the_last_execution_shows_its_jobs_as_a_tree(built):
    """``redun log -`` counts the jobs by status and shows who called whom."""
    text = built.redun("log", "-")
    assert re.search(rf"^Exec {UUID} \[ DONE \] ", text, re.MULTILINE)
    assert "Jobs: 8 (DONE: 8, CACHED: 0, FAILED: 0)" in text
    for depth, name, count in [(0, "make", 1), (1, "make_prog", 2), (2, "compile", 3), (2, "link", 2)]:
        shape = rf"^{'  ' * depth}Job [0-9a-f]{{8}} \[ DONE \] .*redun\.examples\.compile\.{name}\("
        assert len(re.findall(shape, text, re.MULTILINE)) == count, text


def test_log_of_files_tells_read_from_written(built):
    """``redun log --file`` marks sources r, programs w and object files rw."""
    text = built.redun("log", "--file")
    shape = r"^File [0-9a-f]{8} [\d-]+ [\d:]+ (r |w |rw) +(\S+)$"
    marks = {path: mark.strip() for mark, path in re.findall(shape, text, re.MULTILINE)}
    assert {name: marks[name] for name in ("lib.c", "prog.o", "lib.o", "prog", "prog2")} == {
        "lib.c": "r",
        "prog.o": "rw",
        "lib.o": "rw",
        "prog": "w",
        "prog2": "w",
    }


def test_log_of_a_program_tells_where_it_came_from(built):
    """``redun log prog`` names the job, the code and the sources that a program was made by."""
    text = built.redun("log", "prog")
    assert re.search(r"^File [0-9a-f]{8} .* w +prog$", text, re.MULTILINE)
    assert re.search(r"^Produced by Job [0-9a-f]{8}$", text, re.MULTILINE)
    assert "def link(prog_path: str, o_files: list[File]) -> File:" in text
    assert "Upstream dataflow:" in text
    assert "path=lib.c" in text


def test_log_of_an_id_shows_that_job(built):
    """``redun log PREFIX`` shows the one job whose id begins so."""
    prefix = re.search(r"Job ([0-9a-f]{8}) .*compile\.compile\(.*path=prog2\.c", built.redun("log", "-"))[1]
    text = built.redun("log", prefix)
    assert re.search(rf"Job {prefix}\S* \[ DONE \] .*redun\.examples\.compile\.compile\(", text)
    assert "path=prog2.o" in text


def test_show_prints_one_object(built):
    """``redun show PREFIX`` prints the object whose name begins so, here the file that the result names."""
    prefix = re.search(r"path=prog, hash=([0-9a-f]{8})", built.make().stdout)[1]
    assert "prog" in built.redun("show", prefix)


def test_fsck_finds_nothing_wrong(built):
    """``redun fsck`` judges the repository of a run sound."""
    assert built.redun("fsck")


def test_a_second_push_sends_nothing(built, tmp_path):
    """After a push, another says that the remote is up to date, and writes nothing there."""
    remote = tmp_path / "remote"
    built.redun("remote", "add", "origin", str(remote))
    built.redun("push", "origin")
    before = _tree(remote)
    assert before
    done = built.command("push", "origin", cwd=built.folder)
    assert "up to date" in done.stdout + done.stderr
    assert _tree(remote) == before


def test_a_pull_serves_a_fresh_checkout(built, tmp_path):
    """A fresh checkout that pulled runs no job, and has its programs."""
    remote = tmp_path / "remote"
    built.redun("remote", "add", "origin", str(remote))
    built.redun("push", "origin")
    clone = built.copy(tmp_path / "checkout", outputs=False)
    clone.redun("init")
    clone.redun("remote", "add", "origin", str(remote))
    clone.redun("pull", "origin")
    shutil.rmtree(built.folder)
    assert clone.make().ran == []
    assert clone.says("prog") == "Hello from prog\n"


def test_a_clone_serves_a_fresh_checkout(built, tmp_path):
    """A fresh checkout with a cloned repository runs no job, and has its programs."""
    remote = tmp_path / "remote"
    built.redun("remote", "add", "origin", str(remote))
    built.redun("push", "origin")
    built.redun("clone", str(remote), str(tmp_path / "checkout"))
    clone = built.copy(tmp_path / "checkout", outputs=False)
    shutil.rmtree(built.folder)
    assert clone.make().ran == []
    assert clone.says("prog2") == "Hello from prog2\n"


def test_a_scheduler_of_ones_own_leaves_no_repository(fresh, redun_environment):
    """``Scheduler().run(make())`` runs in memory: programs appear, .redun does not."""
    code = "from redun import Scheduler; from make import make; print(Scheduler().run(make()))"
    _python(fresh, redun_environment, code)
    assert fresh.says("prog") == "Hello from prog\n"
    assert not (fresh.folder / ".redun").exists()


def test_run_uses_the_projects_repository(built, redun_environment):
    """``redun.run(make())`` reads what the command line recorded, and records for it."""
    before = built.outputs()
    for name in before:
        (built.folder / name).unlink()
    without_gcc = {**redun_environment, "PATH": ""}
    _python(built, without_gcc, "import redun; from make import make; print(redun.run(make()))")
    assert built.outputs()["prog"] == before["prog"]
    assert built.redun("log").count("Exec ") == 2


def _python(example, environment, code):
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=example.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _tree(folder):
    """Return name, size and time of each file below a folder."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }
