"""What the scheduler raises, and how the error of a failed job is kept."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from redun.errors import RedunError
from redun.scheduler.preview import message_of, preview
from redun.scheduler.trace_frames import Frame, cause_lines, frame_lines, frames_of
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


class Traceback(NamedTuple):
    """How a workflow came to an error: the jobs from the root down, then the frames of the task that raised."""

    jobs: list[str]
    frames: list[Frame]
    error: str
    causes: Sequence[str] = ()  # the errors behind it, and those in it when it is a group

    def lines(self) -> list[str]:
        """Write it for people, the most recent task last."""
        lines = [f"  {job}" for job in self.jobs]
        lines += [f"    {line}" for line in frame_lines(self.frames)]
        return [*lines, *self.error.splitlines(), *(f"  {line}" for line in self.causes)]

    def format(self) -> Iterator[str]:
        """Yield what ``lines`` returns, each line with its line break."""
        for line in self.lines():
            yield f"{line}\n"

    @classmethod
    def from_error(cls, error: BaseException) -> Traceback:
        """Return the traceback of an error that no job of this process has raised."""
        frames = frames_of(error.__traceback__, has_locals=True)
        return cls([], frames, describe_error(error), cause_lines(error))


def describe_error(error: BaseException) -> str:
    """Return the lines that end a Python traceback, after those of the log that the error brings along if it does."""
    log: Any = None
    with suppress(Exception):  # a user's class may answer in any way
        log = getattr(error, "log_lines", None)
    lines = log if isinstance(log, list) and all(isinstance(line, str) for line in log) else []
    return "\n".join([*lines, "".join(traceback.format_exception_only(type(error), error)).rstrip()])


class ErrorValue(Value):
    """What is stored as the outcome of a failed job.  It is never replayed across executions."""

    type_name = "redun.ErrorValue"

    def __init__(self, error: BaseException, traceback: Traceback | None = None) -> None:
        self.error = error
        self.traceback = traceback or Traceback.from_error(error)

    def __getstate__(self) -> dict[str, Any]:
        # Plain data: an exception may hold anything, and what is shown of an error must not need its class.
        kind = type(self.error)
        return {
            "error_type": f"{kind.__module__}.{kind.__qualname__}",
            "message": message_of(self.error),
            "repr": preview(self.error),
            "jobs": list(self.traceback.jobs),
            "frames": [_pack_frame(frame) for frame in self.traceback.frames],
            "text": self.traceback.error,
            "causes": list(self.traceback.causes),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.error = Exception(state["repr"])
        frames = [_unpack_frame(frame) for frame in state["frames"]]
        self.traceback = Traceback(state["jobs"], frames, state["text"], state.get("causes", ()))

    def __repr__(self) -> str:
        return f"ErrorValue({preview(self.error)})"


def _pack_frame(frame: Frame) -> list[Any]:
    return [*frame[:-1], [f"{name} = {text}" for name, text in frame.locals.items()]]


def _unpack_frame(packed: list[Any]) -> Frame:
    file, line, name, source, *variables = packed
    shown = (text.partition(" = ") for text in (variables[0] if variables else ()))
    return Frame(file, line, name, source, {name: text for name, _, text in shown})
