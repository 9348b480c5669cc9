"""Scripts as jobs: what runs them again, what comes back, how they fail."""

from __future__ import annotations

import os

import pytest

from redun import File, Scheduler, catch, script, task
from redun.executors.thread import ThreadExecutor
from redun.scheduler.errors import TimedOut
from redun.scripting import MissingOutput, ScriptError, script_task
from redun.scripting.text import BadCommand
from redun.store.memory import MemoryStore

redun_namespace = "test_scripting"


class Watcher(ThreadExecutor):
    """Notes the jobs that it is given."""

    def __init__(self, name="default"):
        super().__init__(name)
        self.jobs = []

    def submit(self, work):
        self.jobs.append(work)
        super().submit(work)


class Project:
    """A folder with a store that remembers earlier runs."""

    def __init__(self):
        self.store = MemoryStore()

    def run(self, expression):
        """Run in a new scheduler; return the value and the tasks whose jobs ran."""
        watcher = Watcher()
        value = Scheduler(backend=self.store, executor=watcher).run(expression)
        return value, [job.task.name for job in watcher.jobs]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project in the working folder."""
    monkeypatch.chdir(tmp_path)
    return Project()


@task(script=True, version="1")
def greet(name):
    """Return shell text."""
    return f"""
        echo hello {name}
    """


@task(version="1")
def upper(source):
    """Write one file in capitals, through a staged script."""
    return script(
        "tr a-z A-Z < in.txt > out.txt",
        inputs=[source.stage("in.txt")],
        outputs={"big": File("big.txt").stage("out.txt"), "log": File("-")},
    )


@task(version="1")
def path_of(name):
    """Return a path."""
    return f"{name}.txt"


@task(version="1")
def named(name):
    """Return a file that is to be made."""
    return File(f"{name}.txt")


@task(version="1")
def written(name):
    """Write a file."""
    file = File(f"{name}.txt")
    file.write(name)
    return file


@task(version="1")
def say(error):
    """Return what an error says."""
    return str(error)


def test_a_task_may_be_a_script(project):
    """Its result is what the script that it returns prints; an equal call is found, another one runs."""
    assert project.run(greet("you")) == (b"hello you\n", ["greet"])
    assert project.run(greet("you")) == (b"hello you\n", [])
    assert project.run(greet("them")) == (b"hello them\n", ["greet"])


def test_a_second_run_finds_everything_in_one_step(project):
    """Outputs that are there now, and were not before, make no other call of it."""
    File("a.txt").write("text")
    first, ran = project.run(upper(File("a.txt")))
    assert ran == ["upper", "script"]
    assert first["big"].read() == "TEXT"
    assert first["log"] == b""
    assert project.run(upper(File("a.txt"))) == (first, [])


def test_an_edited_input_runs_it_again(project):
    """The content of an input is part of the call."""
    File("a.txt").write("text")
    project.run(upper(File("a.txt")))
    File("a.txt").write("other")
    value, ran = project.run(upper(File("a.txt")))
    assert ran == ["upper", "script"]
    assert value["big"].read() == "OTHER"


def test_a_deleted_output_is_restored(project):
    """What a script produced is kept, and put back without running it."""
    File("a.txt").write("text")
    project.run(upper(File("a.txt")))
    os.remove("big.txt")
    value, ran = project.run(upper(File("a.txt")))
    assert ran == []
    assert value["big"].read() == "TEXT"


def test_an_output_that_somebody_changed_is_made_again(project):
    """A content that redun does not know at this place is no result of the script."""
    File("a.txt").write("text")
    project.run(upper(File("a.txt")))
    File("big.txt").write("mine")
    value, ran = project.run(upper(File("a.txt")))
    assert "script" in ran
    assert value["big"].read() == "TEXT"


def test_an_output_with_an_old_time_is_restored_too(project):
    """A script that unpacks or copies files with their times has produced them."""
    call = script("echo new > x.txt; touch -d 2001-01-01 x.txt", outputs=File("x.txt"))
    project.run(call)
    os.remove("x.txt")
    value, ran = project.run(script("echo new > x.txt; touch -d 2001-01-01 x.txt", outputs=File("x.txt")))
    assert ran == []
    assert value.read() == "new\n"


def test_an_output_that_was_there_and_stays_is_not_restored(project):
    """A script that leaves its output as it was has not made it; when that is gone the script runs."""
    File("x.txt").write("mine\n")
    os.utime("x.txt", (1, 1))
    command = "[ -e x.txt ] || echo made > x.txt"
    assert project.run(script(command, outputs=File("x.txt")))[0].read() == "mine\n"
    os.remove("x.txt")
    value, ran = project.run(script(command, outputs=File("x.txt")))
    assert ran == ["script"]
    assert value.read() == "made\n"


def test_other_places_are_another_call(project):
    """The path of an output is part of the call; the indentation of the command is none."""
    project.run(script("echo x > o", outputs=File("a").stage("o")))
    assert project.run(script("\n   echo x > o\n", outputs=File("a").stage("o")))[1] == []
    assert project.run(script("echo x > o", outputs=File("b").stage("o")))[1] == ["script"]


def test_parts_may_be_lazy(project):
    """Calls may stand in the command, the inputs, the outputs and the options."""
    value, _ = project.run(
        script(
            ["cat", path_of("a"), "staged.txt"],
            inputs=[written("a"), written("b").stage("staged.txt")],
            outputs=[File("-"), {"kept": named("b"), "made": named("c").stage("staged.txt")}],
            memory=path_of("3"),
        )
    )
    assert value[0] == b"ab"
    assert value[1]["kept"].read() == value[1]["made"].read() == "b"
    value, _ = project.run(script("echo " + path_of("x"), tempdir=True))
    assert value == b"x.txt\n"


def test_a_lazy_output_is_named_by_path_as_well(project):
    """An output that a task names is no other call once it is there."""
    make = lambda: script("echo 1 > c.txt", outputs=named("c"))  # noqa: E731
    assert project.run(make())[1] == ["named", "script"]
    value, ran = project.run(make())
    assert ran == ["named"]  # its own result was a file that was not there
    assert value.read() == "1\n"


@task(version="1")
def mixed(source):
    """Name one output itself, and leave the other to a task."""
    return script("echo 1 > a.out; echo 2 > b.out", inputs=source, outputs=[File("a.out"), path_of("b"), File("b.out")])


def test_an_output_beside_a_lazy_one_is_named_by_path_in_the_caller_too(project):
    """What the caller is on record with does not hold the content that the script replaced."""
    File("a.out").write("before")
    File("in.txt").write("in")
    project.run(mixed(File("in.txt")))
    value, ran = project.run(mixed(File("in.txt")))
    assert ran == []
    assert [value[0].read(), value[1]] == ["1\n", "b.txt"]


def test_options_are_those_of_the_job(project):
    """What else ``script`` is given are options of its job, the executor among them."""
    other = Watcher("other")
    scheduler = Scheduler(backend=project.store)
    scheduler.add_executor(other)
    assert scheduler.run(script("echo x", executor="other", memory=4, cache=False)) == b"x\n"
    assert [(job.task.name, job.get_option("memory")) for job in other.jobs] == [("script", 4)]
    assert project.run(script("echo x", cache=False))[1] == ["script"]


def test_script_task_runs_a_command_as_it_is(project):
    """The task that takes text alone is there for those who call it."""
    assert project.run(script_task("echo plain"))[0] == b"plain\n"


def test_a_failure_is_an_error_with_the_log(project):
    """The last line is the message, and the traceback has the end of standard error."""
    with pytest.raises(ScriptError, match=r"^Last line: no good$") as caught:
        project.run(script("#!/bin/sh\necho some >&2; echo no good >&2; exit 2"))
    assert caught.value.returncode == 2
    lines = caught.value.redun_traceback.lines()
    assert "the script ended with exit code 2; the end of its standard error:" in lines
    assert "  no good" in lines
    assert lines[-1].endswith("ScriptError: Last line: no good")


def test_a_failure_can_be_caught(project):
    """An error of a script is an error like any other."""
    value, _ = project.run(catch(script("echo no >&2; exit 1"), ScriptError, say))
    assert value == "Last line: + exit 1"


def test_a_failed_script_runs_again(project):
    """Failures are recorded and never replayed."""
    for _ in range(2):
        with pytest.raises(ScriptError):
            project.run(script("echo x >> count; false"))
    assert File("count").read() == "x\nx\n"


def test_a_missing_output_fails_the_job(project):
    """The error names the script and the path."""
    with pytest.raises(MissingOutput, match=r"script 'true' ended well, and there is no output gone\.txt"):
        project.run(script("true", outputs=File("gone.txt")))


@pytest.mark.parametrize("command", [3, None, ["ls", None]])
def test_a_wrong_command_is_refused_where_it_is_given(command):
    """The error comes from the call in the user's code, not from a job later."""
    with pytest.raises(BadCommand):
        script(command)


def test_a_script_task_that_returns_no_command_is_refused(project):
    """A function with script=True that returns something else fails its job."""

    @task(script=True, version="1")
    def wrong():
        return {"a": 1}

    with pytest.raises(BadCommand, match="expected a command, found dict"):
        project.run(wrong())


def test_an_input_changed_meanwhile_makes_the_result_unsure(project):
    """A staged input that is edited while the script runs is noticed: the next run does not trust the result."""
    File("a.txt").write("text")
    call = lambda: script("echo more >> a.txt", inputs=[File("a.txt").stage("in.txt")])  # noqa: E731
    project.run(call())
    File("a.txt").write("text")
    assert project.run(call())[1] == ["script"]


def test_a_time_limit_ends_the_script(project, tmp_path):
    """A script whose time is up is ended with all it started: the pipe that they hold open comes to its end."""
    witness = tmp_path / "witness"
    os.mkfifo(witness)
    reader = os.open(witness, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(TimedOut):
        project.run(script(f"exec 9>{witness}; echo ready >&9; sleep 600 & sleep 600", timeout=0.3))
    os.set_blocking(reader, True)
    with os.fdopen(reader, "rb") as stream:
        assert stream.read() == b"ready\n"
