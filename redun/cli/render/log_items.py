"""What `redun log` prints, one item each, in both forms: lines for people, a record for scripts.

The invariant: an item reads its objects when one of its forms is asked for, not before, so that counting items costs
no reading and a pager left early ends the work early.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from redun.cli.render import log as text
from redun.cli.render import log_json as records
from redun.cli.render import show as show_text
from redun.cli.render.tags import tag_suffix, tags_json
from redun.hashing import Oid
from redun.objects.execution_records import RunSubject
from redun.objects.ids import format_id
from redun.objects.kinds import Kind
from redun.objects.task_records import TaskRecord
from redun.provenance import detail
from redun.provenance.executions import ExecutionHead, ExecutionView, load_from_object
from redun.provenance.files import FileView, list_files, view_versions
from redun.provenance.jobs import outline_job, view_job
from redun.provenance.resolve import Resolved, Subject
from redun.provenance.search import Filters, FoundJob, Scope, search_heads, search_jobs, search_tasks
from redun.provenance.show import show_object
from redun.provenance.tags import TagView, has_tags
from redun.provenance.values import get_call, get_task, view_eval, view_value

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
        yield _execution(scope, head) if execution is None else _execution_detail(scope, execution)


def list_jobs(scope: Scope, filters: Filters, *, is_detailed: bool) -> Iterator[Item]:
    """Yield the jobs that the filters keep."""
    for found in search_jobs(scope, filters):
        yield _job_detail(scope, found) if is_detailed else _job(scope, found)


def list_tasks(scope: Scope, filters: Filters, *, is_detailed: bool) -> Iterator[Item]:
    """Yield the tasks that the filters keep, one item for each hash."""
    for oid, task in search_tasks(scope, filters):
        yield _task_detail(scope, oid) if is_detailed else _task(scope, oid, task)


def list_all_files(scope: Scope, filters: Filters, *, is_detailed: bool) -> Iterator[Item]:
    """Yield the newest version of each file that the filters keep, by path."""
    for file in list_files(scope.store, scope.iter_executions(filters)):
        if filters.keeps_path(file.path) and scope.keeps_object(filters, file.oid):
            yield _file_detail(scope, (file.oid,)) if is_detailed else _file(scope, file)


def list_tagged(scope: Scope, filters: Filters, *, is_detailed: bool) -> Iterator[Item]:
    """Yield whatever has the tags that the filters ask for, of any sort: executions and jobs first."""
    loaded: dict[bytes, ExecutionView | None] = {}
    is_of_runs = bool(scope.names or filters.execution_tags or filters.execution_ids)
    for subject, tags in scope.tags.iter_tagged():
        if not has_tags(tags, filters.tags):
            continue
        if not isinstance(subject, RunSubject):
            if is_of_runs:
                continue
            yield (
                _explain_object(scope, subject, scope.store.kind_of(subject))
                if is_detailed
                else _object(scope, subject)
            )
            continue
        if subject.execution_id not in loaded:
            loaded = {subject.execution_id: _load_own(scope, subject.execution_id)}  # the jobs of one stand together
        execution = loaded[subject.execution_id]
        if execution is None or not scope.keeps_execution(filters, execution.head):
            continue
        row = execution.by_number().get(subject.job_number)
        if not subject.job_number:
            yield _execution_detail(scope, execution) if is_detailed else _execution(scope, execution.head)
        elif row is not None and filters.keeps_row(execution, row):
            found = FoundJob(execution, row)
            yield _job_detail(scope, found) if is_detailed else _job(scope, found)


def _load_own(scope: Scope, execution_id: bytes) -> ExecutionView | None:
    """Load an execution by its id; None where it cannot be read, or is outside of the scope's names."""
    for name in scope.refs.find(format_id(execution_id)):
        if scope.names is None or name in scope.names:
            head = next(replace(scope, names=(name,)).iter_heads(), None)
            return None if head is None else scope.load(head)
    return None


LISTS: dict[str, Callable[..., Iterator[Item]]] = {
    "exec": list_executions,
    "job": list_jobs,
    "task": list_tasks,
    "file": list_all_files,
    "tagged": list_tagged,
}
"""The lists by name; *tagged* is of anything that has certain tags."""


def _line(line: str, record: records.Json, tags: Callable[[], Sequence[TagView]]) -> Item:
    """A line and its record, to both of which the tags are added."""
    return Item(
        lambda: iter((line + tag_suffix(tags()),)),
        lambda: {**record, "tags": tags_json(tags())},
    )


def _gathered(gather: Callable[[], _T], lines: Callable[[_T], Iterator[str]], record: Callable[[_T], Any]) -> Item:
    return Item(lambda: lines(gather()), lambda: record(gather()))


def _execution(scope: Scope, head: ExecutionHead) -> Item:
    return _line(text.execution_line(head), records.execution_json(head), lambda: scope.tags.of_execution(head))


def _execution_detail(scope: Scope, execution: ExecutionView) -> Item:
    store, book = scope.store, scope.tags

    def lines() -> Iterator[str]:
        jobs = (
            (depth, outline_job(store, execution, row), book.of_job(execution, row.number))
            for depth, row in execution.iter_tree()
        )
        return text.execution_lines(execution, jobs, book.of_execution(execution.head))

    def record() -> records.Json:
        jobs = [
            {
                **records.job_json(view_job(store, execution, row)),
                "tags": tags_json(book.of_job(execution, row.number)),
                "depth": depth,
            }
            for depth, row in execution.iter_tree()
        ]
        return records.execution_detail_json(execution, book.of_execution(execution.head), jobs)

    return Item(lines, record)


def _job(scope: Scope, found: FoundJob) -> Item:
    asked = scope.store, found.execution, found.row

    def tags() -> Sequence[TagView]:
        return scope.tags.of_job(found.execution, found.row.number)

    return Item(
        lambda: iter((text.job_line(outline_job(*asked)) + tag_suffix(tags()),)),
        lambda: {**records.job_json(view_job(*asked)), "tags": tags_json(tags())},
    )


def _job_detail(scope: Scope, found: FoundJob) -> Item:
    return _gathered(lambda: detail.describe_job(scope, found), text.job_lines, records.job_detail_json)


def _task_detail(scope: Scope, oid: Oid) -> Item:
    return _gathered(lambda: detail.describe_task(scope, oid), text.task_detail_lines, records.task_detail_json)


def _task(scope: Scope, oid: Oid, task: TaskRecord) -> Item:
    record = records.task_json(oid, task.fullname, task.version)
    return _line(text.task_line(oid, task.fullname), record, lambda: scope.tags.of_object(oid))


def _file(scope: Scope, file: FileView) -> Item:
    return _line(text.file_line(file), records.file_json(file), lambda: scope.tags.of_object(file.oid))


def _object(scope: Scope, oid: Oid) -> Item:
    """The line of a task, file, call or value that was found by its tags."""
    kind = scope.store.kind_of(oid)
    if kind == Kind.TASK:
        return _task(scope, oid, get_task(scope.store, oid))
    if kind == Kind.FILE:
        return _file(scope, view_versions(scope.store, scope.iter_executions(), [oid])[0])
    if kind == Kind.CALL:
        name = view_eval(scope.store, get_call(scope.store, oid).eval).fullname
        line, record = text.call_line(oid, name), records.object_json("call", oid, name)
    else:
        value = view_value(scope.store, oid)
        line, record = text.value_line(value), records.object_json("value", oid, value.text)
    return _line(line, record, lambda: scope.tags.of_object(oid))


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
