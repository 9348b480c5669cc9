"""Tasks whose calls are evaluated by a scheduler inside a job, for tests of executors whose workers are processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from redun import File, apply_tags, get_context, task
from redun.scheduler import subrun
from redun.testing.executor_tasks import OddValueError, require_even

redun_namespace = "redun.testing.sub_run"

_FLUSH_SECONDS = 0.3


@task()
def note(folder: str, x: int) -> int:
    """Leave a mark that this ran, and return the next number."""
    with Path(folder, f"ran-{x}").open("a", encoding="utf-8") as stream:
        stream.write("ran\n")
    return x + 1


@task()
def pair(folder: str, x: int) -> Any:
    """Make two calls."""
    return [note(folder, x), note(folder, x + 1)]


@task()
def below(folder: str, x: int, executor: str, **options: Any) -> Any:
    """Have them made by another scheduler."""
    return subrun(pair(folder, x), executor=executor, **options)


@task()
def nested(folder: str, x: int, executor: str) -> Any:
    """Have a sub-run made by another scheduler."""
    return subrun(below(folder, x, executor), executor=executor)


@task()
def failing(executor: str) -> Any:
    """Fail below."""
    return subrun(require_even(3), executor=executor)


@task()
def die_after(_before: int) -> None:
    """Kill the process, when what went before has had its time to be written."""
    time.sleep(_FLUSH_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


@task()
def dying(folder: str, executor: str) -> Any:
    """Finish one thing below, then die."""
    return subrun(die_after(note(folder, 1)), executor=executor)


@task()
def number_of(error: OddValueError) -> int:
    """Recover."""
    return error.number


@task()
def written(path: str) -> File:
    """Write a file."""
    File(path).write("made")
    return File(path)


@task()
def writing(path: str, executor: str) -> Any:
    """Write a file below."""
    return subrun(written(path), executor=executor)


@task()
def colored(color: Any = get_context("color")) -> Any:  # noqa: B008 - stands for what each call gets
    """Tell what the context says."""
    return color


@task()
def coloring(executor: str) -> Any:
    """Ask for the context below."""
    return subrun(colored(), executor=executor)


@task()
def tagging(executor: str) -> Any:
    """Tag below."""
    return subrun(apply_tags(7, tags=[("of", "value")], job_tags=[("of", "job")]), executor=executor)
