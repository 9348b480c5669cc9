"""What goes wrong with worker processes, as their work gets to know it."""

from __future__ import annotations

import signal

from redun.errors import ExecutorError


def describe_exit(code: int | None) -> str:
    """Say how a process ended; ``code`` is negative for a signal, None when nobody knows."""
    if code is None:
        return "ended, and nobody saw how"
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "a real-time signal"
    return f"was killed by {name} (signal {-code})"


class WorkerDied(ExecutorError):
    """A worker process ended while it ran a task."""

    def __init__(self, executor: str, task_name: str, exit_code: int | None) -> None:
        hint = "the system kills processes when memory runs out" if exit_code == -signal.SIGKILL else ""
        super().__init__(
            f"a worker of executor {executor!r} {describe_exit(exit_code)} while it ran task {task_name!r}", hint=hint
        )
        self.executor = executor
        self.task_name = task_name
        self.exit_code = exit_code


class WorkersNotStarted(ExecutorError):
    """The workers of a pool end before they could do anything."""

    def __init__(self, executor: str, why: str) -> None:
        super().__init__(
            f"the workers of executor {executor!r} cannot start: {why}",
            hint="what they wrote to the standard error output tells more",
        )
        self.executor = executor
        self.why = why


class WorkEnded(ExecutorError):
    """A worker process was ended with the task that it ran: the run stops, or the task took too long."""

    def __init__(self, executor: str, task_name: str) -> None:
        super().__init__(f"executor {executor!r} has ended the worker that ran task {task_name!r}")
        self.executor = executor
        self.task_name = task_name


class RunnerFailed(ExecutorError):
    """What runs parcels in a worker could make nothing of one."""

    def __init__(self, executor: str, task_name: str, why: str) -> None:
        super().__init__(f"a worker of executor {executor!r} could not run the parcel of task {task_name!r}: {why}")
        self.executor = executor
        self.task_name = task_name
        self.why = why
