"""Async tasks: what they await is evaluated below them, in parallel, and is on record."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest

from redun import File, Scheduler, catch, cond, get_context, task
from redun.executors.base import Executor
from redun.expression import AwaitedOutsideJob
from redun.objects.call_records import CallRecord
from redun.objects.kinds import Kind
from redun.promise import Promise
from redun.scheduler.async_jobs import HeldLimit, NotLocal
from redun.store.memory import MemoryStore
from redun.task import get_task_registry, scheduler_task

redun_namespace = "test_async"

RAN: list = []
WAIT_SECONDS = 20


@pytest.fixture(autouse=True)
def _fresh():
    RAN.clear()
    with get_task_registry().isolated():
        yield


@task(version="1")
def double(x):
    """Say that it ran."""
    RAN.append(x)
    return 2 * x


@task(version="1")
def fail(message):
    """Raise."""
    RAN.append(message)
    raise ValueError(message)


@task(version="1", cache=False)
async def chain(x):
    """Await one call after the other."""
    y = await double(x)
    return await double(y + 1)


@task(version="1", cache=True, check_valid="shallow")
async def cached_chain(x):
    """As chain, reused as a whole."""
    RAN.append("chain")
    y = await double(x)
    return await double(y + 1)


@task(version="1")
def above(x):
    """Call an async task as any other."""
    return [chain(x), double(chain(x))]


@task(version="1", cache=False)
async def many(n):
    """Await many calls at once."""
    return await asyncio.gather(*(double(i) for i in range(n)))


def calls_in(store):
    """Return all calls on record."""
    return {oid: CallRecord.decode(store.get_node(oid)) for oid, _ in store.iter_oids(Kind.CALL)}


def test_awaits_give_values_to_the_coroutine():
    """A value that was awaited is plain, and can be computed with."""
    assert Scheduler().run(chain(1)) == 6


def test_an_async_task_is_called_as_any_other():
    """Its call is an expression, which may be an argument."""
    assert Scheduler().run(above(1)) == [6, 12]


def test_many_calls_awaited_at_once_run_in_parallel():
    """All calls that are awaited together are on their way before the first one has ended."""
    gate = threading.Barrier(5)

    @task(version="1")
    def meet(i):
        gate.wait(WAIT_SECONDS)
        return i

    @task(version="1", cache=False)
    async def main():
        return await asyncio.gather(*(meet(i) for i in range(5)))

    assert Scheduler().run(main()) == list(range(5))


def test_more_async_jobs_than_threads_wait_at_once():
    """Jobs that wait hold no thread of the pool, so what they wait for is run."""

    @task(version="1", cache=False)
    async def tree(depth, path):
        if depth == 0:
            return await double(path)
        return sum(await asyncio.gather(*(tree(depth - 1, 3 * path + i) for i in range(3))))

    scheduler = Scheduler({"executors": {"default": {"type": "local", "max_workers": "1"}}})
    assert scheduler.run(tree(4, 0)) == 2 * sum(range(81))


def test_asyncio_works_within():
    """Sleeping, tasks, queues and async context managers are those of asyncio."""
    events = []

    @asynccontextmanager
    async def session():
        events.append("open")
        yield {"get": asyncio.sleep}
        events.append("close")

    @task(version="1", cache=False)
    async def main():
        async with session() as client:
            background = asyncio.create_task(worker())
            await client["get"](0)
            return await background, await asyncio.wait_for(double(4), WAIT_SECONDS)

    async def worker():
        await asyncio.sleep(0)
        return await double(3)

    assert Scheduler().run(main()) == (6, 8)
    assert events == ["open", "close"]


@pytest.mark.skipif(not hasattr(asyncio, "TaskGroup"), reason="Python 3.10 has no task groups")
def test_task_groups_work_within():
    """Coroutines in a task group may await expressions."""

    async def one(i):
        return await double(i)

    @task(version="1", cache=False)
    async def main():
        async with asyncio.TaskGroup() as group:
            made = [group.create_task(one(i)) for i in range(3)]
        return [item.result() for item in made]

    assert Scheduler().run(main()) == [0, 2, 4]


def test_operations_forms_and_containers_of_calls_may_be_awaited():
    """Whatever is an expression may be awaited."""

    @task(version="1", cache=False)
    async def main():
        taken = await cond(double(0), double(7), double(5))
        return [taken, await (double(1) + double(2)), await double([1])[0], await get_context("name", "none")]

    assert Scheduler().run(main(), context={"name": "blue"}) == [10, 6, 1, "blue"]


def test_a_result_may_hold_further_calls():
    """What the coroutine returns is evaluated, as the result of any task is."""

    @task(version="1", cache=False)
    async def main():
        return [await double(1), double(2)]

    assert Scheduler().run(main()) == [2, 4]


def test_an_awaited_error_raises_in_the_coroutine():
    """It can be caught there, and the run goes on."""

    @task(version="1", cache=False)
    async def main():
        try:
            await fail("oh")
        except ValueError as error:
            return [str(error), await double(1)]

    assert Scheduler().run(main()) == ["oh", 2]


def test_an_awaited_error_that_is_not_caught_fails_the_job():
    """It ends the run as that of any task, with both tasks in the traceback."""

    @task(version="1", cache=False)
    async def main():
        await fail("oh")

    with pytest.raises(ValueError, match="oh") as caught:
        Scheduler().run(main())
    assert [line.split()[1] for line in caught.value.redun_traceback.jobs if "test_async" in line]
    assert len(caught.value.redun_traceback.jobs) == 2


def test_an_error_of_an_async_task_is_caught_by_catch():
    """What a coroutine raises is an error as any other."""

    @task(version="1", cache=False)
    async def broken():
        await double(1)
        raise KeyError("gone")

    @task(version="1")
    def recover(error):
        return repr(error)

    assert Scheduler().run(catch(broken(), KeyError, recover)) == "KeyError('gone')"


def test_a_child_that_exits_does_not_end_the_loop():
    """SystemExit of an awaited task reaches the coroutine as an error of the scheduler, that of its own as it is."""

    @task(version="1")
    def leave():
        raise SystemExit(3)

    async def leave_within():
        raise SystemExit(4)

    @task(version="1", cache=False)
    async def main():
        seen = []
        try:
            await leave()
        except Exception as error:
            seen.append(type(error).__name__)
        try:
            await asyncio.create_task(leave_within())
        except SystemExit:
            seen.append("exit")
        return [*seen, await double(1)]

    assert Scheduler().run(main()) == ["TaskExited", "exit", 2]


def test_an_awaited_list_is_the_coroutines_own():
    """Changing what was awaited in place changes nothing for others who got the same value."""

    @task(version="1")
    def listed():
        return [3, 1, 2]

    @task(version="1", cache=False)
    async def sort(_i):
        items = await listed()
        items.append(len(items))
        return items

    assert Scheduler().run([sort(0), sort(1), listed()]) == [[3, 1, 2, 3], [3, 1, 2, 3], [3, 1, 2]]


def test_equal_calls_awaited_together_give_each_its_own_list():
    """One job answers both, and neither sees what is done to the other's value."""

    @task(version="1")
    def listed():
        return [1]

    @task(version="1", cache=False)
    async def main():
        first, second = await asyncio.gather(listed(), listed())
        first.append(2)
        return [first, second]

    assert Scheduler().run(main()) == [[1, 2], [1]]


def test_a_caught_error_is_not_what_the_run_fails_of():
    """The end of the log speaks of the error that nothing dealt with, and of no more."""
    lines = []

    class Lines:
        info = warning = lines.append

    @task(version="1", cache=False)
    async def main():
        try:
            await fail("dealt with")
        except ValueError:
            await fail("left")

    with pytest.raises(ValueError, match="left"):
        Scheduler(logger=Lines()).run(main())
    assert not [line for line in lines if "more failed" in line]


def test_await_outside_a_job_says_so():
    """An expression that is awaited where no async task runs gives an error that names it."""

    async def main():
        return await double(1)

    with pytest.raises(AwaitedOutsideJob, match=r"test_async\.double"):
        asyncio.run(main())


def test_await_in_a_loop_of_a_sync_task_says_so():
    """A sync task that runs a loop of its own cannot await expressions."""

    @task(version="1")
    def main():
        async def inner():
            return await double(1)

        return asyncio.run(inner())

    with pytest.raises(AwaitedOutsideJob):
        Scheduler().run(main())


# -- on record


def test_awaited_calls_are_children_on_record():
    """The call of an async task links to the calls that it awaited, in order, and its summary names their task."""
    store = MemoryStore()
    Scheduler(backend=store).run(chain(1))
    calls = calls_in(store)
    parents = [call for call in calls.values() if call.children]
    assert len(parents) == 1
    assert len(parents[0].children) == 2
    assert set(parents[0].children) < set(calls)
    assert parents[0].summary.tasks == [double.oid]


def test_a_cached_async_task_is_reused_as_a_whole():
    """With check_valid="shallow" nothing runs again when nothing has changed."""
    store = MemoryStore()
    assert Scheduler(backend=store).run(cached_chain(1)) == 6
    assert [Scheduler(backend=store).run(cached_chain(1)), RAN] == [6, ["chain", 1, 3]]


def test_a_changed_task_below_runs_the_async_task_again():
    """A new version of an awaited task is seen, and the calls that are as before are reused."""
    store = MemoryStore()
    Scheduler(backend=store).run(cached_chain(1))

    @task(version="2", name="double")
    def _triple(x):
        return 3 * x

    assert Scheduler(backend=store).run(cached_chain(1)) == 12
    assert RAN == ["chain", 1, 3, "chain"]


def test_a_changed_task_far_below_runs_the_async_task_again():
    """So is a new version of a task that an awaited task calls."""
    store = MemoryStore()

    @task(version="1")
    def between(x):
        return double(x)

    @task(version="1", cache=True, check_valid="shallow")
    async def top():
        RAN.append("top")
        return await between(1)

    @task(version="1", cache=True, check_valid="shallow")
    async def over():
        return await top()

    assert [Scheduler(backend=store).run(over()) for _ in range(2)] == [2, 2]

    @task(version="2", name="double")
    def _triple(x):
        return 3 * x

    assert Scheduler(backend=store).run(over()) == 3
    assert RAN == ["top", 1, "top"]


def test_a_returned_call_is_not_stepped_to():
    """What a coroutine returned is not taken from a record when a task below has changed: the whole runs again."""
    store = MemoryStore()

    @task(version="1", cache=True, check_valid="shallow")
    async def main():
        RAN.append("main")
        return [await double(1), double(10)]

    assert [Scheduler(backend=store).run(main()) for _ in range(2)] == [[2, 20], [2, 20]]

    @task(version="2", name="double")
    def _triple(x):
        return 3 * x

    assert Scheduler(backend=store).run(main()) == [3, 30]
    assert RAN.count("main") == 2


def test_its_reduction_alone_does_not_serve():
    """When a returned call failed, what the coroutine returned is on record, and yet it runs again."""
    store, fails = MemoryStore(), [True]

    @task(version="1")
    def flaky():
        if fails:
            raise ValueError("first")
        return 1

    @task(version="1", cache=True, check_valid="shallow")
    async def main():
        RAN.append("main")
        return [await double(1), flaky()]

    settings = {"repository": {"durability": "job"}}
    with pytest.raises(ValueError, match="first"):
        Scheduler(settings, backend=store).run(main())
    assert list(store.iter_oids(Kind.REDUCTION))
    fails.clear()
    assert Scheduler(settings, backend=store).run(main()) == [2, 1]
    assert RAN == ["main", 1, "main"]


def test_without_cache_it_runs_each_time():
    """With cache=False the coroutine runs in each execution, and its calls are reused; so is nothing above it."""
    store = MemoryStore()
    assert [Scheduler(backend=store).run(above(1)) for _ in range(2)] == [[6, 12], [6, 12]]
    assert RAN == [1, 3, 6]


def test_equal_calls_of_one_execution_are_one_job():
    """An async job serves equal calls of the same execution, as long as it runs and after."""
    ran = []

    @task(version="1", cache=False)
    async def once(x):
        ran.append(x)
        return await double(x)

    @task(version="1")
    def main():
        return [once(1), once(1), double(once(1))]

    assert Scheduler().run(main()) == [2, 2, 4]
    assert ran == [1]


def test_a_caught_error_is_tried_again_in_the_next_run():
    """Errors are never replayed, so a result that came of one is not reused."""
    store = MemoryStore()
    fails = [True]

    @task(version="1")
    def flaky():
        if fails:
            raise ValueError
        return "well"

    @task(version="1", cache=True, check_valid="shallow")
    async def main():
        try:
            return await flaky()
        except ValueError:
            return "ill"

    @task(version="1")
    def over():
        return main()

    assert Scheduler(backend=store).run(over()) == "ill"
    fails.clear()
    assert Scheduler(backend=store).run(over()) == "well"


def test_a_result_that_came_of_not_waiting_is_not_reused():
    """Whoever gives up waiting may fare better next time."""
    store = MemoryStore()
    started, gate = threading.Event(), threading.Event()

    @task(version="1")
    def slow():
        started.set()
        gate.wait(WAIT_SECONDS)
        return "late"

    @task(version="1", cache=True, check_valid="shallow")
    async def main():
        waiting = asyncio.ensure_future(slow())
        if not gate.is_set():
            await asyncio.to_thread(started.wait, WAIT_SECONDS)
            waiting.cancel()
            gate.set()
            return "early"
        return await waiting

    assert Scheduler(backend=store).run(main()) == "early"
    assert Scheduler(backend=store).run(main()) == "late"


def test_contexts_do_not_share_results():
    """A cached async task that reads the context has a result for each."""
    store = MemoryStore()

    @task(version="1", cache=True, check_valid="shallow")
    async def main():
        return await get_context("name")

    assert [Scheduler(backend=store).run(main(), context={"name": name}) for name in "aba"] == ["a", "b", "a"]

    # Also where a job above exports another way of checking.
    @task(version="1")
    def over():
        return main()

    full = over.export_options(check_valid="full")
    assert [Scheduler(backend=store).run(full(), context={"name": name}) for name in "abc"] == ["a", "b", "c"]


def test_a_file_of_an_awaited_call_is_not_the_parents_making(tmp_path):
    """A file that comes from an awaited call counts as produced by that call alone, and is put back for both."""
    store = MemoryStore()
    path = str(tmp_path / "out.txt")

    @task(version="1")
    def write():
        RAN.append("write")
        file = File(path)
        file.write("made")
        return file

    @task(version="1", cache=True, check_valid="shallow")
    async def main():
        return await write()

    @task(version="1", cache=True, check_valid="shallow")
    async def own():
        file = File(path + ".own")
        file.write("own")
        return file

    Scheduler(backend=store).run([main(), own()])
    calls = [call for call in calls_in(store).values() if call.summary.externals]
    assert sorted((len(call.children), len(call.own_produced)) for call in calls) == [(0, 1), (0, 1), (1, 0), (2, 0)]
    (tmp_path / "out.txt").unlink()
    (tmp_path / "out.txt.own").unlink()
    first, second = Scheduler(backend=store).run([main(), own()])
    assert (first.read(), second.read(), RAN) == ("made", "own", ["write"])


# -- failures around it


def test_a_failure_elsewhere_does_not_leave_it_waiting():
    """When the run stops, a job that awaits a call that is never made is dropped."""
    started = threading.Event()

    @task(version="1", limits=["one"])
    def hold():
        started.wait(WAIT_SECONDS)
        raise ValueError("stop here")

    @task(version="1", limits=["one"])
    def queued():
        return 1

    @task(version="1", cache=False)
    async def waits():
        started.set()
        return await queued()

    with pytest.raises(ValueError, match="stop here"):
        Scheduler().run([hold(), waits()])


def test_an_await_after_the_run_was_stopped_ends_the_job():
    """A job that goes on after a failure elsewhere is dropped at its next await."""
    failed = threading.Event()

    class Lines:
        def info(self, line):
            if "KeyError" in line:
                failed.set()

        warning = info

    @task(version="1")
    def broken():
        raise KeyError("first")

    @task(version="1", cache=False)
    async def goes_on():
        await asyncio.to_thread(failed.wait, WAIT_SECONDS)
        await double(1)

    with pytest.raises(KeyError, match="first"):
        Scheduler(logger=Lines()).run([goes_on(), broken()])


def test_keep_going_lets_it_finish():
    """With keep_going a failure elsewhere changes nothing for an async job."""

    @task(version="1", cache=False)
    async def main():
        return await double(21)

    store = MemoryStore()
    with pytest.raises(ValueError, match="oh"):
        Scheduler(backend=store).run([fail("oh"), main()], keep_going=True)
    assert sorted(map(str, RAN)) == ["21", "oh"]


def test_a_limit_held_while_waiting_for_itself_is_an_error():
    """A job that holds what its calls need is told so, and the run does not hang."""

    @task(version="1", limits=["db"])
    def query():
        return 1

    @task(version="1", cache=False, limits=["db"])
    async def main():
        return await query()

    with pytest.raises(HeldLimit, match="db"):
        Scheduler().run(main())


def test_a_limit_bounds_async_jobs():
    """Async jobs hold the units of their limits while they run."""
    running, most = [], []

    @task(version="1", cache=False, limits=["api"])
    async def ask(i):
        running.append(i)
        most.append(len(running))
        await asyncio.sleep(0)
        await double(i)
        running.remove(i)
        return i

    assert Scheduler({"limits": {"api": 2}}).run([ask(i) for i in range(6)]) == list(range(6))
    assert max(most) == 2


class Elsewhere(Executor):
    """An executor of another machine."""

    def start(self, report, thread_setup):
        """Get ready."""

    def submit(self, work):
        """Run nothing."""

    def cancel_waiting(self):
        """Have nothing."""
        return 0

    def stop(self):
        """Let go of nothing."""


def test_only_threads_of_this_process_run_coroutines():
    """An async task on another executor is refused, and the message names both."""
    scheduler = Scheduler()
    scheduler.add_executor(Elsewhere("batch"))
    with pytest.raises(NotLocal, match=r"test_async\.chain.*batch"):
        scheduler.run(chain.options(executor="batch")(1))


def test_a_form_that_never_answers_is_cancelled_with_the_run():
    """A coroutine that waits when the run ends gets cancelled, and cleans up."""
    cleaned = threading.Event()

    @scheduler_task(namespace="test_async")
    def never(scheduler, parent_job, expression):
        scheduler.do_later(
            0.01, lambda: scheduler.evaluate(fail("end"), None).catch(lambda e: scheduler.current_run()._plan.stop())
        )
        return Promise()

    @task(version="1", cache=False)
    async def main():
        try:
            await never()
        finally:
            cleaned.set()

    with pytest.raises(Exception, match="halt"):
        Scheduler().run(main())
    assert cleaned.wait(WAIT_SECONDS)


def test_exceptions_of_no_class_of_exceptions_end_the_job_only():
    """SystemExit in a coroutine fails its job."""

    @task(version="1", cache=False)
    async def leave():
        raise SystemExit(2)

    with pytest.raises(Exception, match="SystemExit"):
        Scheduler().run(leave())
