"""What a call and everything below it depend on, gathered while its children end: see SubtreeSummary."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from redun.hashing import Oid
from redun.objects.call_records import EMPTY_SUMMARY, CallRecord, SubtreeSummary, produced_code
from redun.objects.kinds import Kind
from redun.value.encoding import Encoded

if TYPE_CHECKING:
    from redun.scheduler.job import Job

MAX_EXTERNALS = 1000
"""Beyond this the summary is not kept: in a deep chain each ancestor would repeat all files below it, and checking this
many files costs about what asking the children costs."""


class SummaryBuilder:
    """The summary of one job so far."""

    __slots__ = ("_executable", "_externals", "_named", "_own", "_tasks", "is_reusable")

    def __init__(self) -> None:
        self.is_reusable = True
        self._tasks: set[Oid] = set()
        self._externals: set[Oid] = set()
        self._executable: dict[Oid, bool] = {}  # the produced ones among the externals
        self._own: set[Oid] = set()
        self._named: set[Oid] = set()  # tasks that are values

    def add_externals(self, externals: Iterable[Oid], produced: dict[Oid, bool] | None = None) -> None:
        """Add files and handles that the job itself names; ``produced`` are those that it wrote."""
        self._externals.update(externals)
        if produced:
            self._executable.update(produced)
            self._own.update(produced)
        self._check_size()

    def add_values(self, values: Iterable[Encoded]) -> None:
        """Add the tasks among what the job itself names: when one has changed, a result that holds it is no more."""
        for value in values:
            if value.kind == Kind.TASK:
                self._named.add(value.oid)
            self._named.update(oid for oid, _, kind in value.parts if kind == Kind.TASK)

    def add_call(self, task: Oid, summary: SubtreeSummary) -> None:
        """Add a call below: its own task, and what stands in its summary."""
        self._tasks.add(task)
        if summary is not EMPTY_SUMMARY:
            self.add_below(summary)

    def add_below(self, summary: SubtreeSummary) -> None:
        """Add what stands in a summary."""
        self.is_reusable = self.is_reusable and summary.is_reusable
        self._tasks.update(summary.tasks)
        if self.is_reusable:
            self._externals.update(summary.externals)
            for code in summary.produced:
                self._executable[summary.externals[code >> 1]] = bool(code & 1)
            self._check_size()

    def forbid_reuse(self) -> None:
        """Note that something below must be asked each time."""
        self.is_reusable = False

    def build(self) -> tuple[SubtreeSummary, list[int]]:
        """Return the summary, and the codes of the files that the job itself wrote."""
        # A call without calls below is judged by its externals alone, so it keeps them however many there are.
        externals = self._externals if self.is_reusable or not self._tasks else self._own
        ordered = sorted(externals)
        produced: list[int] = []
        own: list[int] = []
        for index, oid in enumerate(ordered):
            executable = self._executable.get(oid)
            if executable is not None:
                code = produced_code(index, is_executable=executable)
                produced.append(code)
                if oid in self._own:
                    own.append(code)
        return SubtreeSummary(self.is_reusable, sorted(self._tasks | self._named), ordered, produced), own

    def _check_size(self) -> None:
        if self._tasks and len(self._externals) > MAX_EXTERNALS:
            self.is_reusable = False


def produced_files(record: CallRecord) -> dict[Oid, bool]:
    """Return the files that a call or one below it wrote, each with whether it is executable."""
    externals = record.summary.externals
    return {externals[code >> 1]: bool(code & 1) for code in record.summary.produced}


def summary_of(job: Job) -> SummaryBuilder:
    """Return a job's summary so far; most jobs have none before they end."""
    if job.summary is None:
        job.summary = SummaryBuilder()
    return job.summary
