"""One scheduler: runs one after the other, beside one another, dry ones, and what they leave."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from redun import File, Scheduler, catch, task
from redun.executors.thread import ThreadExecutor
from redun.objects.execution_records import TagRecord
from redun.objects.kinds import Kind
from redun.scheduler.errors import DryRunResult, SchedulerError, Traceback
from redun.scheduler.trace_frames import Frame
from redun.store.memory import MemoryStore
from redun.store.repository import Repository
from redun.task import CacheScope
from redun.testing.lines import Lines
from redun.value.value import Value

redun_namespace = "test_scheduler"


@task(version="1")
def first(x):
    """Return the argument."""
    return x


@task(version="1")
def add(a, b):
    """Add."""
    return a + b


@task(version="1")
def write(path: str) -> File:
    """Make a file."""
    File(path).write("made")
    return File(path)


@task(version="1")
def run_within():
    """Run another scheduler from within a job."""
    return Scheduler(backend=MemoryStore()).run(add(first(1), 2))


def test_what_is_no_single_call_is_run_below_a_root_task():
    """So all jobs hang on one root; a call of plain values is its own."""
    for expression, has_root in (([first(1)], True), (add(first(1), 2), True), (first(1), False)):
        scheduler = Scheduler()
        scheduler.run(expression)
        assert any("redun.root_task" in line for line in scheduler.get_job_status_report()) is has_root


def test_a_plain_value_comes_back_as_it_is():
    """Nothing is to be done for it."""
    assert Scheduler().run([1, {"a": None}]) == [1, {"a": None}]


def test_a_job_may_run_a_scheduler_of_its_own():
    """It has a queue and jobs of its own."""
    assert Scheduler().run(run_within()) == 3


def test_schedulers_run_beside_one_another():
    """Each in a thread, over one store for each."""
    results = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(Scheduler().run([add(first(i), n) for i in range(20)])))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [[i + n for i in range(20)] for n in range(4)]


def test_a_scheduler_runs_one_thing_at_a_time():
    """A job that asks its own scheduler is told so."""
    scheduler = Scheduler()

    @task(version="1", namespace="test_scheduler")
    def again(x):
        return scheduler.run(first(x))

    with pytest.raises(SchedulerError, match="running already"):
        scheduler.run(again(1))
    assert scheduler.run(first(2)) == 2


def test_a_dry_run_leaves_no_trace(tmp_path):
    """Neither an execution nor objects; and no file is put back."""
    Repository.init(tmp_path / ".redun")
    repository = Repository.open(tmp_path / ".redun")
    path = tmp_path / "file"
    log = Lines()
    scheduler = Scheduler(backend=repository, logger=log)
    scheduler.run(write(str(path)))
    path.unlink()
    refs, objects = len(list(repository.refs.iter_names())), len(list(repository.store.iter_oids()))
    scheduler.run(write(str(path)), dryrun=True)
    with pytest.raises(DryRunResult):
        scheduler.run([first(object)], dryrun=True)
    repository.close()
    assert not Path(path).exists()
    assert any("Dryrun restores File" in line for line in log.lines)
    repository = Repository.open(tmp_path / ".redun")
    assert (len(list(repository.refs.iter_names())), len(list(repository.store.iter_oids()))) == (refs, objects)
    repository.close()


def test_a_scheduler_that_is_asked_from_two_threads_serves_one():
    """The other is told, and waits for nothing."""
    scheduler, outcomes = Scheduler(), []
    inside, may_end = threading.Event(), threading.Event()

    @task(version="1", namespace="test_scheduler")
    def hold():
        inside.set()
        return may_end.wait(20)

    thread = threading.Thread(target=lambda: outcomes.append(scheduler.run(hold())))
    thread.start()
    assert inside.wait(20)
    with pytest.raises(SchedulerError, match="running already"):
        scheduler.run(first(1))
    may_end.set()
    thread.join()
    assert outcomes == [True]


class Elsewhere(ThreadExecutor):
    """An executor as users write them: it runs what it likes, and hands in through the scheduler."""

    def __init__(self, run):
        super().__init__("default")
        self.run = run

    def submit(self, work):
        threading.Thread(target=self.run, args=(work,)).start()


def test_an_executor_may_hand_in_results_through_the_scheduler():
    """From any thread, with tags; they are recorded as if the job had run here."""
    store = MemoryStore()
    scheduler = Scheduler(backend=store)
    scheduler.add_executor(Elsewhere(lambda job: scheduler.done_job(job, job.args[0] + 1, job_tags=[("where", "far")])))
    assert scheduler.run(first(1)) == 2
    assert Scheduler(backend=store).run(first(1)) == 2
    assert [key for oid, _ in store.iter_oids(Kind.TAG) for key in [TagRecord.decode(store.get_node(oid)).key]] == [
        "where"
    ]


def test_an_executor_may_hand_in_errors_through_the_scheduler():
    """With the frames of another process where it has them."""
    scheduler = Scheduler()
    trace = Traceback([], [Frame("/far/away.py", 7, "compute", "1 / 0")], "")
    scheduler.add_executor(Elsewhere(lambda job: scheduler.reject_job(job, ZeroDivisionError("far"), trace)))
    with pytest.raises(ZeroDivisionError, match="far") as caught:
        scheduler.run(first(1))
    assert caught.value.redun_traceback.frames == trace.frames


def test_an_error_of_no_job_fails_the_run():
    """An executor that has lost its cluster, say."""
    scheduler = Scheduler()

    def lose(job):
        scheduler.reject_job(None, OSError("no cluster"))
        scheduler.done_job(job, 1)

    scheduler.add_executor(Elsewhere(lose))
    with pytest.raises(OSError, match="no cluster"):
        scheduler.run([first(1), first(2)])


def test_a_result_that_a_hook_refuses_fails_its_job():
    """What is handed in is looked at as what a function returned here."""

    class Picky(Value):
        def postprocess(self, postprocess_args):
            raise ValueError("not this one")

    scheduler = Scheduler()
    scheduler.add_executor(Elsewhere(lambda job: scheduler.done_job(job, Picky())))
    with pytest.raises(ValueError, match="not this one"):
        scheduler.run(first(1))


def test_caching_can_be_turned_off_for_all_runs():
    """And on again; asking for it in one run does not turn it on."""
    log = Lines()
    scheduler = Scheduler(logger=log)
    scheduler.load()
    scheduler.run(first(1))
    scheduler.set_cache(False)
    scheduler.run(first(1), cache=True)
    scheduler.set_cache(True)
    scheduler.run(first(1))
    assert [line.split()[0] for line in log.lines if " Job " in line and "first" in line] == ["Run", "Run", "Cached"]


def test_caching_can_be_turned_off_in_the_middle_of_a_run():
    """What is asked for from then on runs."""
    log = Lines()
    scheduler = Scheduler(logger=log)
    scheduler.run([first(1), first(2)])

    @task(version="1", namespace="test_scheduler")
    def turn_off(x):
        scheduler.do_soon(lambda: scheduler.set_cache(False))
        return first(x)

    scheduler.run([first(1), turn_off(2)])
    kinds = [line.split()[0] for line in log.lines if "first(x=" in line]
    assert kinds == ["Run", "Run", "Cached", "Run"]


def test_a_log_may_show_tracebacks_as_python_does():
    """Some prefer it."""

    @task(version="1", namespace="test_scheduler")
    def fail():
        raise ValueError("no")

    for by_task, expected in ((True, "most recent task last"), (False, "most recent call last")):
        log = Lines()
        with pytest.raises(ValueError, match="no"):
            Scheduler(logger=log, use_task_traceback=by_task, migrate=True).run(fail())
        assert any(expected in line for line in log.lines)
        assert log.lines[-2].startswith("ValueError: no")


@task(version="1", cache_scope=CacheScope.BACKEND)
def twice(x):
    """Make one call below two jobs."""
    return [first(x), add(first(x), 0)]


def test_a_run_without_cache_shares_equal_calls_all_the_same():
    """Every job is taken down to what this execution has made."""
    log = Lines()
    scheduler = Scheduler(logger=log)
    scheduler.run(twice(1))
    log.lines.clear()
    scheduler.run([twice(1), twice(1), first(1)], cache=False)
    ran = [line.partition("test_scheduler.")[2].partition("(")[0] for line in log.lines if line.startswith("Run")]
    assert sorted(ran) == ["add", "first", "twice"]


@task(version="1")
def fail_with(x):
    """Fail."""
    raise ValueError(x)


@task(version="1")
def recover(error):
    """Make something of an error."""
    return f"caught {error}"


def test_keep_going_fails_only_of_what_nothing_caught():
    """What was caught is no failure; the rest is told, and what does not depend on it is done."""
    log = Lines()
    calls = [catch(fail_with("a"), ValueError, recover), first(1)]
    assert Scheduler(logger=log).run(calls, keep_going=True) == ["caught a", 1]
    assert not any("more failed" in line for line in log.lines)
    store = MemoryStore()
    with pytest.raises(ValueError, match=r"^[bc]$"):
        Scheduler(backend=store, logger=log).run([*calls, fail_with("b"), fail_with("c"), first(2)], keep_going=True)
    assert "and 1 more failed, each for a reason of its own" in log.lines
    Scheduler(backend=store, logger=log).run(first(2), dryrun=True)
