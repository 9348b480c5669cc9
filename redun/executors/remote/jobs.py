"""What the monitor of a remote executor knows of each piece of work."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from redun.errors import ExecutorError, RedunError
from redun.executors.base import PortableWork, Report


class RemoteJobFailed(ExecutorError):
    """A job of a cluster ended without an outcome: its machine or its process died, or it never began."""

    def __init__(self, executor: str, job_id: str, why: str, *, hint: str = "") -> None:
        super().__init__(f"job {job_id or '(not submitted)'} of executor {executor!r} failed: {why}", hint=hint)
        self.executor = executor
        self.job_id = job_id
        self.why = why


def lost_sight(executor: str, job_id: str, error: Exception) -> RemoteJobFailed:
    """Return the error of a job that may go on, of which nobody can tell any more."""
    why = f"the cluster cannot be asked how it fares: {error}"
    failure = RemoteJobFailed(executor, job_id, why, hint=getattr(error, "hint", ""))
    failure.__cause__ = error
    return failure


class RemoteTimeout(RemoteJobFailed):
    """A job of a cluster ran longer than the option ``timeout`` allows."""

    def __init__(self, executor: str, job_id: str, limit_seconds: float) -> None:
        super().__init__(executor, job_id, f"it ran longer than timeout = {limit_seconds:g} seconds")
        self.limit_seconds = limit_seconds


class Stage(Enum):
    """How far a job has come.  Always forward, but for a job that was found and turns out to be lost."""

    NEW = auto()  # it waits for what is known of earlier runs
    WAITING = auto()  # for its parcel, for others to make an array, or for its turn to be submitted
    SUBMITTED = auto()  # the cluster has it
    ENDED = auto()  # the cluster says that it has ended; its outcome is looked for
    DONE = auto()  # reported, or dropped


@dataclass(slots=True, eq=False)
class RemoteJob:
    """One piece of work on its way.  Only the monitor's thread changes it."""

    work: PortableWork
    report: Report
    key: str  # its folder in the scratch: the eval hash, with a number behind it when nothing may be shared
    options: Mapping[str, Any] = field(default_factory=dict)
    stage: Stage = Stage.NEW
    job_id: str = ""
    parcel: bytes | None = None
    is_reunited: bool = False  # an earlier run submitted it
    has_begun: bool = False
    began_at: float = 0.0
    n_gone: int = 0  # how often in a row the cluster did not know it
    tags: dict[str, Any] = field(default_factory=dict)

    def begin(self, now: float) -> None:
        """Note that it runs; again and again, if you like."""
        if not self.has_begun:
            self.has_begun, self.began_at = True, now
            self.work.begin()

    def add_tags(self, tags: Mapping[str, Any]) -> None:
        """Hand on what the cluster tells of it, as far as that is new."""
        new = [(key, value) for key, value in tags.items() if key not in self.tags or self.tags[key] != value]
        if new:
            self.tags.update(new)
            with suppress(RedunError):  # a word of the cluster's that can be no tag is no reason to fail a job
                self.work.add_tags(new)

    @property
    def prefix(self) -> str:
        """What the names of such jobs at the cluster begin with."""
        return f"{self.options['job_name_prefix']}-"

    @property
    def like(self) -> tuple[str, str]:
        """Equal for jobs that may be in one array."""
        return self.work.task_name, repr(sorted(self.options.items()))
