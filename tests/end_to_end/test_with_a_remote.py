"""A run that looks results up at a remote comes to what a run in a repository that has pulled everything comes to."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from redun.objects.links import walk
from redun.remotes.lookup import RemoteLookups
from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.scheduler import Scheduler
from redun.store.memory_storage import MemoryStorage
from redun.store.repository import Repository
from redun.task import get_task_registry, task

N_TASKS = 4
LEAF = N_TASKS - 1


class World:
    """What the tasks do now: constants and shapes are code (a version each), the weather is seen by nobody."""

    def __init__(self) -> None:
        self.constants = [0] * N_TASKS
        self.shapes: list[list[tuple[int, int]]] = [[(number + 1, 1)] for number in range(LEAF)]
        self.weather = 0
        self.n_ran = 0


def _define(world: World) -> list[Callable[..., Any]]:
    tasks: list[Callable[..., Any]] = []

    def make(number: int) -> Callable[..., Any]:
        def func(x: int) -> Any:
            world.n_ran += 1
            if number == LEAF:
                return x + world.constants[number] + 1000 * world.weather
            parts = [tasks[child](x + shift) for child, shift in world.shapes[number]]
            return combine(world.constants[number], x, parts)

        version = f"{world.constants[number]} {world.shapes[number] if number < LEAF else ''}"
        return task(name=f"t{number}", namespace="with_a_remote", version=version)(func)

    tasks.extend(make(number) for number in range(N_TASKS))

    @task(name="combine", namespace="with_a_remote", version="1")
    def combine(constant: int, x: int, parts: list[int]) -> int:
        return constant + x + sum(parts)

    return tasks


SHAPE = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2)), min_size=1, max_size=2)
STEP = st.one_of(
    st.tuples(st.just("constant"), st.integers(0, LEAF), st.integers(0, 2)),
    st.tuples(st.just("shape"), st.integers(0, LEAF - 1), SHAPE),
    st.tuples(st.just("weather"), st.just(0), st.integers(0, 1)),
    st.tuples(st.just("elsewhere"), st.integers(0, 1), st.integers(0, 2)),
    st.tuples(st.just("here"), st.just(0), st.integers(0, 2)),
)


class Places:
    """Two makers who push, one who asks the remote during its runs, one who pulls before each run."""

    def __init__(self, folder: Path) -> None:
        self._ticks = count(1_700_000_000_000_000, 1_000)
        self._bucket = MemoryStorage()
        names = ("first", "second", "asking", "pulling")
        self._opened = {name: Repository.init(folder / name / ".redun") for name in names}

    def make(self, name: str, expression: Any) -> None:
        """Run something elsewhere, and push it."""
        self._run(name, expression, None)
        push(self._opened[name], Remote("origin", self._bucket))

    def compare(self, world: World, expression: Callable[[], Any]) -> None:
        """Run something in both ways, and expect the same value and the same number of functions that ran."""
        found = []
        for name in ("asking", "pulling"):
            repository, remote = self._opened[name], Remote("origin", self._bucket)
            lookups = None
            if name == "asking":
                lookups = RemoteLookups(repository, [remote], _refuse)
            elif self._bucket.find_any() is not None:
                pull(repository, remote)
            world.n_ran = 0
            found.append((self._run(name, expression(), lookups), world.n_ran))
            if lookups is not None:
                lookups.close()
        assert found[0] == found[1]

    def check(self) -> None:
        """Check that nothing that was taken links to what was not."""
        repository = self._opened["asking"]
        roots = [ref.object for ref in repository.refs.iter_refs() if ref.object is not None]
        for _ in walk(roots, repository.store.find_kind_and_data):
            pass
        for repository in self._opened.values():
            repository.close()

    def _run(self, name: str, expression: Any, lookups: RemoteLookups | None) -> Any:
        scheduler = Scheduler(backend=self._opened[name], clock=lambda: next(self._ticks), job_status_interval=0)
        scheduler.lookups = lookups
        return scheduler.run(expression)


def _refuse(text: str) -> None:
    raise AssertionError(text)


@settings(max_examples=25, deadline=None)
@given(st.lists(STEP, min_size=3, max_size=9))
def test_asking_a_remote_is_as_good_as_having_pulled(steps: list[tuple[str, int, Any]]) -> None:
    """Whatever was made elsewhere, by whichever code and in whatever weather: the same value, and as few runs.

    Where results differ by the weather, an own one comes first: then only a first run is as if all had been pulled.
    """
    world = World()
    if any(kind == "weather" for kind, _, _ in steps):
        steps = [step for step in steps if step[0] != "here"]
    with tempfile.TemporaryDirectory() as folder, get_task_registry().isolated():
        places = Places(Path(folder))
        for kind, number, value in [*steps, ("here", 0, 0)]:
            if kind == "constant":
                world.constants[number] = value
            elif kind == "shape":
                world.shapes[number] = [(max(child, number + 1), shift) for child, shift in value]
            elif kind == "weather":
                world.weather = value
            tasks = _define(world)
            if kind == "elsewhere":
                places.make(("first", "second")[number], tasks[0](value))
            elif kind == "here":
                places.compare(world, lambda root=tasks[0], x=value: root(x))  # type: ignore[misc]
        places.check()
