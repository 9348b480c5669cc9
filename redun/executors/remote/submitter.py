"""The Submitter contract: how one cluster is talked to.  Every implementation passes ``redun.testing.submitter``.

A submitter knows nothing of tasks, parcels or scratch: it starts command lines somewhere, and tells how they fare.  All
else (packing, arrays, polling, reuniting, logs, clean-up) is done once, for all clusters, by ``RemoteExecutor``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from redun.errors import ExecutorError


class SubmitterError(ExecutorError):
    """A cluster refused something, or cannot be reached.  ``hint`` says what to do about it."""


class RemoteStatus(Enum):
    """How something that was submitted fares."""

    WAITING = "waiting"  # not begun: queued, or its machine is starting
    RUNNING = "running"
    SUCCEEDED = "succeeded"  # the command ended with exit code 0
    FAILED = "failed"  # it ended in any other way, or never began and never will
    GONE = "gone"  # the cluster knows nothing of it


@dataclass(frozen=True, slots=True)
class RemoteState:
    """How one job of the cluster fares, and what is worth telling of it."""

    status: RemoteStatus
    reason: str = ""  # why it failed, in the cluster's own words, with exit code or signal if there is one
    tags: Mapping[str, Any] = field(default_factory=dict)  # for the redun job: where its log is, say


@dataclass(frozen=True, slots=True)
class Submission:
    """Command lines to be started: one, or an array of them that differ in nothing but a number in the environment."""

    name: str
    """What to call it at the cluster: letters, digits, ``-`` and ``_``, at most 128.  It ends in the eval hash, or in
    the array's id, so that ``find_live`` finds it again."""
    command: tuple[str, ...]
    options: Mapping[str, Any]
    """The value of every option of the executor, for this job."""
    size: int = 1
    is_array: bool = False
    """Whether to make an array of ``size`` elements; each finds its number, from 0, in ``array_rank_variable``."""
    task_name: str = ""  # full name, for labels
    labels: Mapping[str, str] = field(default_factory=dict)  # what else a cluster may show; of an array, of all of it
    environment: Mapping[str, str] = field(default_factory=dict)  # variables that the command must see
    token: str = ""
    """The same when a submission is repeated after its reply was lost, and another for every other one, also for a
    further attempt at the same call: a token of idempotency, 32 letters and digits.  (The name is none: it is that of
    the call.)"""


class Submitter(ABC):
    """Talks to one cluster.

    * All verbs may be called from any thread, one at a time but for ``cancel``.
    * They raise SubmitterError for what repeating will not mend, and OSError for what it may: throttling, a timeout, a
      lost connection.  Whoever calls repeats those with growing pauses.
    * Nothing is remembered that matters: a new submitter of the same options can poll what an earlier one submitted.
    """

    array_rank_variable: str | None = None
    """The variable in which an element of an array finds its number; None where there are no arrays."""
    max_array_size: int = 1
    """The most elements that one array may have; 1 where there are none."""

    @abstractmethod
    def check(self) -> None:
        """Raise SubmitterError when nothing can be submitted: no credentials, no such queue.  Called once, first."""

    @abstractmethod
    def submit(self, submission: Submission) -> list[str]:
        """Start something; return the ids of its elements, in order of their numbers.

        Not repeated after a lost reply unless it is safe: give the cluster a token of idempotency where it takes one.
        """

    @abstractmethod
    def poll(self, ids: Sequence[str]) -> dict[str, RemoteState]:
        """Return how jobs fare, in as few requests as the cluster allows; one that it does not know is GONE."""

    @abstractmethod
    def cancel(self, ids: Sequence[str], reason: str) -> None:
        """End jobs, whether they have begun or not.  Ids that have ended, or are not known, are passed over."""

    @abstractmethod
    def fetch_log(self, job_id: str, max_lines: int) -> list[str]:
        """Return the last lines that a job wrote, oldest first; none when there are none, or they cannot be had."""

    @abstractmethod
    def find_live(self, prefix: str) -> dict[str, str]:
        """Return by name the ids of jobs that wait or run and whose name begins so; of arrays, each element's.

        An element of an array is named ``<name of the array>:<number>``.
        """

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Let go of connections, at the end of an execution.  Idempotent; the next one may use the submitter again."""
