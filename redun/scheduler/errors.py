"""What the scheduler raises, and how the error of a failed job is kept."""

from __future__ import annotations

import traceback
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple

from redun.errors import RedunError
from redun.scheduler.preview import message_of, preview
from redun.value.errors import ValueNotEncodable
from redun.value.value import Value


class SchedulerError(RedunError):
    """The scheduler cannot do what was asked of it."""


class NoCurrentScheduler(SchedulerError):
    """No scheduler is running in this thread."""


class UnknownTask(SchedulerError):
    """An expression calls a task that is not defined in this process."""


class NotSerializable(SchedulerError):
    """An argument or a result of a job cannot be stored."""

    def __init__(self, root: str, cause: ValueNotEncodable) -> None:
        super().__init__(cause.describe(root), hint=cause.hint)
        self.path = root + cause.path
        self.type_name = cause.type_name


class TaskExited(SchedulerError):
    """A task tried to end the process."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(f"a task raised {preview(cause)}")
        self.redun_traceback = getattr(cause, "redun_traceback", None)


class TimedOut(SchedulerError, TimeoutError):
    """A job ran for longer than its ``timeout`` allows."""

    def __init__(self, task_name: str, timeout_seconds: float) -> None:
        super().__init__(f"task {task_name!r} took longer than its time limit of {timeout_seconds:g} s")
        self.task_name = task_name
        self.timeout_seconds = timeout_seconds

    def __reduce__(self) -> tuple[type[TimedOut], tuple[str, float]]:
        return type(self), (self.task_name, self.timeout_seconds)


class Interrupted(SchedulerError):
    """The run was stopped by a signal; what had finished is recorded."""

    def __init__(self, signal_number: int) -> None:
        super().__init__("the run was interrupted; what had finished is recorded")
        self.signal_number = signal_number


class DryRunResult(SchedulerError):
    """A dry run came to a job that would have to run."""


MAX_FRAMES_SHOWN = 40
"""A function that calls itself without end leaves a thousand frames: the outermost and the innermost are shown."""


class Frame(NamedTuple):
    """One line of a traceback."""

    filename: str
    line: int
    name: str
    source: str


class Traceback(NamedTuple):
    """How a workflow came to an error: the jobs from the root down, then the frames of the task that raised."""

    jobs: list[str]
    frames: list[Frame]
    error: str

    def lines(self) -> list[str]:
        """Write it for people, the most recent task last."""
        lines = [f"  {job}" for job in self.jobs]
        for frame in self.frames:
            if not frame.line:
                lines.append(f"    ... {frame.name} ...")
                continue
            lines.append(f'    File "{frame.filename}", line {frame.line}, in {frame.name}')
            if frame.source:
                lines.append(f"      {frame.source}")
        return [*lines, *self.error.splitlines()]


def frames_of(trace: TracebackType | None) -> list[Frame]:
    """Return the frames of user code: redun's own, which called it, are left out."""
    frames = [
        Frame(entry.filename, entry.lineno or 0, entry.name, entry.line or "") for entry in traceback.extract_tb(trace)
    ]
    first = next((i for i, frame in enumerate(frames) if not frame.filename.startswith(_PACKAGE)), len(frames))
    frames = frames[first:]
    n_left_out = len(frames) - MAX_FRAMES_SHOWN
    if n_left_out > 0:
        half = MAX_FRAMES_SHOWN // 2
        frames[half:-half] = [Frame("", 0, f"{n_left_out} more frames", "")]
    return frames


def describe_error(error: BaseException) -> str:
    """Return the lines that end a Python traceback, after those of the log that the error brings along if it does."""
    log: Any = None
    with suppress(Exception):  # a user's class may answer in any way
        log = getattr(error, "log_lines", None)
    lines = log if isinstance(log, list) and all(isinstance(line, str) for line in log) else []
    return "\n".join([*lines, "".join(traceback.format_exception_only(type(error), error)).rstrip()])


_PACKAGE = __file__.rpartition("/scheduler/")[0] + "/"


class ErrorValue(Value):
    """What is stored as the outcome of a failed job.  It is never replayed across executions."""

    type_name = "redun.ErrorValue"

    def __init__(self, error: BaseException, trace: Traceback) -> None:
        self.error = error
        self.traceback = trace

    def __getstate__(self) -> dict[str, Any]:
        # Plain data: an exception may hold anything, and what is shown of an error must not need its class.
        kind = type(self.error)
        return {
            "error_type": f"{kind.__module__}.{kind.__qualname__}",
            "message": message_of(self.error),
            "repr": preview(self.error),
            "jobs": list(self.traceback.jobs),
            "frames": [list(frame) for frame in self.traceback.frames],
            "text": self.traceback.error,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.error = Exception(state["repr"])
        self.traceback = Traceback(state["jobs"], [Frame(*frame) for frame in state["frames"]], state["text"])

    def __repr__(self) -> str:
        return f"ErrorValue({preview(self.error)})"
