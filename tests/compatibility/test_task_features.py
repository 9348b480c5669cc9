"""Tasks as users define and call them: options, scopes of the cache, arguments."""

from __future__ import annotations

import threading

import pytest

from redun import Scheduler, get_task_registry, task
from redun.expression import TaskExpression
from redun.scheduler import SchedulerError
from redun.store.memory import MemoryStore
from redun.task import CacheCheckValid, CacheScope
from redun.value import encode_value

redun_namespace = "compat_tasks"

RAN: list[object] = []


@pytest.fixture(autouse=True)
def _forget():
    RAN.clear()


@task(version="1")
def note(x):
    RAN.append(x)
    return x


@task(version="1", cache=False)
def note_uncached(x):
    RAN.append(x)
    return x


@task(version="1", cache_scope="NONE")
def note_always(x):
    RAN.append(x)
    return x


SCOPE = ["BACKEND"]


@task(version="1", cache=False)
def arg_scope():
    """A scope for a task that is defined with one that is not known yet."""
    return SCOPE[0]


@task(version="1")
def call_all(x):
    return [note(x), note_uncached(x), note_always(x)]


@task(version="1")
def twice(x):
    return [call_all(x), note_uncached(x), note_always(x)]


def test_unknown_keywords_become_options():
    """Whatever the decorator does not know is an option of the task, for an executor to read."""

    @task(memory=4, image="busybox", version="1")
    def sized():
        return 1

    assert sized.get_task_options()["memory"] == 4
    assert sized.get_task_options()["image"] == "busybox"


def test_executors_read_options_off_the_job():
    """``job.get_options()`` has the options in force, those of the call over those of the definition."""
    seen = {}

    class Watching(type(Scheduler().executors["default"])):
        def submit(self, work):
            seen.update(work.get_options())
            super().submit(work)

    @task(memory=4, queue="slow", version="1")
    def sized():
        return 1

    scheduler = Scheduler(executor=Watching("default"))
    assert scheduler.run(sized.options(queue="fast")()) == 1
    assert (seen["memory"], seen["queue"]) == (4, "fast")


def test_an_unknown_executor_rejects_the_job():
    """A job for an executor that nobody has fails with a SchedulerError that names it."""
    with pytest.raises(SchedulerError, match='Unknown executor "moon"') as caught:
        Scheduler().run(note.options(executor="moon")(1))
    assert caught.value.hint.startswith("executors of this run: default")


@pytest.mark.parametrize(("cache", "scope"), [(True, CacheScope.BACKEND), (False, CacheScope.CSE)])
def test_cache_is_the_older_word_for_a_scope(cache, scope):
    """``cache=True`` means BACKEND, ``cache=False`` CSE."""

    @task(cache=cache, version="1")
    def f():
        return 1

    assert f.get_task_options()["cache_scope"] is scope


@pytest.mark.parametrize("spelled", ["BACKEND", CacheScope.BACKEND])
def test_scopes_and_checks_may_be_texts(spelled):
    """``cache_scope`` and ``check_valid`` take members or their values."""

    @task(cache_scope=spelled, check_valid="shallow", version="1")
    def f():
        return 1

    assert f.get_task_options()["cache_scope"] is CacheScope.BACKEND
    assert f.get_task_options()["check_valid"] is CacheCheckValid.SHALLOW


def test_a_scope_bounds_where_a_result_may_come_from():
    """BACKEND: an earlier run; CSE: this run; NONE: the same call below one job only."""
    store = MemoryStore()
    assert Scheduler(backend=store).run(twice(7)) == [[7, 7, 7], 7, 7]
    assert len(RAN) == 4  # note once, note_uncached once, note_always below each of the two jobs
    assert Scheduler(backend=store).run(twice(7)) == [[7, 7, 7], 7, 7]
    assert len(RAN) == 4 + 3  # note came from the store


def test_results_are_written_whatever_the_scope():
    """What ran with a narrow scope is on record: with a wider one it serves."""

    @task(version="1", cache_scope=arg_scope())
    def step(x):
        RAN.append(x)
        return x

    store = MemoryStore()
    for scope in ("CSE", "CSE", "BACKEND"):
        SCOPE[0] = scope
        Scheduler(backend=store).run(step(3))
    assert RAN == [3, 3]


def test_limits_bound_what_runs_at_once():
    """``limits={"db": 2}`` of three units lets one job run at a time; a list takes one unit of each."""
    at_once, most = [0], [0]
    lock = threading.Lock()
    others = threading.Barrier(3, timeout=20)

    @task(limits={"db": 2}, cache=False, version="1")
    def ask(x):
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        with lock:
            at_once[0] -= 1
        return x

    @task(limits=["db"], cache=False, version="1")
    def ask_little(x):
        others.wait()  # three of them are there together, or this breaks
        return x

    scheduler = Scheduler({"limits": {"db": "3"}})
    assert scheduler.run([ask(x) for x in range(20)]) == list(range(20))
    assert most == [1]
    assert scheduler.run([ask_little(x) for x in range(3)]) == [0, 1, 2]


def test_load_module_is_the_functions_own_unless_told():
    """``load_module`` is what a worker imports to have the task."""

    @task(load_module="pkg.tasks", version="1")
    def far():
        return 1

    assert far.load_module == "pkg.tasks"
    assert note.load_module == __name__ == note.func.__module__


def test_variadic_arguments_are_hashed():
    """``*args`` and ``**kwargs`` reach the function, and another one is another call."""

    @task(version="1")
    def gather(*args, **kwargs):
        RAN.append((args, kwargs))
        return [*args, *sorted(kwargs.items())]

    store = MemoryStore()
    for _ in range(2):
        assert Scheduler(backend=store).run(gather(1, 2, a=3)) == [1, 2, ("a", 3)]
    assert Scheduler(backend=store).run(gather(1, 2, b=3)) == [1, 2, ("b", 3)]
    assert RAN == [((1, 2), {"a": 3}), ((1, 2), {"b": 3})]


def test_positional_and_named_arguments_are_one_call():
    """``f(1)`` and ``f(x=1)`` have one key."""
    store = MemoryStore()
    Scheduler(backend=store).run(note(1))
    Scheduler(backend=store).run(note(x=1))
    assert RAN == [1]


def test_options_of_the_definition_are_in_no_hash():
    """Another memory at the definition runs nothing again; at the call it is another task value."""

    def make(memory):
        @task(name="sized_step", memory=memory, version="1")
        def step(x):
            RAN.append(x)
            return x

        return step

    store = MemoryStore()
    first = make(1)
    Scheduler(backend=store).run(first(1))
    digest = first.hash
    second = make(2)
    Scheduler(backend=store).run(second(1))
    assert RAN == [1]
    assert second.hash == digest
    assert encode_value(second.options(memory=3)).oid != encode_value(second).oid


def test_a_task_travels_as_argument_and_result():
    """A task that was passed and returned can be called."""

    @task(version="1")
    def pick(f, take):
        return f if take else None

    @task(version="1")
    def apply(f, x):
        return f(x)

    assert Scheduler().run(apply(pick(note, take=True), 5)) == 5
    assert RAN == [5]


def test_the_registry_knows_tasks_by_name_and_hash():
    """``get_task_registry().get(task_name=)`` and ``get(hash=)`` find a task; iterating lists it."""
    registry = get_task_registry()
    assert registry.get(task_name="compat_tasks.note") is note
    assert registry.get(hash=note.hash) is note
    assert note in list(registry)
    assert note.hash in registry.task_hashes


def test_a_call_is_a_task_expression():
    """Calling a task gives a ``TaskExpression`` with its name and arguments, and runs nothing."""
    call = note(1)
    assert isinstance(call, TaskExpression)
    assert (call.task_name, call.args, call.kwargs) == ("compat_tasks.note", (1,), {})
    assert RAN == []
