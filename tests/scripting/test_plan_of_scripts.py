"""A script with its inputs and outputs, run here or as text elsewhere."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path

import pytest

from redun import Dir, File, FileSet, task
from redun.file import RedunFileNotFoundError
from redun.scripting import MissingOutput, Script, ScriptError, exec_script, get_task_command, run_script
from redun.scripting.outputs import as_output
from redun.value.nested import map_nested_value

redun_namespace = "test_plan_of_scripts"


class Job:
    """What a script is told about its job."""

    cancel = None


def run(command, inputs=(), outputs=None, **options):
    """Run a script here, as ``script`` would."""
    wanted = map_nested_value(as_output, File("-") if outputs is None else outputs)
    return run_script(Script(command, inputs, wanted, **options), Job())


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    """Work in an empty folder, and have temporary folders in one that can be looked at."""
    (tmp_path / "scratch").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "scratch"


def test_a_command_alone_returns_what_it_prints():
    """A task may return text or a list in place of a Script."""
    assert run_script("\n  echo hi\n  ", Job()) == b"hi\n"
    assert run_script(["echo", "a  b"], Job()) == b"a  b\n"


def test_inputs_are_staged_and_outputs_unstaged():
    """A staged input is at its local path, a staged output is copied from there, whatever the protocols."""
    File("data.txt").write("one\n")
    File("memory://scripts/in.txt").write("two\n")
    result = run(
        "cat a.txt b.txt > c.txt; cp c.txt d.txt",
        [File("data.txt").stage("a.txt"), {"b": File("memory://scripts/in.txt").stage("b.txt")}],
        [File("done.txt").stage("c.txt"), File("memory://scripts/out.txt").stage("d.txt")],
    )
    assert [file.path for file in result] == ["done.txt", "memory://scripts/out.txt"]
    assert [file.read() for file in result] == ["one\ntwo\n"] * 2


def test_folders_are_staged_too():
    """A folder is copied as a whole, both ways."""
    File("memory://scripts/in/sub/a.txt").write("a")
    result = run(
        "mkdir made; cp -r given/sub made/; echo b > made/b.txt",
        Dir("memory://scripts/in").stage("given"),
        Dir("result").stage("made"),
    )
    assert isinstance(result, Dir)
    assert [file.path for file in result] == ["result/b.txt", "result/sub/a.txt"]


Pair = namedtuple("Pair", ["left", "right"])


@dataclass
class Record:
    """A container among the outputs."""

    log: object
    files: list


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (File("-"), b"out\n"),
        ([File("a"), File("-")], [File("a"), b"out\n"]),
        ({"x": (File("a"), 3), "y": None}, {"x": (File("a"), 3), "y": None}),
        (Pair(File("a").stage("b"), "text"), Pair(File("a"), "text")),
        (Record(File("-"), [File("b")]), Record(b"out\n", [File("b")])),
        (File("memory://scripts/log").stage("-"), File("memory://scripts/log")),
        (7, 7),
        ([], []),
    ],
)
def test_the_result_has_the_shape_of_the_outputs(outputs, expected):
    """Files are named by where they belong, ``-`` is what was printed, and anything else is as it was."""
    result = run("echo out; echo a > a; echo b > b", (), outputs)
    if isinstance(expected, File):
        assert result.read() == "out\n"
    assert result == map_nested_value(lambda part: type(part)(part.path) if isinstance(part, File) else part, expected)


def test_sets_are_looked_up_afterwards():
    """A pattern among the outputs gives what matches once the script has run."""
    File("0.part").write("x")
    result = run("echo 1 > 1.part; echo 2 > 2.part", (), FileSet("*.part"))
    assert [file.path for file in result.files] == ["0.part", "1.part", "2.part"]


@pytest.mark.parametrize(
    "output",
    [
        lambda: File("no.txt"),
        lambda: File("x.txt").stage("no.txt"),
        lambda: Dir("no.txt"),
        lambda: Dir("x").stage("no.txt"),
    ],
)
@pytest.mark.parametrize("tempdir", [False, True])
def test_a_missing_output_is_an_error_that_names_script_and_path(output, tempdir):
    """A script that ends well without its output has not done what it was asked to."""
    with pytest.raises(MissingOutput, match=r"script 'echo lots' ended well, and there is no output no\.txt"):
        run("# about\necho lots", (), [output()], tempdir=tempdir)


def test_a_missing_input_is_named():
    """An input that cannot be copied is an error before the script runs."""
    with pytest.raises(RedunFileNotFoundError, match=r"gone\.txt"):
        run("touch ran", [File("gone.txt").stage("in.txt")])
    assert not os.path.exists("ran")


def test_a_temporary_folder_is_where_relative_paths_are(scratch):
    """Inputs and outputs are copied there and back, staged or not; the folder is empty at first and gone at the end."""
    File("data.txt").write("one\n")
    File("sub/more.txt").write("two\n")
    result = run(
        "ls > listing; cat in.txt sub/more.txt > out/all.txt || { mkdir out; cat in.txt sub/more.txt > out/all.txt; }",
        [File("data.txt").stage("in.txt"), File("sub/more.txt")],
        [File("listing"), File("copy.txt").stage("out/all.txt"), Dir("out"), FileSet("out/*.txt")],
        tempdir=True,
    )
    assert result[0].read() == "in.txt\nlisting\nsub\n"
    assert result[1].read() == "one\ntwo\n"
    assert [file.path for file in result[2]] == [file.path for file in result[3]] == ["out/all.txt"]
    assert sorted(os.listdir(".")) == ["copy.txt", "data.txt", "listing", "out", "sub"]
    assert os.listdir(scratch) == []


def test_the_members_of_a_set_are_copied_to_a_temporary_folder():
    """A script finds the files of a set where the pattern says, in its own folder as well."""
    File("parts/1.txt").write("one\n")
    File("parts/2.txt").write("two\n")
    File("parts/2.log").write("no\n")
    assert run("cat parts/*", FileSet("parts/*.txt"), tempdir=True) == b"one\ntwo\n"


def test_paths_that_lead_out_of_a_temporary_folder_are_left_alone(tmp_path):
    """Absolute paths, URLs and paths with .. mean the same with and without a folder of its own."""
    File("../given.txt").write("given")
    absolute = f"{tmp_path}/absolute.txt"
    result = run(
        f"echo made > {absolute}; echo up > {tmp_path}/up.txt; ls ..",
        [File("../given.txt")],
        [File(absolute), File("../up.txt"), File("-")],
        tempdir=True,
    )
    assert [file.read() for file in result[:2]] == ["made\n", "up\n"]
    assert b"given.txt" not in result[2]


@pytest.mark.parametrize("command", ["echo x > a; mkdir -p d; touch d/f; chmod 500 d; false", "#!/no/such\n", "true"])
def test_a_temporary_folder_is_removed_however_the_script_ends(command, scratch):
    """Nothing is left behind by a failed script, one that did not start, or one without its outputs."""
    with pytest.raises(Exception, match=r"Last line|cannot start|no output"):
        run(command, (), File("missing"), tempdir=True)
    assert os.listdir(scratch) == []


def test_a_folder_that_is_named_is_kept(scratch):
    """``tempdir`` may be a path: the script works there, and what it leaves can be looked at."""
    with pytest.raises(ScriptError):
        run("pwd; cp in.txt seen.txt; false", [File(__file__).stage("in.txt")], tempdir="debug/it")
    assert sorted(os.listdir("debug/it")) == ["in.txt", "seen.txt"]
    assert os.listdir(scratch) == []


def test_a_job_can_be_cancelled_only_while_its_script_runs():
    """The hook is there for that time, and does not outlive it."""
    job = Job()
    assert run_script("true", job) == b""
    assert job.cancel is None
    with pytest.raises(ScriptError):
        run_script("false", job)
    assert job.cancel is None


def test_buckets_may_be_reached_through_mounts(tmp_path, monkeypatch):
    """With as_mount a bucket's file is read in the folder that the bucket is mounted at, here and elsewhere."""
    monkeypatch.setattr("redun.file.shell.MOUNT_ROOT", str(tmp_path / "mnt"))
    (tmp_path / "mnt" / "bucket").mkdir(parents=True)
    (tmp_path / "mnt" / "bucket" / "in.txt").write_text("mounted\n")
    inputs = [File("gs://bucket/in.txt").stage("in.txt")]
    for tempdir in (False, True):
        result = run(
            "cat in.txt; cp in.txt o", inputs, [File("-"), File("x").stage("o")], as_mount=True, tempdir=tempdir
        )
        assert result[0] == b"mounted\n"
        assert result[1].read() == "mounted\n"


# As text for a shell elsewhere


def sh(text):
    """Run text by the system's plain shell; return what came of it."""
    return subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("tempdir", [False, True, "kept"])
def test_a_rendered_script_copies_and_runs(tempdir, scratch):
    """One text for any shell does what running here does; ``collect`` reads what it left."""
    here = os.getcwd()
    File("data.txt").write("one\n")
    outputs = map_nested_value(as_output, {"f": File(f"{here}/res/f.txt").stage("o.txt"), "out": File("-")})
    plan = Script("pwd; cat in.txt > o.txt", [File(f"{here}/data.txt").stage("in.txt")], outputs, tempdir)
    done = sh(plan.render())
    assert done.returncode == 0, done.stderr
    stdout = Path("stdout")
    stdout.write_text(done.stdout)
    result = plan.collect(stdout)
    assert result["f"].read() == "one\n"
    worked_in = result["out"].decode().strip()
    assert worked_in == here if not tempdir else worked_in != here
    assert os.path.exists(worked_in) == (tempdir is not True)


@pytest.mark.parametrize("failing", ["input", "script", "output"])
def test_a_rendered_script_stops_where_it_fails(failing):
    """A failed copy or command is the end, with its exit code, and what was copied before stays."""
    File("data.txt").write("one\n")
    plan = Script(
        "touch ran; exit 9" if failing == "script" else "touch ran",
        [File("gone.txt" if failing == "input" else "data.txt").stage("in.txt")],
        as_output(File("res.txt").stage("gone.txt" if failing == "output" else "in.txt")),
    )
    done = sh(plan.render())
    assert done.returncode == (9 if failing == "script" else 1)
    assert os.path.exists("ran") == (failing != "input")
    assert not os.path.exists("res.txt")


@task(script=True)
def shell(name):
    """Greet."""
    return f"""
        echo hello {name}
    """


def test_a_task_tells_its_command():
    """Executors elsewhere ask for the text that a call of a script task comes to."""
    assert get_task_command(shell, ("you",), {}) == "#!/usr/bin/env bash\nset -exo pipefail\necho hello you"


def test_a_call_of_script_tells_its_whole_command():
    """It holds the copying around the command."""
    from redun import script

    call = script("cat in.txt", [File("data.txt").stage("in.txt")])
    from redun.task import get_task_registry

    File("data.txt").write("one\n")
    text = get_task_command(get_task_registry().get(call.task_name), call.args, call.kwargs)
    assert sh(text).stdout == "one\n"


def test_exec_script_runs_text_as_it_is():
    """Without an interpreter the plain shell runs it, which goes on after failures."""
    assert exec_script("false; echo ok") == b"ok\n"
    assert exec_script("#!/usr/bin/env python3\nprint(3)") == b"3\n"
    with pytest.raises(ScriptError, match="Last line: bad"):
        exec_script("echo bad >&2; exit 3")
