"""Executions, jobs, tasks, files and values as JSON records: `redun log --json`.

The invariant: every record has a ``type``; hashes are 64 hex digits, times ISO 8601 in UTC, durations seconds; a key
is always there, null when there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from redun.cli.render.tags import tags_json
from redun.provenance.dataflow import Dataflow, Section, Step
from redun.provenance.detail import CallDetail, EvalDetail, FileDetail, JobDetail, TaskDetail, ValueDetail
from redun.provenance.executions import ExecutionHead, ExecutionView
from redun.provenance.failures import ErrorView
from redun.provenance.files import FileView
from redun.provenance.jobs import JobView, SourceView
from redun.provenance.show import kind_name
from redun.provenance.tags import TagView
from redun.provenance.values import EvalView, ValueView

Json = dict[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def execution_json(head: ExecutionHead) -> Json:
    """An execution as its ref tells it."""
    return {
        "type": "execution",
        "id": head.id,
        "status": head.status.value,
        "argv": list(head.argv),
        "start": time_json(head.start_us),
        "end": time_json(head.end_us) if head.end_us is not None else None,
        "object": _hex(head.object),
    }


def execution_detail_json(execution: ExecutionView, tags: Sequence[TagView], jobs: list[Json]) -> Json:
    """An execution with its jobs."""
    return {
        **execution_json(execution.head),
        "duration_seconds": _seconds(execution.duration_us),
        "user": execution.user or None,
        "host": execution.host or None,
        "versions": dict(execution.versions),
        "root": _hex(execution.root),
        "tags": tags_json(tags),
        "counts": {state.value: count for state, count in execution.count_states().items()},
        "jobs": jobs,
    }


def job_json(job: JobView) -> Json:
    """A job with its arguments and result."""
    head = job.head
    return {
        "type": "job",
        "id": head.id,
        "number": head.number,
        "execution": head.execution_id,
        "task": head.fullname,
        "status": head.state.value,
        "start": time_json(head.start_us),
        "duration_seconds": _seconds(head.duration_us),
        "executor": head.executor,
        "attempt": head.attempt,
        "task_hash": _hex(job.task),
        "eval": _hex(job.eval),
        "call": _hex(job.call),
        "arguments": [{"name": argument.name, **_value(argument.value)} for argument in job.arguments],
        "result": _value(job.result) if job.result is not None else None,
        "error": _error(job.error) if job.error is not None else None,
        "problem": job.problem or None,
    }


def job_detail_json(detail: JobDetail) -> Json:
    """A job with all that stands around it."""
    return {
        **job_json(detail.job),
        "tags": tags_json(detail.tags),
        "parents": [{"id": id, "task": task} for id, task in detail.parents],
        "source": _source(detail.source),
        "dataflow": dataflow_json(detail.dataflow),
    }


def call_detail_json(detail: CallDetail) -> Json:
    """A call without a job."""
    return {
        "type": "call",
        "call": detail.call.hex(),
        **_eval(detail.asked),
        "tags": tags_json(detail.tags),
        "result": _value(detail.result),
        "source": _source(detail.source),
        "dataflow": dataflow_json(detail.dataflow),
    }


def eval_detail_json(detail: EvalDetail) -> Json:
    """An eval with its outcomes."""
    outcomes = [
        {"end": time_json(end_us), "object": target.hex(), "kind": kind_name(kind)}
        for end_us, target, kind in detail.outcomes
    ]
    return {"type": "eval", **_eval(detail.asked), "outcomes": outcomes}


def file_json(file: FileView) -> Json:
    """One version of a file."""
    return {
        "type": "file",
        "file": file.oid.hex(),
        "path": file.path,
        "size": file.size,
        "kept": file.is_kept,
        "first": time_json(file.first_us) if file.first_us else None,
        "last": time_json(file.last_us) if file.last_us else None,
        "mode": file.mode,
    }


def file_detail_json(detail: FileDetail) -> Json:
    """A file with who made and read it."""
    return {
        **file_json(detail.file),
        "tags": tags_json(detail.tags),
        "writer": job_detail_json(detail.writer) if detail.writer is not None else None,
        "readers": [job_json(job) for job in detail.readers],
        "versions": [file_json(version) for version in detail.versions],
    }


def task_json(oid: bytes, fullname: str, version: str | None) -> Json:
    """One hash of a task."""
    return {"type": "task", "task": fullname, "task_hash": oid.hex(), "version": version}


def object_json(kind: str, oid: bytes, text: str) -> Json:
    """A value or a call by its oid and the text that stands for it."""
    return {"type": kind, kind: oid.hex(), "text": text}


def task_detail_json(detail: TaskDetail) -> Json:
    """One hash of a task with its source and newest jobs."""
    return {
        "type": "task",
        "task": detail.fullname,
        "task_hash": detail.oid.hex(),
        "tags": tags_json(detail.tags),
        "source": _source(detail.source),
        "jobs": [job_json(job) for job in detail.jobs],
    }


def value_detail_json(detail: ValueDetail) -> Json:
    """A value with who returned it and who was given it."""
    return {
        "type": "value",
        **_value(detail.value),
        "tags": tags_json(detail.tags),
        "returned_by": [job_json(job) for job in detail.returned_by],
        "given_to": [job_json(job) for job in detail.given_to],
        "dataflow": dataflow_json(detail.dataflow),
    }


def dataflow_json(flow: Dataflow | None) -> Json | None:
    """The upstream of a value."""
    if flow is None:
        return None
    return {
        "result": {"name": flow.result.name, **_value(flow.result.value)},
        "sections": [_section(section) for section in flow.sections],
        "cut": flow.is_cut,
    }


def time_json(time_us: int) -> str:
    """Return a time (microseconds since 1970 UTC) as ``2021-06-18T10:34:28.250000Z``."""
    return (_EPOCH + timedelta(microseconds=time_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _section(section: Section) -> Json:
    return {
        "name": section.name,
        "steps": [_step(step) for step in section.steps],
        "variables": [{"name": variable.name, **_value(variable.value)} for variable in section.variables],
        "omitted": section.omitted,
    }


def _step(step: Step) -> Json:
    return {
        "kind": step.kind.value,
        "object": _hex(step.oid),
        "task": step.fullname or None,
        "parameters": list(step.parameters),
    }


def _eval(asked: EvalView) -> Json:
    return {
        "eval": asked.oid.hex(),
        "task": asked.fullname,
        "task_hash": asked.task.hex(),
        "arguments": [{"name": argument.name, **_value(argument.value)} for argument in asked.arguments],
    }


def _value(value: ValueView) -> Json:
    return {"value": value.oid.hex(), "text": value.text}


def _error(error: ErrorView) -> Json:
    return {"value": error.oid.hex(), "text": error.text, "trace": list(error.trace)}


def _source(source: SourceView | None) -> Json | None:
    return None if source is None else {"module": source.module, "line": source.line, "text": source.text}


def _seconds(duration_us: int | None) -> float | None:
    return None if duration_us is None else duration_us / 1_000_000


def _hex(oid: bytes | None) -> str | None:
    return None if oid is None else oid.hex()
