"""Tests of orders.py, from plain functions to whole runs."""

from orders import add_up, main, parse_line

from redun import File, Scheduler, task
from redun.pytest import scheduler  # noqa: F401  (a fixture is used by its name)


def test_add_up_sums_equal_names():
    """The function of a task is an ordinary function: `task.func`."""
    assert add_up.func([("nails", 2), None, ("nails", 3)]) == {"nails": 5}


def test_a_call_is_only_a_description():
    """Calling a task runs nothing; what it would do can be looked at."""
    call = parse_line("nails 2")
    assert call.task_name == "redun.examples.testing.parse_line"
    assert call.args == ("nails 2",)


def test_main_leaves_out_bad_lines(scheduler):  # noqa: F811
    """A whole workflow, run in memory: no folder, no file, nothing left of other tests."""
    assert scheduler.run(main(["nails 2", "what?", "screws 1", "nails 1"])) == {"nails": 3, "screws": 1}


def test_a_second_run_makes_no_jobs_below(scheduler):  # noqa: F811
    """What ran can be counted by what it did."""
    done = []

    @task(name="note", namespace="tests", version="1")
    def note(text: str) -> str:
        done.append(text)
        return text

    assert scheduler.run([note("a"), note("a"), note("b")]) == ["a", "a", "b"]
    assert scheduler.run(note("b")) == "b"
    assert sorted(done) == ["a", "b"]


def test_files_are_tested_in_a_folder_of_their_own(tmp_path):
    """`Scheduler()` is what the fixture gives; files belong below tmp_path."""

    @task(name="write", namespace="tests", version="1")
    def write(path: str) -> File:
        file = File(path)
        file.write("done")
        return file

    result = Scheduler().run(write(str(tmp_path / "out.txt")))
    assert result.read() == "done"
