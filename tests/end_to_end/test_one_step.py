"""Reusing a subtree in one step gives the same outcome as stepping through every call below it."""

from __future__ import annotations

from contextlib import contextmanager
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from redun.scheduler import Scheduler
from redun.scheduler.cache import Cache
from redun.store.memory import MemoryStore
from redun.task import get_task_registry, task

N_TASKS = 4
LEAF = N_TASKS - 1


class World:
    """What the tasks do now: their constants are code (a version each), the weather is seen by nobody."""

    def __init__(self) -> None:
        self.constants = [0] * N_TASKS
        self.shapes: list[list[tuple[int, int]]] = [[] for _ in range(N_TASKS)]
        self.weather = 0
        self.ran: list[tuple[int, int]] = []


def define(world):
    """Define the tasks of a world; a task's version says all that its function uses."""
    tasks = []

    def make(number):
        def func(x):
            world.ran.append((number, x))
            if number == LEAF:
                return x + world.constants[number] + 1000 * world.weather
            parts = [tasks[child](x + shift) for child, shift in world.shapes[number]]
            return combine(world.constants[number], x, parts)

        version = f"{world.constants[number]} {world.shapes[number]}"
        return task(name=f"t{number}", namespace="one_step", version=version)(func)

    tasks.extend(make(number) for number in range(N_TASKS))

    @task(name="combine", namespace="one_step", version="1")
    def combine(constant, x, parts):
        return constant + x + sum(parts)

    return tasks


@contextmanager
def stepping_always():
    """Take the summary away from the cache: no call with calls below may be reused in one step."""
    with patch.object(Cache, "_is_trusted", lambda *_: False):
        yield


def expected(world, number, x):
    """What the tasks compute, in plain Python."""
    if number == LEAF:
        return x + world.constants[number] + 1000 * world.weather
    parts = [expected(world, child, x + shift) for child, shift in world.shapes[number]]
    return world.constants[number] + x + sum(parts)


shape = st.lists(st.tuples(st.integers(1, LEAF), st.integers(0, 2)), max_size=3)
edits = st.fixed_dictionaries(
    {
        "task": st.integers(0, LEAF),
        "constant": st.integers(0, 2),
        "shape": shape,
        "root": st.integers(0, 1),
        "cache": st.booleans(),
        "weather": st.integers(0, 1),
    }
)


def apply_edit(world, edit):
    """Change one task of a world."""
    number = edit["task"]
    world.constants[number] = edit["constant"]
    world.shapes[number] = [(child, shift) for child, shift in edit["shape"] if child > number]


class Ticks:
    """A clock that goes on by one millisecond at each look, so that runs follow one another."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000_000

    def __call__(self):
        self.now += 1000
        return self.now


def run(store, clock, world, edit):
    """Run in a fresh set of tasks, and return the value and which functions ran."""
    with get_task_registry().isolated():
        tasks = define(world)
        world.ran.clear()
        value = Scheduler(backend=store, clock=clock).run(tasks[edit["root"]](0), cache=edit["cache"])
        return value, sorted(set(world.ran))


@settings(max_examples=60)
@given(st.lists(edits, min_size=1, max_size=8))
def test_pure_workflows_give_what_plain_python_gives(history):
    """After any history of edits, with results reused as they may be, the value is that of the code as it is now."""
    world, store, clock = World(), MemoryStore(), Ticks()
    for edit in history:
        apply_edit(world, edit)
        value, _ = run(store, clock, world, edit)
        assert value == expected(world, edit["root"], 0)


@settings(max_examples=60)
@given(st.lists(edits, min_size=1, max_size=8))
def test_one_step_and_stepping_agree_on_values_and_on_what_runs(history):
    """Also when a leaf is impure and gave two results to one eval, in a run that did not look up."""
    world = World()
    stores = MemoryStore(), MemoryStore()
    clocks = Ticks(), Ticks()
    for edit in history:
        apply_edit(world, edit)
        world.weather = edit["weather"]
        in_one_step = run(stores[0], clocks[0], world, edit)
        with stepping_always():
            by_stepping = run(stores[1], clocks[1], world, edit)
        assert in_one_step == by_stepping


def test_a_run_of_what_is_unchanged_asks_one_call_only():
    """However many calls there are below the root, it is one job."""
    world, store, clock = World(), MemoryStore(), Ticks()
    world.shapes = [[(1, 0), (1, 1), (1, 2)], [(2, 0), (2, 1)], [(3, 0), (3, 1)], []]
    edit = {"root": 0, "cache": True}
    run(store, clock, world, edit)
    with get_task_registry().isolated():
        tasks = define(world)
        scheduler = Scheduler(backend=store, clock=clock)
        scheduler.run(tasks[0](0))
        report = "\n".join(scheduler.get_job_status_report())
    assert "one_step.t0" in report
    assert "one_step.t1" not in report
