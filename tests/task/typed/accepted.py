"""A workflow that type checkers accept.  What runs here is checked too: the test imports and runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from redun import LocalExecutor, PartialTask, Scheduler, Task, register_executor, task
from redun.executors.base import Executor
from redun.promise import Promise
from redun.scheduler import Job, JobInfo
from redun.scheduler import Scheduler as RunningScheduler
from redun.task import scheduler_task, wraps_task

redun_namespace = "typed"


class Pair(NamedTuple):
    """Two values of different types."""

    left: int
    right: str


@task
def one(x: int) -> int:
    """Bare."""
    return x


@task(memory=1, cache=False)
def text(x: int, y: str = "a", *, z: bool = True) -> str:
    """With options, a default and a keyword."""
    return y * x if z else ""


@task()
def pair(x: int) -> Pair:
    """With a result to be unpacked."""
    return Pair(x, "b")


@task()
def total(xs: list[int], info: JobInfo = JobInfo()) -> int:
    """With a nested argument and a JobInfo."""
    return sum(xs) if info.job_id else -1


@wraps_task(wrapper_name="doubled")
def doubled(inner: Task[..., Any]) -> Callable[..., Any]:
    """A decorator of tasks."""

    def around(x: int) -> int:
        return inner(x) + inner(x)  # type: ignore[no-any-return]

    return around


@doubled
@task()
def same(x: int) -> int:
    """Wrapped."""
    return x


@scheduler_task()
def later(scheduler: RunningScheduler, parent_job: Job, expression: Any, x: int) -> Promise[int]:
    """A scheduler task: callers give what comes after the first three."""
    return scheduler.evaluate(x, parent_job)


@task(cache=False)
async def gathered(x: int) -> int:
    """Asynchronous; what a call of a task is declared to be is its value, so awaiting it needs a word."""
    calls: list[Any] = [one(x), one(x + 1)]
    return sum(await asyncio.gather(*calls))


@task()
def main(n: int = 3) -> list[str]:
    """Hand results of calls on as arguments of their type."""
    numbers = [one(i) for i in range(n)]
    count = total(numbers)
    made: str = text(count, y=text(1), z=False)
    bigger: str = text.options(memory=3)(one(1) + one(2))
    exported: int = one.export_options(memory=1).update_context({"a": 1})(1)
    left, right = pair(1)
    part: PartialTask[str] = text.partial(1)
    return [made, bigger, part(), text(exported, right), text(left), text(same(1)), text(later(1))]


@register_executor("typed_at_once")
class AtOnce(Executor):
    """An executor as users write one: what it overrides has no parameters, or parameters of other names."""

    def __init__(self, name: str, scheduler: RunningScheduler | None = None, config: Any = None) -> None:
        super().__init__(name, scheduler, config)
        self.n_jobs = 0

    def start(self) -> None:
        super().start()

    def submit(self, job: Any) -> None:
        args, kwargs = job.args
        self.n_jobs += 1
        self._scheduler.done_job(job, job.task.func(*args, **kwargs))


def run_at_once() -> int:
    """Run on it."""
    scheduler, executor = Scheduler(), AtOnce("at_once")
    scheduler.add_executor(executor)
    local: LocalExecutor = LocalExecutor("here", config={"max_workers": 2})
    scheduler.add_executor(local)
    number: int = scheduler.run(one.options(executor="at_once")(1))
    return number + executor.n_jobs


def run_all() -> tuple[list[str], int, str]:
    """Run it all."""
    result: list[str] = Scheduler().run(main(3))
    awaited: Any = Scheduler().run(gathered(1))
    number: int = awaited
    digits: str = one.hash
    return result, number, digits
