"""Nodes of what people asked for: executions, their jobs, tags.  Format: docs/format/object.md."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

from redun.hashing import Oid
from redun.objects.codec import Encoded, Node, encode_node
from redun.objects.decoding import Cutter, checked
from redun.objects.kinds import Kind


class JobStatus(IntEnum):
    """How a job stood when its row was written; the numbers are part of the format."""

    REDUCED = 0  # its function has run and returned an expression that is still being reduced
    DONE = 1
    CACHED = 2
    FAILED = 3
    STEPPED = 4  # its reduction was reused and its children asked one by one
    CONTESTED = 5  # no job: the task in the place of the eval has an eval with two different results; the newer call
    UNSURE = 6  # done, but a file it was given changed while it ran: the result may fit neither content
    HANDLE = (
        7  # no job: the state of a handle in the place of the outcome was run on, or reached; a root is in the eval's
    )
    TAKEN = 8  # no job: elsewhere the eval came to this outcome, at the end of the row; a run took it from a remote


CANDIDATE_STATUSES = frozenset(
    {JobStatus.REDUCED, JobStatus.DONE, JobStatus.STEPPED, JobStatus.CONTESTED, JobStatus.HANDLE, JobStatus.TAKEN}
)
"""Rows of these statuses, when they have an eval and an outcome, are recorded outcomes: they enter the eval table."""


class JobRow(NamedTuple):
    """One job in a batch.  A later row of the same number in the same execution takes its place."""

    number: int  # counted from 1 within the execution; job ids derive from it
    parent: int  # 0 for the root job
    start_us: int  # microseconds since the execution's start
    duration_us: int
    status: JobStatus
    executor: str
    attempt: int  # 1 for the first
    eval: Oid | None  # None: it failed before its arguments were known
    outcome: Oid | None  # call (DONE, CACHED), reduction (REDUCED), error value (FAILED)
    task: str  # full name


class JobsRecord(NamedTuple):
    """A batch of job rows of one execution."""

    execution_id: bytes  # the 16 bytes of its uuid
    epoch_us: int  # the execution's start, microseconds since 1970 UTC
    rows: list[JobRow]

    def encode(self) -> Encoded:
        links: list[Oid] = []
        names: dict[str, int] = {}
        columns: list[list[int]] = [[], [], [], [], [], [], [], [], []]
        numbers, parents, starts, durations, statuses, executors, attempts, shapes, tasks = columns
        last_number = last_start = 0
        for row in self.rows:
            # Differences repeat where absolute numbers grow, and what repeats costs nothing once compressed.
            numbers.append(row.number - last_number)
            parents.append(row.number - row.parent)
            starts.append(row.start_us - last_start)
            last_number, last_start = row.number, row.start_us
            durations.append(row.duration_us)
            statuses.append(int(row.status))
            executors.append(names.setdefault(row.executor, len(names)))
            attempts.append(row.attempt)
            tasks.append(names.setdefault(row.task, len(names)))
            shapes.append((row.eval is not None) + 2 * (row.outcome is not None))
            if row.eval is not None:
                links.append(row.eval)
            if row.outcome is not None:
                links.append(row.outcome)
        return encode_node(Kind.JOBS, links, [self.execution_id, self.epoch_us, list(names), columns])

    @classmethod
    @checked(Kind.JOBS)
    def decode(cls, node: Node) -> JobsRecord:
        execution_id, epoch_us, names, columns = node.body
        rows: list[JobRow] = []
        cut = Cutter(node.links)
        number = start = 0
        if len({len(column) for column in columns}) != 1:
            raise ValueError("columns of different lengths")
        for step, up, later, duration, status, executor, attempt, shape, task in zip(*columns):
            number += step
            start += later
            eval_oid = cut.take(1)[0] if shape & 1 else None
            outcome = cut.take(1)[0] if shape & 2 else None
            rows.append(
                JobRow(
                    number,
                    number - up,
                    start,
                    duration,
                    JobStatus(status),
                    names[executor],
                    attempt,
                    eval_oid,
                    outcome,
                    names[task],
                )
            )
        return cls(execution_id, epoch_us, rows)


class RunSubject(NamedTuple):
    """An execution, or one of its jobs, as what a tag is about: neither is an object that a tag could link to.

    An execution links to its tags, so they cannot link to it; and jobs share one object a batch.
    """

    execution_id: bytes  # the 16 bytes of its uuid
    job_number: int  # counted from 1; 0 for the execution itself


class TagRecord(NamedTuple):
    """A key=value annotation.  An edit names the tags it replaces as parents: docs/format/tag.md."""

    subject: Oid | RunSubject
    parents: list[Oid]
    key: str
    value: str  # canonical JSON
    is_deleted: bool

    def encode(self) -> Encoded:
        body: list[Any] = [self.key, self.value, self.is_deleted]
        if isinstance(self.subject, RunSubject):
            return encode_node(Kind.TAG, self.parents, [*body, *self.subject])
        return encode_node(Kind.TAG, [self.subject, *self.parents], body)

    @classmethod
    @checked(Kind.TAG)
    def decode(cls, node: Node) -> TagRecord:
        if len(node.body) == 3:
            subject, *parents = node.links
            return cls(subject, parents, *node.body)
        key, value, is_deleted, execution_id, number = node.body
        if len(execution_id) != 16 or number < 0:
            raise ValueError("expected the 16 bytes of an execution's uuid and a job's number")
        return cls(RunSubject(execution_id, number), node.links, key, value, is_deleted)


class ExecutionStatus(IntEnum):
    """How an execution ended; the numbers are part of the format."""

    DONE = 1
    FAILED = 2
    INTERRUPTED = 3  # Ctrl-C, or its process died


class ExecutionRecord(NamedTuple):
    """One ``redun run``: what was asked, by whom, how it ended and what it made."""

    execution_id: bytes
    argv: list[str]
    status: ExecutionStatus
    start_us: int  # microseconds since 1970 UTC
    end_us: int
    user: str
    host: str
    versions: list[list[str]]  # [name, version] pairs: redun, python
    root: Oid | None  # the root call; None when it was never completed
    jobs: list[Oid]
    sources: list[Oid]
    tags: list[Oid]

    def encode(self) -> Encoded:
        links = [*([] if self.root is None else [self.root]), *self.jobs, *self.sources, *self.tags]
        counts = [int(self.root is not None), len(self.jobs), len(self.sources), len(self.tags)]
        body = [
            self.execution_id,
            self.argv,
            int(self.status),
            self.start_us,
            self.end_us,
            self.user,
            self.host,
            self.versions,
            counts,
        ]
        return encode_node(Kind.EXECUTION, links, body)

    @classmethod
    @checked(Kind.EXECUTION)
    def decode(cls, node: Node) -> ExecutionRecord:
        execution_id, argv, status, start_us, end_us, user, host, versions, counts = node.body
        n_root, n_jobs, n_sources, n_tags = counts
        cut = Cutter(node.links)
        root = cut.take(1)[0] if n_root else None
        jobs, sources, tags = cut.take(n_jobs), cut.take(n_sources), cut.take(n_tags)
        head = (execution_id, argv, ExecutionStatus(status), start_us, end_us, user, host, versions)
        return cls(*head, root, jobs, sources, tags)
