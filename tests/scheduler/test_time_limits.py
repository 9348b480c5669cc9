"""Jobs whose time is limited."""

from __future__ import annotations

import asyncio
import pickle
import threading
import time

import pytest

from redun import Scheduler, catch, task
from redun.executors.thread import ThreadExecutor
from redun.objects.execution_records import JobsRecord, JobStatus
from redun.objects.kinds import Kind
from redun.scheduler.errors import TimedOut
from redun.scheduler.time_limits import TimedJob, TimeLimits, read_timeout
from redun.store.memory import MemoryStore

redun_namespace = "test_time_limits"
WAIT_SECONDS = 30.0


class World:
    """What the functions wait for and note; reached through attributes, so no part of a task's hash."""

    gate: threading.Event
    ended: threading.Event
    ran: list = []


@pytest.fixture(autouse=True)
def world():
    """A closed gate, opened at the end, so that no thread is left waiting."""
    World.gate, World.ended, World.ran = threading.Event(), threading.Event(), []
    yield World
    World.gate.set()


@task(version="1", timeout=0.02)
def hang(x):
    """Wait for the gate."""
    World.ran.append(x)
    World.gate.wait(WAIT_SECONDS)
    World.ended.set()
    return "late"


# A second: the attempt that does not hang must come to its end in it, however busy the machine is.
@task(version="1", timeout=1, retries=1, retry_backoff=0)
def hang_once(x):
    """Wait for the gate, the first time."""
    World.ran.append(list(x))
    x.append("spoilt")
    if len(World.ran) == 1:
        World.gate.wait(WAIT_SECONDS)
    return x


@task(version="1", timeout=WAIT_SECONDS)
def quick(x):
    """Return at once."""
    return x


@task(version="1")
def open_gate(error):
    """Let the job that hangs go on to its end."""
    World.gate.set()
    World.ended.wait(WAIT_SECONDS)
    return "recovered"


@task(version="1")
def note_error(error):
    """Say what it was."""
    return f"{type(error).__name__}: {error}"


def test_a_job_whose_time_is_up_fails_and_says_so():
    """The error names the task and the limit."""
    with pytest.raises(TimedOut, match=r"'test_time_limits.hang' took longer than its time limit of 0.02 s") as caught:
        Scheduler().run(hang(1))
    assert (caught.value.task_name, caught.value.timeout_seconds) == ("test_time_limits.hang", 0.02)
    assert pickle.loads(pickle.dumps(caught.value)).timeout_seconds == 0.02


def test_a_late_result_is_dropped(world):
    """Once answered for, a job that comes back after all changes nothing."""
    store = MemoryStore()
    assert Scheduler(backend=store).run(quick(catch(hang(1), TimeoutError, open_gate))) == "recovered"
    assert world.ended.is_set()
    batches = [JobsRecord.decode(store.get_node(oid)) for oid, _ in store.iter_oids(Kind.JOBS)]
    rows = [row.status for batch in batches for row in batch.rows if row.task.endswith(".hang")]
    assert rows == [JobStatus.FAILED]


def test_a_job_in_time_is_like_any_other():
    """It returns its value and is recorded; its limit leaves nothing waiting."""
    store = MemoryStore()
    began = time.monotonic()
    assert Scheduler(backend=store).run([quick(n) for n in range(50)]) == list(range(50))
    assert time.monotonic() - began < WAIT_SECONDS


def test_a_pool_stays_usable_with_all_its_threads_hanging():
    """Each thread that hangs is replaced: one would not be enough for the rest."""
    executor = ThreadExecutor("default", max_workers=1)
    scheduler = Scheduler(executor=executor)
    calls = [catch(hang(n), TimeoutError, note_error) for n in range(3)]
    done = scheduler.run([*calls, quick(4)])
    assert done[-1] == 4
    assert all(text.startswith("TimedOut") for text in done[:3])
    assert sorted(World.ran) == [0, 1, 2]


def test_a_job_that_hung_is_tried_again(world):
    """The attempt that hangs shares nothing with the next one."""
    assert Scheduler().run(hang_once([1])) == [1, "spoilt"]
    assert world.ran == [[1], [1]]


class Clock:
    """Time that passes when told; keeps what is to be done soon and later."""

    def __init__(self):
        self.now = 100.0
        self.later = []

    def do_later(self, seconds, step):
        self.later.append((seconds, step))


class Pool:
    """An executor that only notes what it lost."""

    def __init__(self):
        self.lost = []

    def abandon(self, work):
        self.lost.append(work)


def make_job():
    """Return a job of a task with a time limit of 30 s, as the scheduler makes it."""
    from redun.scheduler.facts import FactsTable
    from redun.scheduler.job import Caller, Job
    from redun.task import get_task_registry

    facts = FactsTable(get_task_registry(), lambda task: task.oid, lambda task: task.oid).make(quick)
    job = Job(b"e" * 16, 1, facts, Caller(None, 0, None, -1, None))
    job.args = (1,)
    return job


def test_time_counts_from_when_the_function_begins():
    """A job in the queue of a full pool has all its time still before it."""
    clock, pool, returned = Clock(), Pool(), []
    limits = TimeLimits(pool.abandon, lambda step: step(), clock.do_later, lambda: clock.now)
    timed = limits.start(make_job(), returned.append)
    assert clock.later == []
    timed.run()
    assert [seconds for seconds, _ in clock.later] == [WAIT_SECONDS]
    clock.later[0][1]()
    assert pool.lost == [timed]
    assert [job.error.timeout_seconds for job in returned] == [WAIT_SECONDS]
    assert not limits.end(timed)
    assert limits.end(returned[0])


def test_a_limit_outlived_by_its_step_concerns_no_other_job():
    """The step of a job that has ended finds nothing to do, whatever runs by then."""
    clock, pool, returned = Clock(), Pool(), []
    limits = TimeLimits(pool.abandon, lambda step: step(), clock.do_later, lambda: clock.now)
    first = limits.start(make_job(), returned.append)
    first.begin()
    assert limits.end(first)
    limits.start(make_job(), returned.append).begin()
    clock.later[0][1]()
    assert (pool.lost, returned) == ([], [])


def test_what_can_be_stopped_is_stopped():
    """The processes of a script do not go on for nobody."""

    class Script(TimedJob):
        __slots__ = ("cancel",)

    clock, pool, cancelled = Clock(), Pool(), []
    limits = TimeLimits(pool.abandon, lambda step: step(), clock.do_later, lambda: clock.now)
    timed = limits.start(make_job(), lambda job: None)
    script = Script(timed.original, timed._on_begin)
    script.cancel = lambda: cancelled.append(1)
    script.begin()
    clock.later[0][1]()
    assert cancelled == [1]


@pytest.mark.parametrize("timeout", [0, -1, "5", True, float("inf")])
def test_a_limit_that_makes_no_sense_fails_the_call(timeout):
    """It says what it expected."""
    with pytest.raises(ValueError, match="expected timeout to be a number of seconds"):
        Scheduler().run(hang.options(timeout=timeout)(1))


def test_no_timeout_is_no_limit():
    """As for most tasks."""
    assert read_timeout({}) is None


@task(version="1", cache=False, timeout=1, retries=1, retry_backoff=0)
async def hang_async(x):
    """Await what never comes, the first time."""
    World.ran.append(x)
    if len(World.ran) == 1:
        await asyncio.get_running_loop().create_future()
    return await quick(x)


@task(version="1", cache=False, timeout=0.02)
async def await_hanging(x):
    """Await a call that takes longer than it may itself."""
    return await hang.options(timeout=None)(x)


def test_an_async_job_that_hangs_is_cancelled_and_tried_again(world):
    """The attempt that hung hears no more, and disturbs the next one in nothing."""
    assert Scheduler().run(hang_async(3)) == 3
    assert world.ran == [3, 3]


def test_an_async_job_is_limited_in_what_it_awaits(world):
    """The call that it awaited ends in its own time, and nobody misses its value."""
    assert Scheduler().run(quick(catch(await_hanging(1), TimeoutError, open_gate))) == "recovered"
