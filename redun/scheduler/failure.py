"""How a run failed: the first error, the way to it task by task, and the value that each failed job records."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.call_records import EvalRecord
from redun.scheduler.errors import ErrorValue, Traceback, describe_error
from redun.scheduler.trace_frames import MASK, cause_lines, frames_of, is_secret, mask_secrets
from redun.store.base import ObjectStore
from redun.value.encoding import Encoded, encode_value, preview_value

if TYPE_CHECKING:
    from redun.scheduler.job import Job
    from redun.scheduler.runlog import RunLog

MAX_ARGUMENT_CHARS = 100
MAX_JOBS_SHOWN = 50
"""In a chain of 100 000 jobs nobody reads them all: the outermost and the innermost are shown."""


class Failures:
    """Collects the failures of one execution."""

    def __init__(self, log: RunLog, store: ObjectStore) -> None:
        self._log = log
        self._store = store
        self._noted: dict[int, tuple[BaseException, Traceback, Encoded]] = {}
        self._caught: set[int] = set()

    @property
    def n_uncaught(self) -> int:
        """How many errors nothing has dealt with."""
        return len(self._noted.keys() - self._caught)

    def note_caught(self, error: BaseException) -> None:
        """Note that an error was dealt with."""
        self._caught.add(id(error))

    def traceback_of(self, error: BaseException) -> Traceback:
        """Return how the workflow came to an error."""
        known = self._noted.get(id(error))
        return known[1] if known is not None else Traceback.from_error(error)

    def note(self, job: Job, error: BaseException) -> Encoded:
        """Note that a job failed; return the error value to record, the same for all jobs that fail of one error."""
        known = self._noted.get(id(error))
        if known is not None:
            return known[2]
        trace = self._trace(job, error)
        self._log.rejected(job, error)
        encoded = encode_value(ErrorValue(error, trace))
        self._noted[id(error)] = error, trace, encoded  # the error is kept alive, so its id stays its own
        return encoded

    def adopt(self, error: BaseException, inner: Failures) -> None:
        """Take over what a run inside a job has noted of an error."""
        noted = inner._noted.get(id(error))
        if noted is not None:
            self._noted[id(error)] = noted

    def encode(self, job: Job, error: BaseException) -> Encoded:
        """Return the error value of an attempt that is not a job's last."""
        return encode_value(ErrorValue(error, self._trace(job, error)))

    def _trace(self, job: Job, error: BaseException) -> Traceback:
        trace, job.traceback = job.traceback, None  # it holds the frames, and all that their variables hold
        path = self._path_to(job)
        if isinstance(trace, Traceback):
            frames = trace.frames  # of another process
            path += trace.jobs[1:]  # of a run inside the job there, below the job itself
        else:
            frames = frames_of(trace or error.__traceback__, has_locals=True)
        return Traceback(path, frames, describe_error(error), cause_lines(error))

    def mark(self, error: BaseException) -> None:
        """Put the traceback on the error that a run ends with.

        Not before: an error that is caught is the argument of the task that recovers, whose key must not follow the ids
        of jobs.
        """
        # A class may refuse attributes in its own way; the traceback is in the log and in the store all the same.
        with suppress(Exception):
            error.redun_traceback = self.traceback_of(error)  # type: ignore[attr-defined]

    def _path_to(self, job: Job) -> list[str]:
        path: list[Job] = []
        current: Job | None = job
        while current is not None:
            path.append(current)
            current = current.parent
        path.reverse()
        half = MAX_JOBS_SHOWN // 2
        if len(path) <= MAX_JOBS_SHOWN:
            return [self._place(part) for part in path]
        left_out = f"... {len(path) - MAX_JOBS_SHOWN} more jobs ..."
        return [*map(self._place, path[:half]), left_out, *map(self._place, path[-half:])]

    def _place(self, job: Job) -> str:
        """Return a job's line in a traceback: its id, where its function stands, its name and its arguments."""
        code = getattr(job.task.func, "__code__", None)
        where = f'File "{code.co_filename}", line {code.co_firstlineno}, ' if code is not None else ""
        return f"Job {job.short_id}: {where}in {job.task.fullname}{self._arguments(job)}"

    def _arguments(self, job: Job) -> str:
        """Return what a job was called with, as it is on record: a job lets go of its arguments when it has run."""
        if job.eval is None:
            return ""
        try:
            record = EvalRecord.decode(self._store.get_node(job.eval))
            shown = [self._argument(name, oid) for name, oid in zip(record.names, record.args)]
        except ObjectError:
            return ""  # it left no trace, or its trace is damaged
        return f"({', '.join(shown)})"

    def _argument(self, name: str | int, oid: Oid) -> str:
        if type(name) is int:
            return mask_secrets(preview_value(oid, self._store.get, max_chars=MAX_ARGUMENT_CHARS).text)
        if is_secret(str(name)):
            return f"{name}={MASK}"
        return f"{name}={mask_secrets(preview_value(oid, self._store.get, max_chars=MAX_ARGUMENT_CHARS).text)}"
