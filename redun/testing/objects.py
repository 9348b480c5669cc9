"""Executions made by hand, for tests of stores, remotes and read models: no engine, no clock, no randomness.

The invariant: equal arguments make equal objects, byte for byte.  Executions of different seeds share their task and
their units, as the runs of one workflow do, and differ in values, evals, calls and all above them.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from redun.hashing import Oid, hash_blob
from redun.objects.call_records import CallRecord, EvalRecord, ReductionRecord, SubtreeSummary
from redun.objects.execution_records import (
    ExecutionRecord,
    ExecutionStatus,
    JobRow,
    JobsRecord,
    JobStatus,
    RunSubject,
    TagRecord,
)
from redun.objects.kinds import Kind
from redun.objects.task_records import SourceRecord, TaskRecord, UnitRecord
from redun.objects.value_records import CONTENT_SCHEME, FileRecord, ValueRecord
from redun.store.base import ObjectStore
from redun.store.objectdb import ObjectDb
from redun.store.ref_names import ref_name
from redun.store.ref_texts import ExecutionRef, RefStatus
from redun.store.refs import Refs

EPOCH_US = 1_750_000_000_000_000
"""When the execution of seed 0 started: 2025-06-15, in microseconds since 1970 UTC."""

_JOB_US = 1_500
_STEP_US = 60_000_000


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file that a made execution returns: its path, its content, and whether the content is to be stored."""

    path: str
    content: bytes
    is_kept: bool = True


@dataclass(slots=True)
class MadeExecution:
    """The closure of one execution, children first, and what its ref says."""

    objects: list[tuple[Oid, bytes, int]] = field(default_factory=list)
    oid: Oid | None = None
    record: ExecutionRecord | None = None
    ref: ExecutionRef | None = None

    @property
    def oids(self) -> set[Oid]:
        """The names of all its objects."""
        return {oid for oid, _, _ in self.objects}

    def add(self, encoded: tuple[Oid, bytes], kind: int) -> Oid:
        """Take one object in and return its oid."""
        self.objects.append((*encoded, int(kind)))
        return encoded[0]


def execution_id(seed: int) -> str:
    """Return the uuid that the execution of a seed has."""
    return str(uuid.UUID(bytes=hash_blob(b"execution %d" % seed)[:16], version=4))


def build_execution(
    n_jobs: int = 3,
    *,
    seed: int = 0,
    status: ExecutionStatus = ExecutionStatus.DONE,
    files: Sequence[MadeFile] = (),
    blobs: Sequence[bytes] = (),
    user: str = "alice",
) -> MadeExecution:
    """Build an execution of a root job with ``n_jobs`` jobs below it, each of them a call of the task ``made.step``.

    The last job's result is a value that links to the given files and blobs.  Nothing is stored.
    """
    made = MadeExecution()
    task, sources = _add_task(made)
    main_eval, reduction, calls, rows = _add_calls(made, task, n_jobs, seed, _add_parts(made, files, blobs))
    root = _add_root(made, main_eval, reduction, calls, task)
    start_us = EPOCH_US + seed * _STEP_US
    rows.append(JobRow(1, 0, 0, n_jobs * _JOB_US + 5, JobStatus.DONE, "default", 1, main_eval, root, "made.main"))
    raw_id = uuid.UUID(execution_id(seed)).bytes
    jobs = made.add(JobsRecord(raw_id, start_us, rows).encode(), Kind.JOBS)
    tag = made.add(TagRecord(RunSubject(raw_id, 0), [], "project", '"made"', is_deleted=False).encode(), Kind.TAG)
    end_us = start_us + n_jobs * _JOB_US + 10
    argv = ["redun", "run", "made.py", "main", "--seed", str(seed)]
    versions = [["redun", "0.1.0"], ["python", "3.11.2"]]
    made.record = ExecutionRecord(
        raw_id, argv, status, start_us, end_us, user, "host-1", versions, root, [jobs], sources, [tag]
    )
    made.oid = made.add(made.record.encode(), Kind.EXECUTION)
    made.objects = list({oid: (oid, data, kind) for oid, data, kind in made.objects}.values())
    return made


def make_execution(
    store: ObjectStore,
    refs: Refs,
    n_jobs: int = 3,
    *,
    seed: int = 0,
    status: ExecutionStatus = ExecutionStatus.DONE,
    files: Sequence[MadeFile] = (),
    blobs: Sequence[bytes] = (),
) -> MadeExecution:
    """Store what ``build_execution`` builds, seal the store when it can be sealed, and write the ref."""
    made = build_execution(n_jobs, seed=seed, status=status, files=files, blobs=blobs)
    for oid, data, kind in made.objects:
        store.put(oid, data, kind)
    if not isinstance(store, ObjectDb):
        made.ref = made_ref(made)
        refs.write(made.ref)
        return made
    made.ref = made_ref(made, tuple(store.seal()))
    refs.write(made.ref)
    store.finish()
    return made


def made_ref(made: MadeExecution, packs: tuple[Oid, ...] = ()) -> ExecutionRef:
    """Return the ref of a made execution."""
    record = made.record
    assert record is not None, "a made execution has its record"
    text_id = str(uuid.UUID(bytes=record.execution_id))
    return ExecutionRef(
        ref_name(record.start_us, text_id),
        text_id,
        RefStatus(record.status.name.lower()),
        record.start_us,
        record.end_us,
        record.argv,
        made.oid,
        None,
        packs,
    )


def _add_task(made: MadeExecution) -> tuple[Oid, list[Oid]]:
    helper = made.add(UnitRecord("function", "made.helper", hash_blob(b"helper")).encode(), Kind.UNIT)
    constant = made.add(UnitRecord("constant", "made.SIZE", hash_blob(b"size")).encode(), Kind.UNIT)
    task = made.add(TaskRecord("made.step", None, hash_blob(b"step"), [], [constant, helper]).encode(), Kind.TASK)
    texts = [(task, "@task()\ndef step(x):\n    return helper(x)\n", 10), (helper, "def helper(x):\n    return x\n", 3)]
    sources = [made.add(SourceRecord(oid, text, "made", line).encode(), Kind.SOURCE) for oid, text, line in texts]
    return task, sources


def _add_parts(made: MadeExecution, files: Sequence[MadeFile], blobs: Sequence[bytes]) -> list[Oid]:
    parts = [made.add((hash_blob(blob), blob), Kind.BLOB) for blob in blobs]
    for file in files:
        digest = hash_blob(file.content)
        if file.is_kept:
            made.add((digest, file.content), Kind.BLOB)
        record = FileRecord(file.path, CONTENT_SCHEME, digest, len(file.content))
        parts.append(made.add(record.encode(), Kind.FILE))
    return parts


def _add_calls(
    made: MadeExecution, task: Oid, n_jobs: int, seed: int, parts: list[Oid]
) -> tuple[Oid, Oid, list[Oid], list[JobRow]]:
    """Add the calls of ``step``; return main's eval, its reduction, the calls and their job rows."""
    calls: list[Oid] = []
    rows: list[JobRow] = []
    for number in range(n_jobs):
        argument = _add_value(made, "int", seed * 1_000 + number)
        eval_oid = made.add(EvalRecord(task, [argument], ["x"], None).encode(), Kind.EVAL)
        is_last = number == n_jobs - 1
        result = _add_value(made, "str", f"result {seed}/{number}", parts if is_last else [])
        summary = SubtreeSummary(is_reusable=True, tasks=[], externals=[], produced=[])
        call = made.add(CallRecord(eval_oid, result, None, [], [], summary, []).encode(), Kind.CALL)
        rows.append(
            JobRow(number + 2, 1, number * _JOB_US, _JOB_US, JobStatus.DONE, "default", 1, eval_oid, call, "made.step")
        )
        calls.append(call)
    main_argument = _add_value(made, "int", seed)
    main_eval = made.add(EvalRecord(task, [main_argument], ["seed"], None).encode(), Kind.EVAL)
    outcome = _add_value(made, "list", [seed, n_jobs])
    reduction = made.add(ReductionRecord(main_eval, outcome, [], []).encode(), Kind.REDUCTION)
    return main_eval, reduction, calls, rows


def _add_root(made: MadeExecution, main_eval: Oid, reduction: Oid, calls: list[Oid], task: Oid) -> Oid:
    result = _add_value(made, "list", [call[:4] for call in calls])
    summary = SubtreeSummary(is_reusable=True, tasks=[task] if calls else [], externals=[], produced=[])
    return made.add(CallRecord(main_eval, result, reduction, calls, [], summary, []).encode(), Kind.CALL)


def _add_value(made: MadeExecution, type_name: str, payload: object, links: Sequence[Oid] = ()) -> Oid:
    return made.add(ValueRecord(type_name, "data", payload, list(links)).encode(), Kind.VALUE)
