"""Mistakes: type checkers refuse each line that ends in the word below, and no other."""

from __future__ import annotations

from typing import Any

from redun import Scheduler, Task, task
from redun.promise import Promise
from redun.task import scheduler_task, wraps_task

redun_namespace = "typed_badly"


@task
def one(x: int) -> int:
    """Bare."""
    return x


@task(memory=1)
def text(x: int, y: str = "a") -> str:
    """With options."""
    return y * x


@wraps_task()
def wrapped(inner: Task[..., Any]) -> Any:
    """A decorator of tasks."""
    return inner.func


@wrapped
@task()
def same(x: int) -> int:
    """Wrapped."""
    return x


@scheduler_task()
def later(scheduler: Any, parent_job: Any, expression: Any, x: int) -> Promise[int]:
    """A scheduler task."""
    return scheduler.evaluate(x, parent_job)


one("a")  # refused
one()  # refused
one(1, 2)  # refused
one(y=1)  # refused
text(text(1))  # refused
text.options(memory=2)("a")  # refused
text.export_options(memory=2)(1, 2)  # refused
text(1, z=2)  # refused
same("a")  # refused
later("a")  # refused
number: int = text(1)  # refused
listed: list[int] = [text(1)]  # refused
ran: str = Scheduler().run(one(1))  # refused
