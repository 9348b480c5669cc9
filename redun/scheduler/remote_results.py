"""Jobs that the own repository has no answer for, and that remotes may have one for.

Theory of operation.  Such a job is put aside until every call that can be looked up by now has been: the frontier of
the execution.  Then what the remotes have for all of them is brought at once, into the run's own store, and each job is
looked up there again.  From there on all is as if it had been on record before: the same checks, the same log lines.
A job that still finds nothing runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from redun.file.state import FileState, check_file
from redun.hashing import Oid
from redun.objects.value_records import FileRecord
from redun.store.base import Candidate, ObjectStore
from redun.store.lookups import newest_first

if TYPE_CHECKING:
    from redun.scheduler.cache import Cache
    from redun.scheduler.job import Job
    from redun.scheduler.record import Recorder
    from redun.scheduler.reduce import Reducer
    from redun.task.binding import BoundArguments
    from redun.value.encoding import Encoded


class Lookups(Protocol):
    """Where else results are on record: see ``redun.remotes.lookup``."""

    def find_candidates(self, eval_oid: Oid) -> list[Candidate]:
        """Return the outcomes of an eval, newest first; they are not here yet."""

    def bring(
        self, targets: Iterable[Oid], store: ObjectStore, needs_content: Callable[[FileRecord], bool], *,
        keeps_files: bool,
    ) -> Iterable[tuple[Oid, Oid, int]]:  # fmt: skip
        """Put calls and reductions into a store; return the outcomes that came: eval, target, microseconds."""


class Asked(NamedTuple):
    """A job that was looked up, with what it needs to run."""

    job: Job
    bound: BoundArguments
    encoded: list[Encoded]
    eval_data: bytes
    why: str  # nothing on record serves


class RemoteResults:
    """The jobs of one run that wait for what remotes have."""

    def __init__(
        self,
        lookups: Lookups,
        store: ObjectStore,
        recorder: Recorder,
        cache: Cache,
        reducer: Reducer,
        *,
        keeps_files: bool,
    ) -> None:
        """Make an empty list.

        Args:
            lookups: the remotes.
            store: where the run records.
            recorder: takes a note of what was brought.
            cache: learns of contests that the remotes record.
            reducer: answers jobs from what is on record, and goes on with those that nothing serves.
            keeps_files: whether large contents are brought.
        """
        self._lookups = lookups
        self._store = store
        self._recorder = recorder
        self._cache = cache
        self._reducer = reducer
        self._evaluator = reducer.evaluator
        self._keeps_files = keeps_files
        self._waiting: list[tuple[Asked, list[Candidate]]] = []

    def take(self, asked: Asked) -> bool:
        """Put a job aside if a remote has something on record for it; tell whether."""
        assert asked.job.eval is not None, "it was looked up by its eval"
        candidates = self._lookups.find_candidates(asked.job.eval)
        if not candidates:
            return False
        if not self._waiting:
            self._evaluator.defer(self._go_on)
        self._waiting.append((asked, candidates))
        return True

    def _go_on(self) -> None:
        if not self._evaluator.is_idle:
            self._evaluator.defer(self._go_on)  # behind the calls that are still to be looked up
            return
        waiting, self._waiting = self._waiting, []
        self._cache.look_for_contests(self._lookups.find_candidates)
        targets = (candidate.target for _, candidates in waiting for candidate in candidates)
        brought = self._lookups.bring(targets, self._store, _is_not_as_recorded, keeps_files=self._keeps_files)
        self._recorder.note_taken(brought)
        for asked, candidates in waiting:
            own = self._store.find_candidates(asked.job.eval or Oid(b""))
            there = [candidate for candidate in candidates if self._store.has(candidate.target)]
            why = self._reducer.serve(asked.job, asked.bound, newest_first([*own, *there])) if there else ""
            if why is not None:
                self._reducer.miss(asked._replace(why=asked.why or why))


def _is_not_as_recorded(record: FileRecord) -> bool:
    return check_file(record).state is not FileState.SAME
