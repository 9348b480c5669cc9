"""Jobs as executors of the older shape see them: ``redun.executors.custom``.

The invariant: what was handed in counts once, and not at all after its run has ended; it may come from any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NamedTuple


class ExecutionInfo(NamedTuple):
    """What such an executor may ask of a job's execution."""

    id: str


class Era:
    """One run of an executor, from its start to its stop."""

    def __init__(self, thread_setup: Callable[[], None] = lambda: None) -> None:
        """``thread_setup`` is called in each thread before a task's function is."""
        self.thread_setup = thread_setup
        self.is_over = False
        self.outstanding: dict[int, HandedJob] = {}
        """What was not handed in yet, by ``id()``.  Any thread may take an entry out: that is one step."""


class HandedJob:
    """A job as such an executor sees it: the job itself, but for the shape of what it was called with."""

    def __init__(self, work: Any, era: Era) -> None:
        self._work = work
        self._era = era
        self._arguments: tuple[list[Any], dict[str, Any]] | None = None
        self._task: Any = None
        era.outstanding[id(self)] = self

    @property
    def work(self) -> Any:
        """The work behind it; None once its run is over."""
        return None if self._era.is_over else self._work

    def take_back(self) -> Any:
        """Return the work, once, for it to be reported; None when it was handed in before, or its run is over."""
        return None if self._era.outstanding.pop(id(self), None) is None else self.work

    @property
    def task(self) -> Any:
        """The task; whichever thread calls its function does so as this job, so that there can be a sub-run in it."""
        if self._task is None:
            work, era, task = self._work, self._era, self._work.task

            @wraps(task.func)
            def func(*args: Any, **kwargs: Any) -> Any:
                era.thread_setup()
                return work.call(*args, **kwargs)

            self._task = task.with_func(func)
        return self._task

    @property
    def args(self) -> tuple[list[Any], dict[str, Any]]:
        """The positional arguments and the others, for ``task.func`` to be called with; they are the job's own."""
        if self._arguments is None:
            args, kwargs = self._work.handed()
            self._arguments = list(args), kwargs
        return self._arguments

    @property
    def args_hash(self) -> str:
        """The hash of the arguments, as hex digits."""
        return str(self._work.info().args_hash)

    @property
    def execution(self) -> ExecutionInfo:
        """The execution that it belongs to."""
        return ExecutionInfo(self._work.info().execution_id)

    @property
    def parent_job(self) -> Any:
        """The job that asked for it; None at the root."""
        return self._work.parent

    @property
    def expr(self) -> Any:
        """The expression that it evaluates."""
        return self._work.caller.expression

    def get_option(self, key: str, default: Any = None, as_type: Callable[[Any], Any] | None = None) -> Any:
        """Return one of the options in force, as ``as_type`` makes it if that is given."""
        options = self._work.get_options()
        if key not in options:
            return default
        return options[key] if as_type is None else as_type(options[key])

    def get_limits(self) -> dict[str, int]:
        """Return the units of each limit that it holds."""
        return dict(self._work.needs or {})

    def get_context(self) -> dict[str, Any]:
        """Return its context."""
        context = self._work.context
        values: Mapping[str, Any] = {} if context is None else context.values
        return dict(values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)

    def __repr__(self) -> str:
        return f"Job(id={self._work.id}, task_name={self._work.task_name})"


def taken_back(job: Any) -> Any:
    """Return the work that is reported by handing in a job: None when that counts no more."""
    return job.take_back() if isinstance(job, HandedJob) else job


def work_of(job: Any) -> Any:
    """Return the work behind a job, whether it was handed in or not; None once its run is over."""
    return job.work if isinstance(job, HandedJob) else job
