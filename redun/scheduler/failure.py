"""How a run failed: the first error, the way to it task by task, and the value that each failed job records."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from redun.scheduler.errors import ErrorValue, Traceback, describe_error, frames_of
from redun.value.encoding import Encoded, encode_value

if TYPE_CHECKING:
    from redun.scheduler.job import Job
    from redun.scheduler.runlog import RunLog

MAX_JOBS_SHOWN = 50
"""In a chain of 100 000 jobs nobody reads them all: the outermost and the innermost are shown."""


class Failures:
    """Collects the failures of one execution."""

    def __init__(self, log: RunLog) -> None:
        self._log = log
        self._noted: dict[int, Encoded] = {}
        self.errors: list[BaseException] = []
        self.tracebacks: list[Traceback] = []

    def note(self, job: Job, error: BaseException) -> Encoded:
        """Note that a job failed; return the error value to record, the same for all jobs that fail of one error."""
        known = self._noted.get(id(error))
        if known is not None:
            return known
        trace = Traceback(self._path_to(job), frames_of(job.traceback or error.__traceback__), describe_error(error))
        self._log.rejected(job, error)
        self.errors.append(error)
        self.tracebacks.append(trace)
        # A class may refuse attributes in its own way; the traceback is in the log and in the store all the same.
        with suppress(Exception):
            error.redun_traceback = trace  # type: ignore[attr-defined]
        # `errors` keeps the error alive, so its id stays its own.
        encoded = self._noted[id(error)] = encode_value(ErrorValue(error, trace))
        return encoded

    def _path_to(self, job: Job) -> list[str]:
        path: list[Job] = []
        current: Job | None = job
        while current is not None:
            path.append(current)
            current = current.parent
        path.reverse()
        lines = [self._log.job_place(part) for part in path]
        if len(lines) > MAX_JOBS_SHOWN:
            half = MAX_JOBS_SHOWN // 2
            lines[half:-half] = [f"... {len(lines) - MAX_JOBS_SHOWN} more jobs ..."]
        return lines
