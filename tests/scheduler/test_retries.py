"""Jobs that are tried again after they failed."""

from __future__ import annotations

import signal
from queue import Empty

import pytest

from redun import Scheduler, task
from redun.objects.execution_records import JobsRecord, JobStatus
from redun.objects.kinds import Kind
from redun.scheduler.errors import Interrupted, NotSerializable, TaskExited
from redun.scheduler.loop import Loop, Root
from redun.scheduler.plan import Plan
from redun.scheduler.retries import RetryPolicy, read_retry_policy
from redun.store.memory import MemoryStore
from redun.task.binding import TaskArgumentError
from redun.testing.lines import Lines

redun_namespace = "test_retries"


class World:
    """How often things failed; reached through attributes, so no part of a task's hash."""

    failures_left: int = 0
    ran: list = []
    lists: list = []
    on_failure = staticmethod(lambda: None)


@pytest.fixture(autouse=True)
def world():
    """A world in which nothing has happened."""
    World.failures_left, World.ran, World.lists = 0, [], []
    World.on_failure = staticmethod(lambda: None)
    return World


@task(version="1", retries=3, retry_backoff=0)
def flaky(x):
    """Fail as often as the world says."""
    World.ran.append(x)
    World.lists.append(list(x) if isinstance(x, list) else x)
    if isinstance(x, list):
        x.append("spoilt")
    if World.failures_left:
        World.failures_left -= 1
        World.on_failure()
        raise OSError(f"down, {World.failures_left} to go")
    return x


@task(version="1", retries=3, retry_backoff=0)
def above(x):
    """Make a call that fails."""
    World.ran.append("above")
    return flaky.options(retries=0)(x)


@task(version="1", retries=3, retry_backoff=0)
def make_generator():
    """Return what cannot be stored."""
    World.ran.append("generator")
    return (n for n in range(3))


@task(version="1", retries=3, retry_backoff=0)
def exiting():
    """End the process."""
    World.ran.append("exit")
    raise SystemExit(3)


@task(version="1", limits=["db"], retries=1, retry_backoff=0)
def hold(x):
    """Hold a limit, and fail the first time."""
    World.ran.append(x)
    if World.ran.count(x) == 1:
        raise OSError("first time")
    return x


def rows_of(store, name):
    """Return status and attempt of all rows of a task, in the order they were written."""
    batches = [JobsRecord.decode(store.get_node(oid)) for oid, _ in store.iter_oids(Kind.JOBS)]
    return sorted((row.attempt, row.status) for batch in batches for row in batch.rows if row.task.endswith(name))


def test_a_failed_job_runs_again_until_it_succeeds(world):
    """Each attempt is on record, and the log says which it is and why there is another."""
    world.failures_left = 2
    log, store = Lines(), MemoryStore()
    assert Scheduler(backend=store, logger=log).run(flaky(7)) == 7
    assert rows_of(store, "flaky") == [(1, JobStatus.FAILED), (2, JobStatus.FAILED), (3, JobStatus.DONE)]
    said = [line.partition(":  ")[2] for line in log.lines if line.startswith("Retry")]
    assert said == [
        "test_retries.flaky, attempt 2 of 4, after OSError: 'down, 1 to go'",
        "test_retries.flaky, attempt 3 of 4, after OSError: 'down, 0 to go'",
    ]
    assert not any("Reject" in line for line in log.lines)


def test_a_result_of_a_later_attempt_serves_the_next_run(world):
    """It is a result like any other."""
    world.failures_left = 1
    store = MemoryStore()
    Scheduler(backend=store).run(flaky(7))
    Scheduler(backend=store).run(flaky(7))
    assert world.ran == [7, 7]


def test_it_fails_after_the_last_attempt(world):
    """Then, and only then, does the run fail, with the last error; every attempt's error is kept."""
    world.failures_left = 9
    store = MemoryStore()
    with pytest.raises(OSError, match="down, 5 to go"):
        Scheduler(backend=store).run(flaky(7))
    assert rows_of(store, "flaky") == [(n, JobStatus.FAILED) for n in (1, 2, 3, 4)]
    batches = [JobsRecord.decode(store.get_node(oid)) for oid, _ in store.iter_oids(Kind.JOBS)]
    assert len({row.outcome for batch in batches for row in batch.rows}) == 4


def test_each_attempt_gets_the_arguments_as_they_were_given(world):
    """What a failed attempt did to its list is its own."""
    world.failures_left = 2
    Scheduler().run(flaky([1]))
    assert world.lists == [[1]] * 3


def test_only_the_job_whose_function_failed_is_tried_again(world):
    """The jobs above it did their part."""
    world.failures_left = 1
    with pytest.raises(OSError, match="down"):
        Scheduler().run(above(1))
    assert world.ran == ["above", 1]


@pytest.mark.parametrize(
    ("expression", "error", "runs"),
    [
        (make_generator(), NotSerializable, 1),
        (exiting(), TaskExited, 1),
        (flaky(n for n in range(2)), NotSerializable, 0),
        (flaky(), TaskArgumentError, 0),
    ],
)
def test_what_would_fail_again_is_not_tried_again(world, expression, error, runs):
    """A value that cannot be stored, wrong arguments, and a task that exits."""
    with pytest.raises(error):
        Scheduler().run(expression)
    assert len(world.ran) == runs


def test_limits_are_free_between_attempts(world):
    """Another job that needs the one unit runs while the first waits for its next attempt."""
    jobs = [hold(n) for n in range(3)]
    assert Scheduler(config={"limits": {"db": "1"}}).run(jobs) == [0, 1, 2]
    assert world.ran[:2] != [0, 0]


def test_an_interrupt_ends_a_backoff_at_once(world):
    """Nobody waits for an attempt in an hour; the failed one is on record."""
    world.failures_left = 1
    store = MemoryStore()
    scheduler = Scheduler(backend=store)

    def interrupt_soon():
        scheduler.do_soon(lambda: scheduler.do_later(0.01, lambda: signal.raise_signal(signal.SIGINT)))

    world.on_failure = staticmethod(interrupt_soon)
    with pytest.raises(Interrupted):
        scheduler.run(flaky.options(retry_backoff=3600)(7))
    assert rows_of(store, "flaky") == [(1, JobStatus.FAILED)]


def test_no_attempt_follows_when_the_run_is_stopping(world):
    """Another job has failed for good: a failure now is final."""
    world.failures_left = 2
    store = MemoryStore()
    with pytest.raises(OSError, match="down"):
        Scheduler(backend=store).run([flaky.options(retries=0)(1), flaky.options(retry_backoff=3600)(2)])
    assert (2, JobStatus.FAILED) not in rows_of(store, "flaky")


def test_delays_double_up_to_a_bound():
    """1, 2, 4... seconds, also after a thousand attempts."""
    policy = RetryPolicy(5, 1.0, 5.0)
    assert [policy.delay_seconds(n) for n in (1, 2, 3, 4, 2000)] == [1.0, 2.0, 4.0, 5.0, 5.0]


@pytest.mark.parametrize(
    "options",
    [
        {"retries": -1},
        {"retries": True},
        {"retries": "3"},
        {"retries": 1, "retry_backoff": -1},
        {"retries": 1, "retry_backoff_max": float("nan")},
        {"retries": 1, "retry_backoff": "1 s"},
    ],
)
def test_an_option_that_makes_no_sense_fails_the_call(options):
    """It says what it expected."""
    with pytest.raises(ValueError, match="expected retr"):
        Scheduler().run(flaky.options(**options)(1))


def test_no_retries_are_no_policy():
    """A job without them is not kept for another attempt."""
    assert read_retry_policy({}) is None
    assert read_retry_policy({"retries": 0}) is None
    assert read_retry_policy({"retries": 2, "retry_backoff": 90}) == RetryPolicy(2, 90.0, 90.0)


class FakeQueue:
    """A queue that lets time pass instead of waiting."""

    def __init__(self, clock):
        self.clock = clock
        self.waited = []

    def qsize(self):
        return 0

    def empty(self):
        return True

    def get(self, timeout=None):
        self.waited.append(timeout)
        self.clock[0] += timeout
        raise Empty


class NoWork:
    """Stands for the recorder and the evaluator of a loop that has nothing to do."""

    evaluator = property(lambda self: self)

    def run_deferred(self):
        return False

    def flush(self):
        pass


def test_the_loop_waits_for_a_step_as_long_as_it_must():
    """A step for later is done when its time has come, and no sooner."""
    clock, done = [100.0], []
    queue, nothing = FakeQueue(clock), NoWork()
    loop = Loop(Plan(), nothing, [], queue, lambda: None, 0, clock=lambda: clock[0])
    loop.do_later(5.0, lambda: done.append(clock[0]))
    loop.do_later(2.0, lambda: done.append(clock[0]))
    loop.run(nothing, Root())
    assert done == [102.0, 105.0]
    assert queue.waited == [2.0, 3.0]
