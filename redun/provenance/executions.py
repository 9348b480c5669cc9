"""Executions as people ask for them: a list from the refs alone, or one with all its jobs.

The invariant: listing costs the refs that are shown; loading one execution costs its own jobs batches, whatever else
the repository holds.  A run that has not ended has no execution node yet; its jobs are found among the *jobs* nodes.
Formats: docs/format/refs.md, docs/format/object.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.execution_records import ExecutionRecord, ExecutionStatus, JobRow, JobsRecord, JobStatus
from redun.objects.ids import format_id, job_id, parse_id
from redun.objects.kinds import Kind
from redun.store.base import ObjectStore
from redun.store.ref_names import ref_name
from redun.store.ref_texts import ExecutionRef, RefStatus
from redun.store.refs import Refs

# A live run's batches come first (its journal), then packs by age: after so many nodes of older runs none will follow.
MAX_FOREIGN_BATCHES = 1_000

IsAlive = Callable[[ExecutionRef], bool]
"""Tells whether the process that a running ref names still lives."""


class RunStatus(str, Enum):
    """How an execution stands."""

    RUNNING = "RUNNING"  # its process is alive
    DONE = "DONE"
    FAILED = "FAILED"
    INTERRUPTED = "INTERRUPTED"  # Ctrl-C, or its process died


class JobState(str, Enum):
    """How a job stands, as it is shown."""

    RUNNING = "RUNNING"  # not finished, and its execution is still alive
    DONE = "DONE"
    CACHED = "CACHED"
    FAILED = "FAILED"
    INTERRUPTED = "INTERRUPTED"  # not finished, and nothing will finish it


@dataclass(frozen=True, slots=True)
class ExecutionHead:
    """What a ref tells of an execution."""

    id: str  # uuid
    ref_name: str
    status: RunStatus
    argv: tuple[str, ...]
    start_us: int  # microseconds since 1970 UTC
    end_us: int | None  # None while running, or when it died
    object: Oid | None  # the execution node; None until its run was sealed


@dataclass(frozen=True, slots=True)
class ExecutionView:
    """An execution with its jobs."""

    head: ExecutionHead
    rows: tuple[JobRow, ...]  # the last row of each job, by number
    user: str  # empty while running
    host: str
    versions: tuple[tuple[str, str], ...]
    root: Oid | None  # the root call, once completed
    sources: tuple[Oid, ...]
    tags: tuple[Oid, ...]

    @property
    def id(self) -> str:
        return self.head.id

    @property
    def status(self) -> RunStatus:
        return self.head.status

    @property
    def duration_us(self) -> int | None:
        """Wall time in microseconds; None while running.  A run that died lasted until its last row."""
        if self.head.end_us is not None:
            return self.head.end_us - self.head.start_us
        if self.status is RunStatus.RUNNING:
            return None
        return max((row.start_us + row.duration_us for row in self.rows), default=0)

    def job_id(self, number: int) -> str:
        """Return the uuid of a job of this execution."""
        return format_id(job_id(parse_id(self.id), number))

    def state_of(self, row: JobRow) -> JobState:
        """Return how a job of this execution stands."""
        if row.status is not JobStatus.REDUCED:
            return _STATES[row.status]
        return JobState.RUNNING if self.status is RunStatus.RUNNING else JobState.INTERRUPTED

    def count_states(self) -> dict[JobState, int]:
        """Return how many jobs stand how: every state, also those of none."""
        counts = dict.fromkeys(JobState, 0)
        for row in self.rows:
            counts[self.state_of(row)] += 1
        return counts

    def by_number(self) -> dict[int, JobRow]:
        """Return the rows by job number."""
        return {row.number: row for row in self.rows}

    def iter_tree(self) -> Iterator[tuple[int, JobRow]]:
        """Yield (depth, row), parents before children, siblings by number.

        A job whose parent has no row (it was still running its function when the run died) stands at depth 0.
        """
        known = self.by_number()
        children: dict[int, list[JobRow]] = {}
        for row in self.rows:
            children.setdefault(row.parent if row.parent in known and row.parent < row.number else 0, []).append(row)
        stack = [(0, row) for row in reversed(children.get(0, []))]
        while stack:
            depth, row = stack.pop()
            yield depth, row
            stack += [(depth + 1, child) for child in reversed(children.get(row.number, []))]


_STATES = {
    JobStatus.DONE: JobState.DONE,
    JobStatus.CACHED: JobState.CACHED,
    JobStatus.STEPPED: JobState.CACHED,  # its function did not run; only its children were asked anew
    JobStatus.FAILED: JobState.FAILED,
    JobStatus.UNSURE: JobState.DONE,
}
_RUN_STATUSES = {
    ExecutionStatus.DONE: RunStatus.DONE,
    ExecutionStatus.FAILED: RunStatus.FAILED,
    ExecutionStatus.INTERRUPTED: RunStatus.INTERRUPTED,
}


def list_executions(
    refs: Refs, limit: int | None = None, *, is_alive: IsAlive | None = None
) -> Iterator[ExecutionHead]:
    """Yield executions, newest first, from their refs alone.

    Args:
        refs: the refs of a repository.
        limit: at most so many; None for all.
        is_alive: tells whether the writer of a running ref lives; None believes the ref.
    """
    for ref in refs.iter_refs(limit):
        yield head_of(ref, is_alive=is_alive)


def head_of(ref: ExecutionRef, *, is_alive: IsAlive | None = None) -> ExecutionHead:
    """Return what a ref tells; a running one whose writer is dead is interrupted."""
    status = RunStatus[ref.status.name]
    if ref.status is RefStatus.RUNNING and is_alive is not None and not is_alive(ref):
        status = RunStatus.INTERRUPTED
    return ExecutionHead(ref.execution_id, ref.name, status, tuple(ref.argv), ref.start_us, ref.end_us, ref.object)


def load_execution(store: ObjectStore, refs: Refs, name: str, *, is_alive: IsAlive | None = None) -> ExecutionView:
    """Load the execution of a ref, with all its jobs.

    Raises:
        RefError: there is no such ref, or it is malformed.
        ObjectError: its node or one of its jobs batches is missing or damaged.
    """
    return load_from_head(store, head_of(refs.read(name), is_alive=is_alive))


def load_from_head(store: ObjectStore, head: ExecutionHead) -> ExecutionView:
    """Load the jobs of an execution whose ref was read.  Raises ObjectError as ``load_execution`` does."""
    if head.object is None:
        rows = _best_rows(find_batches(store, head))
        return ExecutionView(head, rows, "", "", (), None, (), ())
    record = ExecutionRecord.decode(store.get_node(head.object))
    rows = _last_rows(JobsRecord.decode(store.get_node(oid)) for oid in record.jobs)
    versions = tuple((str(name), str(version)) for name, version in record.versions)
    sources, tags = tuple(record.sources), tuple(record.tags)
    return ExecutionView(head, rows, record.user, record.host, versions, record.root, sources, tags)


def load_from_object(store: ObjectStore, oid: Oid) -> ExecutionView:
    """Load an execution from its node, when there is no ref to it.  Raises ObjectError as ``load_execution`` does."""
    record = ExecutionRecord.decode(store.get_node(oid))
    name = ref_name(record.start_us, format_id(record.execution_id))
    status = _RUN_STATUSES[record.status]
    execution_id = format_id(record.execution_id)
    head = ExecutionHead(execution_id, name, status, tuple(record.argv), record.start_us, record.end_us, oid)
    return load_from_head(store, head)


def find_batches(store: ObjectStore, head: ExecutionHead) -> Iterator[JobsRecord]:
    """Yield the jobs batches of an execution that has no node yet, in no order."""
    wanted = parse_id(head.id)
    foreign = 0
    for oid, _ in store.iter_oids(Kind.JOBS):
        try:
            batch = JobsRecord.decode(store.get_node(oid))
        except ObjectError:  # its journal was sealed since the listing, or an old batch is damaged: fsck tells of those
            continue
        if batch.execution_id == wanted:
            yield batch
        elif batch.epoch_us < head.start_us:
            foreign += 1
            if foreign >= MAX_FOREIGN_BATCHES:
                return


def _last_rows(batches: Iterable[JobsRecord]) -> tuple[JobRow, ...]:
    """Take the last row of each job, batches being in the order of the execution's links."""
    rows = {row.number: row for batch in batches for row in batch.rows if _is_job(row)}
    return tuple(rows[number] for number in sorted(rows))


def _best_rows(batches: Iterable[JobsRecord]) -> tuple[JobRow, ...]:
    """Take the most advanced row of each job: without an execution node the batches have no order."""
    rows: dict[int, JobRow] = {}
    for batch in batches:
        for row in batch.rows:
            other = rows.get(row.number)
            if not _is_job(row):
                continue
            if other is None or _progress(row) >= _progress(other):
                rows[row.number] = row
    return tuple(rows[number] for number in sorted(rows))


def _is_job(row: JobRow) -> bool:
    return row.number > 0


def _progress(row: JobRow) -> tuple[int, bool, int]:
    return row.attempt, row.status is not JobStatus.REDUCED, row.start_us + row.duration_us
