"""Jobs that raise: whatever it is, the run ends in order and says what it was."""

from __future__ import annotations

import pytest

from redun import Scheduler, task
from redun.scheduler.errors import TaskExited
from redun.scheduler.failure import MAX_JOBS_SHOWN
from redun.scheduler.trace_frames import MAX_FRAMES_SHOWN
from redun.store.memory import MemoryStore
from redun.task import get_task_registry
from redun.testing.lines import Lines

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


@task(version="1")
def load(path: str, password: str):
    """Fail with a cause."""
    rows = [1, 2, 3]
    try:
        raise KeyError(path)
    except KeyError as error:
        raise ValueError(f"{len(rows)} rows") from error


@task(version="1")
def load_all(paths: list):
    """Call what fails."""
    return [load(path, "hunter2") for path in paths]


def test_a_traceback_leads_through_tasks_with_arguments_and_variables():
    """Each job with its arguments as they are on record, then the frames with what their variables held."""
    error, log = failure_of(load_all(["a.csv"]))
    trace = error.redun_traceback
    assert [job.partition(" in ")[2] for job in trace.jobs] == [
        "test_failure.load_all(paths=['a.csv'])",
        "test_failure.load(path='a.csv', password=***)",
    ]
    assert trace.frames[-1].locals["rows"] == "[1, 2, 3]"
    assert "ValueError: 3 rows" in log
    assert "caused by KeyError: 'a.csv'" in log
    assert "        rows = [1, 2, 3]" in log
    assert "".join(trace.format()).splitlines() == trace.lines()
    assert "hunter2" not in "\n".join(line for line in trace.lines() if "load(path, " not in line)


def test_a_function_that_ended_well_does_not_run_again_for_a_failure_below_it():
    """The next run asks the calls that it returned: those that failed run again, and what has changed."""
    store, ran = MemoryStore(), []

    def run(version):
        with get_task_registry().isolated():

            @task(namespace="test_failure", version=version)
            def shaky(x):
                ran.append("shaky")
                return 1 // x if version == "1" else 5

            @task(namespace="test_failure", version="1")
            def prepare(x):
                ran.append("prepare")
                return [shaky(x), shaky(1)]

            return Scheduler(backend=store, logger=Lines()).run(prepare(0))

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            run("1")
    assert ran.count("prepare") == 1
    assert ran.count("shaky") >= 2
    assert run("2") == [5, 5]
    assert ran.count("prepare") == 1


def test_a_stored_error_is_read_back_with_its_traceback():
    """Frames with their variables, and the errors behind it."""
    from redun.scheduler import ErrorValue, Traceback
    from redun.value.encoding import decode_value, encode_value

    error, _ = failure_of(load_all(["a.csv"]))
    encoded = encode_value(ErrorValue(error, error.redun_traceback))
    parts = {part.oid: part.data for part in encoded.parts} | {encoded.oid: encoded.data}
    read = decode_value(encoded.oid, parts.__getitem__)
    assert read.traceback.lines() == error.redun_traceback.lines()
    assert Traceback.from_error(error).frames[-1].name == "load"
    assert ErrorValue(error).traceback.error == "ValueError: 3 rows"


def test_a_log_of_a_failed_job_shows_variables_and_causes(tmp_path):
    """What is stored is what `redun log` shows."""
    from redun.objects.execution_records import JobsRecord, JobStatus
    from redun.objects.kinds import Kind
    from redun.provenance.failures import view_error

    store = MemoryStore()
    with pytest.raises(ValueError, match="3 rows"):
        Scheduler(backend=store, logger=Lines()).run(load_all(["a.csv"]))
    batches = [JobsRecord.decode(store.get_node(oid)) for oid, _ in store.iter_oids(Kind.JOBS)]
    failed = {row.outcome for batch in batches for row in batch.rows if row.status is JobStatus.FAILED}
    assert len(failed) == 1
    shown = "\n".join(view_error(store, failed.pop()).trace)
    assert "      rows = [1, 2, 3]" in shown
    assert "caused by KeyError: 'a.csv'" in shown
    assert "password=***" in shown


@task(version="1")
def endless(n: int):
    """Call the next one, and fail in the end."""
    if n == 0:
        raise ValueError("end")
    return endless(n - 1)


def test_of_a_long_chain_of_jobs_some_are_named():
    """The outermost and the innermost."""
    error, _ = failure_of(endless(200))
    assert len(error.redun_traceback.jobs) == MAX_JOBS_SHOWN + 1
    assert error.redun_traceback.jobs[0].endswith("endless(n=200)")
    assert error.redun_traceback.jobs[-1].endswith("endless(n=0)")
