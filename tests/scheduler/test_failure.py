"""Jobs that raise: whatever it is, the run ends in order and says what it was."""

from __future__ import annotations

import pytest

from redun import Scheduler, task
from redun.scheduler.errors import MAX_FRAMES_SHOWN, TaskExited

redun_namespace = "test_failure"


class Mute(Exception):
    """Cannot say what it is."""

    def __str__(self):
        raise ValueError("no words")

    __repr__ = __str__


class Exiting(Mute):
    """Ends the process of whoever asks it."""

    def __str__(self):
        raise SystemExit(3)


class Closed(Exception):
    """Takes no attribute."""

    def __setattr__(self, name, value):
        raise RuntimeError("closed")


class Lines:
    """A logger that keeps its lines."""

    def __init__(self):
        self.lines = []

    def info(self, msg):
        self.lines.append(msg)

    warning = info

    def text(self):
        return "\n".join(self.lines)


@task()
def fail_with(kind: str):
    """Raise one of the odd errors."""
    raise {"mute": Mute, "exiting": Exiting, "stop": StopIteration, "exit": SystemExit, "closed": Closed}[kind]("x")


@task()
def call_itself(n: int):
    """Never come to an end."""
    return call_itself.func(n + 1)


@task()
def first(x):
    """Return its argument."""
    return x


@task()
def hold_itself():
    """Return a list with a call and with itself in it."""
    made = [first(1)]
    made.append(made)
    return made


def failure_of(expression):
    """Run something that fails; return the error and the log."""
    log = Lines()
    with pytest.raises(Exception) as caught:
        Scheduler(logger=log).run(expression)
    return caught.value, log.text()


@pytest.mark.parametrize(("kind", "expected"), [("mute", Mute), ("exiting", Exiting), ("stop", StopIteration)])
def test_an_error_of_any_kind_is_raised_as_it_was(kind, expected):
    """Also one whose text raises in turn, or whose text would end the process."""
    error, log = failure_of(fail_with(kind))
    assert type(error) is expected
    assert f"test_failure.fail_with: {expected.__name__}: " in log


def test_a_task_that_exits_fails_and_does_not_end_the_process():
    """SystemExit of a task is the job's failure."""
    error, _ = failure_of(fail_with("exit"))
    assert isinstance(error, TaskExited)


def test_an_error_that_takes_no_attribute_fails_its_job():
    """The traceback that redun hangs on an error is no condition."""
    error, log = failure_of(fail_with("closed"))
    # From Python 3.11 on, contextlib sets an attribute of it, and what that raises takes its place.
    assert isinstance(error, Closed) or str(error) == "closed"
    assert "Execution failed" in log


def test_endless_recursion_is_shown_short():
    """The outermost and the innermost frames tell it."""
    error, log = failure_of(call_itself(0))
    assert isinstance(error, RecursionError)
    assert len(error.redun_traceback.frames) == MAX_FRAMES_SHOWN + 1
    assert "more frames ..." in log


def test_a_container_of_calls_that_holds_itself_is_refused():
    """There is no end of walking it."""
    error, _ = failure_of(hold_itself())
    assert "it contains itself" in str(error)


def test_a_failed_run_leaves_a_scheduler_that_runs_again():
    """Nothing of the failure stays behind."""
    scheduler = Scheduler(logger=Lines())
    with pytest.raises(Mute):
        scheduler.run(fail_with("mute"))
    assert scheduler.run(first(1) + 1) == 2
