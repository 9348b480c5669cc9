"""The lines that a run says: what is run, what is cached, what is restored, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from redun.objects.oid import short
from redun.scheduler.preview import format_arguments, message_of, preview

if TYPE_CHECKING:
    from redun.expression import TaskExpression
    from redun.scheduler.job import Job
    from redun.task.binding import BoundArguments


MAX_GATHERED = 32
"""So many lines are written at once, at most: no program's output stands between the lines of jobs that do not run."""


class RunLog:
    """Formats what happens to jobs.  Where nobody listens, nothing is formatted."""

    def __init__(self, write: Callable[[str], None] | None, *, gathers: bool = False) -> None:
        """``write`` takes a line; where it takes several with line breaks between them, say so by ``gathers``."""
        self._write = write
        self._limit = MAX_GATHERED if gathers else 1
        self._pickled: set[str] = set()
        self._dropped: set[tuple[str, str]] = set()
        self._gathered: list[str] = []

    def say(self, text: str | None) -> None:
        """Write a line; None writes nothing."""
        if self._write is not None and text is not None:
            if self._gathered:
                self.flush()
            self._write(text)

    def flush(self) -> None:
        """Write what was gathered; whoever waits asks for it first."""
        if self._gathered and self._write is not None:
            lines, self._gathered = self._gathered, []
            self._write("\n".join(lines))

    def run_line(self, job: Job, bound: BoundArguments, reason: str) -> str | None:
        """Return the line that says that a job runs, and what made it run where that is known."""
        if self._write is None:
            return None
        because = f" ({reason})" if reason else ""
        return f"Run    Job {job.short_id}:  {_call(job, bound)} on {job.executor}{because}"

    def cached(self, job: Job, bound: BoundArguments) -> None:
        """Say that a job was answered from the store."""
        if self._write is not None and job.eval is not None:
            self._gathered.append(f"Cached Job {job.short_id}:  {_call(job, bound)} (eval_hash={short(job.eval)})")
            if len(self._gathered) >= self._limit:
                self.flush()

    def dryrun(self, job: Job, bound: BoundArguments, reason: str) -> None:
        """Say that a job would run."""
        because = f" ({reason})" if reason else ""
        self.say(f"Dryrun Job {job.short_id}:  {_call(job, bound)} on {job.executor}{because}")

    def restored(self, job: Job, paths: list[str], *, is_dryrun: bool) -> None:
        """Say which files were put back from the store, or would have been."""
        done = "Dryrun restores" if is_dryrun else "Restored"
        for path in paths:
            self.say(f"{done} File {path} for Job {job.short_id}:  {job.task.fullname}")

    def disturbed(self, job: Job, names: list[str]) -> None:
        """Say that a job's result is recorded and will not be reused: something that it was given has changed."""
        where = f"Job {job.short_id} {job.task.fullname}"
        for name in names:
            self.say(f"warning: {name} changed while the job ran, so its result will not be reused: {where}")

    def dropped(self, job: Job, calls: Sequence[TaskExpression[Any]]) -> None:
        """Say, once for each pair of tasks, that a job's function built a call that nothing will run."""
        for call in calls:
            pair = (job.task.fullname, call.task_name)
            if pair not in self._dropped:
                self._dropped.add(pair)
                self.say(
                    f"warning: {pair[0]} builds {preview(call)} and does not use it, so it never runs: "
                    f"return it, pass it to a task, or await it in an async task: Job {job.short_id}"
                )

    def pickled(self, type_name: str) -> None:
        """Say, once for each type, that its values have no stable form; an expression in a partial task has one."""
        if type_name not in self._pickled and not type_name.startswith("redun."):
            self._pickled.add(type_name)
            self.say(f"warning: value of type {type_name} is pickled: its key may be unstable")

    def rejected(self, job: Job, error: BaseException) -> None:
        """Say that a job failed."""
        self.say(
            f"*** Reject Job {job.short_id}:  {job.task.fullname}: {type(error).__name__}: {preview(message_of(error))}"
        )

    def retried(self, job: Job, error: BaseException, n_attempts: int, delay_seconds: float) -> None:
        """Say that a job failed and is tried again; its attempt is the one that failed."""
        when = f" in {delay_seconds:g} s" if delay_seconds else ""
        self.say(
            f"Retry  Job {job.short_id}:  {job.task.fullname}, attempt {job.attempt + 1} of {n_attempts}{when}, "
            f"after {type(error).__name__}: {preview(message_of(error))}"
        )


def _call(job: Job, bound: BoundArguments) -> str:
    return f"{job.task.fullname}({format_arguments(bound.names, bound.values)})"
