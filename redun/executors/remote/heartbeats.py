"""Signs of life of workers, where a cluster cannot be trusted to notice that a machine is gone.

With ``heartbeat_interval`` a worker rewrites the status of its call so often, and the scheduler's side lists the
scratch so often: one listing for all jobs.  The invariant: a job is given up only when its status did not change for as
long by the clock of this process; clocks of other machines are not compared.  One that never gave a sign is not judged:
it may have been submitted when none were asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import monotonic

from redun.executors.remote.jobs import RemoteJob, Stage
from redun.executors.remote.scratch import STATUS
from redun.executors.remote.sender import Sender
from redun.executors.remote.turns import Turns

MISSED = 4
"""How many intervals without a sign make a worker lost: a sign may be late by two, and is seen one later."""


class Pulses:
    """When each job was last seen to live.  No clock."""

    def __init__(self, limit_seconds: float) -> None:
        self._limit_seconds = limit_seconds
        self._seen: dict[str, tuple[int, float]] = {}  # time of the status, and when it was first seen, by key

    def note(self, keys: Iterable[str], written: Mapping[str, int], now: float) -> list[str]:
        """Take in a listing; return which of the jobs that run gave no sign for too long.

        Args:
            keys: of the jobs that run.
            written: when the status of each call was written, by the scratch's clock; by key.
            now: seconds, from any start.
        """
        seen: dict[str, tuple[int, float]] = {}
        for key in keys:
            moment = written.get(key)
            if moment is None:
                continue
            known = self._seen.get(key)
            seen[key] = known if known is not None and known[0] == moment else (moment, now)
        self._seen = seen
        return [key for key, (_, since) in seen.items() if now - since > self._limit_seconds]


class Heartbeats:
    """Watches the jobs of one monitor, in its thread."""

    def __init__(
        self,
        interval_seconds: float,
        turns: Turns,
        sender: Sender,
        running: Callable[[], list[RemoteJob]],
        lose: Callable[[RemoteJob, float], None],
    ) -> None:
        """Make it; ``start`` begins.

        Args:
            interval_seconds: between two signs; 0 for none, and then nothing is watched.
            turns: the thread.
            sender: lists the scratch.
            running: returns the jobs that are out.
            lose: takes a job that gave no sign for so many seconds.
        """
        self._interval_seconds = interval_seconds
        self._limit_seconds = MISSED * interval_seconds
        self._pulses = Pulses(self._limit_seconds)
        self._turns = turns
        self._sender = sender
        self._running = running
        self._lose = lose

    def start(self) -> None:
        """Look from time to time; from the thread itself."""
        if self._interval_seconds:
            self._turns.do_later(self._interval_seconds, self._look)

    def _look(self) -> None:
        self.start()
        if any(job.has_begun for job in self._running()):
            # A scratch that cannot be listed says nothing about workers.
            self._turns.ask(self._sender.list_jobs, self._note, lambda _error: None)

    def _note(self, listed: Mapping[str, Mapping[str, int]]) -> None:
        jobs = {job.key: job for job in self._running() if job.has_begun and job.stage is Stage.SUBMITTED}
        written = {key: names[STATUS] for key, names in listed.items() if STATUS in names}
        for key in self._pulses.note(jobs, written, monotonic()):
            self._lose(jobs[key], self._limit_seconds)
