"""The scheduler as users meet it: runs, caching, errors, what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

import redun
from redun import Scheduler, get_context, get_current_scheduler, task
from redun.executors.thread import ThreadExecutor
from redun.scheduler import DryRunResult, ErrorValue, JobInfo, NoCurrentScheduler, SchedulerError, Traceback
from redun.store.memory import MemoryStore
from redun.store.repository import Repository

redun_namespace = "compat_scheduler"

RAN: list[object] = []
FACTOR = [2]


@pytest.fixture(autouse=True)
def _forget():
    RAN.clear()
    FACTOR[0] = 2


@task(version="1")
def double(x):
    RAN.append(("double", x))
    return x * FACTOR[0]


@task(version="1")
def total(values):
    RAN.append(("total", *values))
    return sum(values)


@task(version="1")
def main(n):
    RAN.append(("main", n))
    return total([double(x) for x in range(n)])


@task(version="1")
def fail(x):
    RAN.append(("fail", x))
    raise ValueError(f"no {x}")


@task(version="1")
def above(x):
    return [fail(x)]


@task(version="1")
def ask(name=get_context("user.name", "nobody")):  # noqa: B008  (a default may be lazy)
    return name


class Lines:
    """A logger that keeps what it is told."""

    def __init__(self):
        self.lines = []

    def _note(self, text):
        self.lines += str(text).splitlines()

    debug = info = warning = error = _note


def test_a_scheduler_needs_nothing():
    """``Scheduler()`` runs in memory, on threads; ``run`` waits and returns the value."""
    scheduler = Scheduler()
    assert scheduler.run(main(4)) == 12
    assert "default" in scheduler.executors
    assert not scheduler.is_running


@pytest.mark.parametrize("value", [5, "text", [1, {"a": None}]])
def test_plain_values_may_be_run(value):
    """What holds no call comes back."""
    assert Scheduler().run(value) == value


def test_a_nested_call_is_run_below_a_root_task():
    """Lists and operations of calls are values to be run too."""
    assert Scheduler().run([double(1), double(2) + 1]) == [2, 5]


def test_run_takes_context_tags_and_an_id(tmp_path, redun_command):
    """``redun.run(..., tags=, context=, execution_id=, exec_argv=)`` runs and records in the project's repository."""
    (tmp_path / "wf.py").write_text(
        "import redun\nfrom redun import task, get_context\nredun_namespace = 'wf'\n"
        "@task()\ndef main(x=get_context('a.b')): return x\n"
    )
    uuid = "00000000-0000-4000-8000-0123456789ab"
    code = (
        "import redun, wf\n"
        f"print(redun.run(wf.main(), context={{'a': {{'b': 7}}}}, tags=[('k', 'v')], execution_id={uuid!r}, "
        "exec_argv=['redun', 'run', 'by hand']))"
    )
    environment = {**{k: v for k, v in os.environ.items() if not k.startswith("REDUN_")}, "PYTHONPATH": _path()}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "7\n"
    log = redun_command("log", "-").stdout
    assert uuid in log
    assert "k=v" in log
    assert "by hand" in log


def _path():
    return os.pathsep.join(
        filter(None, [os.path.dirname(os.path.dirname(redun.__file__)), os.environ.get("PYTHONPATH")])
    )


def test_an_executor_can_be_added():
    """``add_executor`` makes it known under its name, and tasks may name it."""
    scheduler = Scheduler()
    scheduler.add_executor(ThreadExecutor("side"))
    assert scheduler.run(double.options(executor="side")(4)) == 8


def test_migrating_is_taken_and_does_nothing():
    """There are no versions of a database; who asks for them gets a scheduler all the same."""
    scheduler = Scheduler(migrate=True)
    scheduler.load(migrate=True)
    assert scheduler.run(double(2)) == 4


def test_only_affected_tasks_run_again():
    """Another argument runs what gets it; what is unchanged comes from the store."""
    store = MemoryStore()
    Scheduler(backend=store).run(main(3))
    RAN.clear()
    Scheduler(backend=store).run(main(4))
    assert sorted(RAN) == [("double", 3), ("main", 4), ("total", 0, 2, 4, 6)]


def test_an_unchanged_value_ends_the_re_run():
    """A task that runs again and returns what it returned before leaves what follows alone."""

    def define(version):
        @task(name="half", version=version)
        def half(x):
            RAN.append(("half", x))
            return x // 2

        @task(name="top", version="1")
        def top(x):
            return total([half(x)])

        return top

    store = MemoryStore()
    Scheduler(backend=store).run(define("1")(4))
    Scheduler(backend=store).run(define("2")(5))
    assert RAN == [("half", 4), ("total", 2), ("half", 5)]


def test_the_same_call_in_one_run_is_one_job():
    """Also with ``cache=False``, and below different jobs; errors are replayed too."""
    assert Scheduler().run([double(1), double(1), total([double(1)])]) == [2, 2, 2]
    assert RAN.count(("double", 1)) == 1
    RAN.clear()
    assert Scheduler().run([main(2), main(2)], cache=False) == [2, 2]
    assert RAN.count(("main", 2)) == 1


def test_an_error_is_raised_as_it_was_and_tells_the_way():
    """``run`` raises the task's own exception, with the task-level traceback on it."""
    with pytest.raises(ValueError, match="no 1") as caught:
        Scheduler().run(above(1))
    trace = caught.value.redun_traceback
    assert isinstance(trace, Traceback)
    assert any("compat_scheduler.above" in line for line in trace.lines())


def test_errors_are_never_replayed_from_the_store():
    """A call that failed is tried again in the next run."""
    store = MemoryStore()
    for _ in range(2):
        with pytest.raises(ValueError, match="no 1"):
            Scheduler(backend=store).run(fail(1))
    assert RAN == [("fail", 1), ("fail", 1)]


def test_an_error_value_holds_error_and_traceback():
    """What is recorded of a failed job is ``ErrorValue(error, traceback)``."""
    value = ErrorValue(ValueError("x"), Traceback([], [], "ValueError: x"))
    assert (str(value.error), value.traceback.error) == ("x", "ValueError: x")


def test_a_dry_run_runs_nothing_and_says_why():
    """It raises ``DryRunResult``, and each job that would run is told with the reason."""
    store, lines = MemoryStore(), Lines()
    Scheduler(backend=store).run(main(2))
    RAN.clear()
    with pytest.raises(DryRunResult):
        Scheduler(backend=store, logger=lines).run(main(3), dryrun=True)
    assert RAN == []
    assert any(
        re.match(r"Dryrun Job \w{8}:  compat_scheduler\.main\(n=3\).*\(changed: n\)", line) for line in lines.lines
    )
    assert Scheduler(backend=store).run(main(2), dryrun=True) == 2


def test_without_cache_nothing_of_earlier_runs_serves():
    """``run(cache=False)``: every job is looked up in this run only."""
    store = MemoryStore()
    for _ in range(2):
        Scheduler(backend=store).run(main(1), cache=False)
    assert RAN.count(("main", 1)) == 2


def test_context_comes_from_settings_run_and_call():
    """Settings < ``run(context=)`` < ``update_context``; paths are dotted."""
    settings = {"scheduler": {"context": '{"user": {"name": "ini"}}'}}
    assert Scheduler().run(ask()) == "nobody"
    assert Scheduler().run(ask(), context={"user": {}}) == "nobody"
    assert Scheduler(settings).run(ask()) == "ini"
    assert Scheduler(settings).run(ask(), context={"user": {"name": "run"}}) == "run"
    assert Scheduler(settings).run([ask.update_context(user={"name": "call"})()]) == ["call"]


def test_lines_of_a_run_are_those_that_scripts_grep_for():
    """``Start Execution``, ``Run    Job``, ``Cached Job``, ``*** Reject Job``, the duration, the traceback."""
    store, lines = MemoryStore(), Lines()
    for expression in (main(1), main(1), fail(9)):
        try:
            Scheduler(backend=store, logger=lines).run(expression, exec_argv=["redun", "run", "wf.py"])
        except ValueError:
            continue
    text = "\n".join(lines.lines)
    for pattern in (
        r"^Start Execution [0-9a-f-]{36}:  redun run wf\.py$",
        r"^Run    Job [0-9a-f]{8}:  compat_scheduler\.main\(n=1\) on default",
        r"^Cached Job [0-9a-f]{8}:  compat_scheduler\.main\(n=1\) \(eval_hash=[0-9a-f]{8}",
        r"^\*\*\* Reject Job [0-9a-f]{8}:  compat_scheduler\.fail",
        r"^\*\*\* Execution failed\. Traceback \(most recent task last\):",
        r"^Execution duration: [\d.]+ seconds",
    ):
        assert re.search(pattern, text, re.MULTILINE), pattern


def test_the_status_table_counts_jobs():
    """``get_job_status_report()`` has a row for all jobs and one for each task."""
    scheduler = Scheduler()
    scheduler.run(main(3))
    text = "\n".join(scheduler.get_job_status_report())
    assert re.search(r"\| JOB STATUS \d{4}/\d\d/\d\d \d\d:\d\d:\d\d", text)
    assert re.search(r"\| TASK +PENDING RUNNING +FAILED +CACHED +DONE +TOTAL", text)
    assert re.search(r"\| ALL +0 +0 +0 +0 +5 +5", text)
    assert re.search(r"\| compat_scheduler\.double +0 +0 +0 +0 +3 +3", text)


def test_the_current_scheduler_is_known_inside_a_task():
    """``get_current_scheduler()`` in a task; outside ``NoCurrentScheduler``, or None when not required."""

    @task(version="1")
    def look():
        return get_current_scheduler() is scheduler

    scheduler = Scheduler()
    assert scheduler.run(look())
    assert get_current_scheduler(required=False) is None
    with pytest.raises(NoCurrentScheduler):
        get_current_scheduler()


def test_one_scheduler_runs_one_thing_at_a_time():
    """A task that runs its own scheduler again is refused."""

    @task(version="1")
    def again():
        return scheduler.run(double(1))

    scheduler = Scheduler()
    with pytest.raises(SchedulerError, match="running already"):
        scheduler.run(again())


def test_cached_jobs_use_no_limits():
    """Jobs that the store answers are never held up by a limit: they need none."""
    store, lines = MemoryStore(), Lines()
    held = double.options(limits={"x": 1})
    Scheduler({"limits": {"x": "1"}}, backend=store).run([held(n) for n in range(5)])
    RAN.clear()
    Scheduler({"limits": {"x": "1"}}, backend=store, logger=lines).run([held(n) for n in range(5)])
    assert RAN == []
    assert sum(line.startswith("Cached Job") for line in lines.lines) >= 1


def test_a_run_can_be_extended(tmp_path):
    """``extend_run`` evaluates below a job on record, and says how that went and where it is recorded."""

    @task(name="job_of_its_own", version="1", cache=False)
    def own_id(info=JobInfo()):
        return info.job_id

    scheduler = Scheduler(backend=Repository.init(tmp_path / ".redun"))
    job = scheduler.run(own_id())
    done = scheduler.extend_run(main(3), job)
    assert done["result"] == 6
    assert set(done) == {"result", "job_id", "call_hash"}
    assert isinstance(scheduler.extend_run(fail(3), job)["error"], ValueError)
    assert scheduler.extend_run(double(77), job, dryrun=True)["dryrun"]
    assert ("double", 77) not in RAN
