"""What `redun log` prints, one item each, in both forms: lines for people, a record for scripts.

The invariant: an item reads its objects when one of its forms is asked for, not before, so that counting items costs
no reading and a pager left early ends the work early.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from redun.cli.render import log as text
from redun.cli.render import log_json as records
from redun.cli.render import show as show_text
from redun.hashing import Oid
from redun.objects.kinds import Kind
from redun.provenance import detail
from redun.provenance.executions import ExecutionHead, ExecutionView, load_from_object
from redun.provenance.files import FileView, list_files
from redun.provenance.jobs import outline_job, view_job
from redun.provenance.resolve import Resolved, Subject
from redun.provenance.search import Filters, FoundJob, Scope, search_heads, search_jobs, search_tasks
from redun.provenance.show import show_object

_T = TypeVar("_T")


class Item(NamedTuple):
    """One thing to print, in either form."""

    lines: Callable[[], Iterator[str]]
    record: Callable[[], Any]


def explain(scope: Scope, resolved: Resolved) -> Iterator[Item]:
    """Yield all there is to tell of what an id names: one item, but for a task of several hashes one each.

    Raises:
        RedunError: it cannot be read.
    """
    if resolved.subject is Subject.TASK:
        yield from (_task_detail(scope, oid) for oid in resolved.oids)
    elif resolved.subject is Subject.FILE:
        yield _file_detail(scope, resolved.oids)
    elif resolved.subject is Subject.OBJECT:
        assert resolved.oid is not None
        yield _explain_object(scope, resolved.oid, resolved.kind)
    else:
        execution = scope.get(resolved.ref_name)
        if resolved.subject is Subject.EXECUTION:
            yield _execution_detail(scope, execution)
        else:
            yield _job_detail(scope, FoundJob(execution, execution.by_number()[resolved.job_number]))


def list_executions(scope: Scope, filters: Filters, *, is_detailed: bool) -> Iterator[Item]:
    """Yield the executions that the filters keep, newest first."""
    for head in search_heads(scope, filters):
        execution = scope.load(head) if is_detailed else None
        yield _execution(head) if execution is None else _execution_detail(scope, execution)


def list_jobs(scope: Scope, filters: Filters, *, is_detailed: bool) -> Iterator[Item]:
    """Yield the jobs that the filters keep."""
    for found in search_jobs(scope, filters):
        yield _job_detail(scope, found) if is_detailed else _job(scope, found)


def list_tasks(scope: Scope, filters: Filters, *, is_detailed: bool) -> Iterator[Item]:
    """Yield the tasks that the filters keep, one item for each hash."""
    for oid, task in search_tasks(scope.store, filters):
        if is_detailed:
            yield _task_detail(scope, oid)
        else:
            yield _line(text.task_line(oid, task.fullname), records.task_json(oid, task.fullname, task.version))


def list_all_files(scope: Scope, filters: Filters, *, is_detailed: bool) -> Iterator[Item]:
    """Yield the newest version of each file that the filters keep, by path."""
    for file in list_files(scope.store, scope.iter_executions(filters)):
        if filters.keeps_path(file.path):
            yield _file_detail(scope, (file.oid,)) if is_detailed else _file(file)


LISTS: dict[str, Callable[..., Iterator[Item]]] = {
    "exec": list_executions,
    "job": list_jobs,
    "task": list_tasks,
    "file": list_all_files,
}


def _line(line: str, record: records.Json) -> Item:
    return Item(lambda: iter((line,)), lambda: record)


def _gathered(gather: Callable[[], _T], lines: Callable[[_T], Iterator[str]], record: Callable[[_T], Any]) -> Item:
    return Item(lambda: lines(gather()), lambda: record(gather()))


def _execution(head: ExecutionHead) -> Item:
    return _line(text.execution_line(head), records.execution_json(head))


def _execution_detail(scope: Scope, execution: ExecutionView) -> Item:
    store = scope.store

    def lines() -> Iterator[str]:
        jobs = ((depth, outline_job(store, execution, row)) for depth, row in execution.iter_tree())
        return text.execution_lines(execution, jobs, detail.list_tags(store, execution))

    def record() -> records.Json:
        jobs = [
            {**records.job_json(view_job(store, execution, row)), "depth": depth}
            for depth, row in execution.iter_tree()
        ]
        return records.execution_detail_json(execution, detail.list_tags(store, execution), jobs)

    return Item(lines, record)


def _job(scope: Scope, found: FoundJob) -> Item:
    asked = scope.store, found.execution, found.row
    return Item(lambda: iter((text.job_line(outline_job(*asked)),)), lambda: records.job_json(view_job(*asked)))


def _job_detail(scope: Scope, found: FoundJob) -> Item:
    return _gathered(lambda: detail.describe_job(scope.store, found), text.job_lines, records.job_detail_json)


def _task_detail(scope: Scope, oid: Oid) -> Item:
    return _gathered(lambda: detail.describe_task(scope, oid), text.task_detail_lines, records.task_detail_json)


def _file(file: FileView) -> Item:
    return _line(text.file_line(file), records.file_json(file))


def _file_detail(scope: Scope, oids: tuple[Oid, ...]) -> Item:
    return _gathered(lambda: detail.describe_file(scope, oids), text.file_lines, records.file_detail_json)


def _explain_object(scope: Scope, oid: Oid, kind: int | None) -> Item:
    if kind == Kind.EXECUTION:
        return _execution_detail(scope, load_from_object(scope.store, oid))
    if kind == Kind.TASK:
        return _task_detail(scope, oid)
    if kind == Kind.FILE:
        return _file_detail(scope, (oid,))
    if kind == Kind.VALUE:
        return _gathered(lambda: detail.describe_value(scope, oid), text.value_lines, records.value_detail_json)
    if kind == Kind.EVAL:
        return _gathered(lambda: detail.describe_eval(scope.store, oid), text.eval_lines, records.eval_detail_json)
    if kind == Kind.CALL:
        return _explain_call(scope, oid)
    return _gathered(lambda: show_object(scope.store, oid), show_text.object_lines, show_text.object_json)


def _explain_call(scope: Scope, oid: Oid) -> Item:
    """A call is told by the newest job that made it, where one is in sight."""
    found = detail.describe_call(scope, oid)
    if isinstance(found, detail.JobDetail):
        return Item(lambda: text.job_lines(found), lambda: records.job_detail_json(found))
    return Item(lambda: text.call_lines(found), lambda: records.call_detail_json(found))
