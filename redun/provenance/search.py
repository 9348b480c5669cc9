"""Finding executions, jobs, tasks and uses of values, newest first.

The invariant: a search reads no more executions than its scope allows, and one that is damaged is told through
``on_problem`` and passed over, so that one bad object does not hide the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from redun.errors import ObjectError, RefError
from redun.hashing import Oid
from redun.objects.execution_records import JobRow, JobStatus
from redun.objects.kinds import Kind
from redun.objects.task_records import TaskRecord
from redun.provenance.executions import ExecutionHead, ExecutionView, IsAlive, head_of, load_execution, load_from_head
from redun.provenance.tags import TagBook, has_tags
from redun.provenance.values import get_call, get_eval
from redun.store.base import ObjectStore
from redun.store.refs import Refs
from redun.tags import Tag

OnProblem = Callable[[str], None]
"""Is told what could not be read."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What to keep; an empty tuple keeps all.  Patterns are those of a shell: ``*``, ``?``, ``[...]``."""

    execution_ids: tuple[str, ...] = ()  # prefixes
    execution_statuses: tuple[str, ...] = ()
    job_statuses: tuple[str, ...] = ()
    task_names: tuple[str, ...] = ()  # patterns of full names
    file_paths: tuple[str, ...] = ()  # patterns of paths
    tags: tuple[Tag, ...] = ()  # each of them must be there; ANY_VALUE fits every value of its key
    execution_tags: tuple[Tag, ...] = ()  # the same, of the execution

    def keeps_head(self, head: ExecutionHead) -> bool:
        """Judge an execution by its ref."""
        is_status = not self.execution_statuses or head.status.value in self.execution_statuses
        return is_status and (not self.execution_ids or head.id.startswith(self.execution_ids))

    def keeps_row(self, execution: ExecutionView, row: JobRow) -> bool:
        """Judge a job by its row."""
        is_status = not self.job_statuses or execution.state_of(row).value in self.job_statuses
        return is_status and self.keeps_task(row.task)

    def keeps_task(self, fullname: str) -> bool:
        """Judge a task by its name."""
        return not self.task_names or any(fnmatchcase(fullname, pattern) for pattern in self.task_names)

    def keeps_path(self, path: str) -> bool:
        """Judge a file by its path."""
        return not self.file_paths or any(fnmatchcase(path, pattern) for pattern in self.file_paths)

    @property
    def needs_rows(self) -> bool:
        """Whether judging an execution takes its jobs."""
        return bool(self.job_statuses or self.task_names)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to search: the newest ``limit`` executions of a repository (None: all), or those of the refs ``names``."""

    store: ObjectStore
    refs: Refs
    limit: int | None
    is_alive: IsAlive | None = None
    on_problem: OnProblem = lambda _text: None
    names: tuple[str, ...] | None = None
    book: TagBook | None = None  # made when not given

    @property
    def tags(self) -> TagBook:
        """The tags of the repository; those of one scope are read once."""
        if self.book is None:
            object.__setattr__(self, "book", TagBook(self.store, self.refs))
        assert self.book is not None, "it was made just now"
        return self.book

    def keeps_execution(self, filters: Filters, head: ExecutionHead) -> bool:
        """Judge an execution by its ref and, when that is asked, by its tags."""
        if not filters.keeps_head(head):
            return False
        return not filters.execution_tags or has_tags(self.tags.of_execution(head), filters.execution_tags)

    def keeps_object(self, filters: Filters, oid: Oid) -> bool:
        """Judge a task, call, value or file by its tags."""
        return not filters.tags or has_tags(self.tags.of_object(oid), filters.tags)

    def iter_heads(self, limit: int | None = None) -> Iterator[ExecutionHead]:
        """Yield what the refs tell, newest first; ``limit`` counts those that can be read."""
        count = 0
        names = list(self.refs.iter_names() if self.names is None else self.names)
        self.refs.prefetch(names if limit is None else names[:limit])
        for name in names:
            if limit is not None and count >= limit:
                return
            try:
                yield head_of(self.refs.read(name), is_alive=self.is_alive)
            except RefError as error:
                self.on_problem(str(error))
                continue
            count += 1

    def iter_executions(self, filters: Filters | None = None) -> Iterator[ExecutionView]:
        """Yield the executions of the scope with their jobs, newest first; those whose refs the filters keep."""
        for head in self.iter_heads(self.limit):
            if filters is not None and not self.keeps_execution(filters, head):
                continue
            execution = self.load(head)
            if execution is not None:
                yield execution

    def get(self, name: str) -> ExecutionView:
        """Load the execution of a ref; raises RefError and ObjectError as ``load_execution`` does."""
        return load_execution(self.store, self.refs, name, is_alive=self.is_alive)

    def load(self, head: ExecutionHead) -> ExecutionView | None:
        """Load one execution; None, and a word to ``on_problem``, when it cannot be read."""
        try:
            return load_from_head(self.store, head)
        except ObjectError as error:
            self.on_problem(f"execution {head.id[:8]} cannot be read: {error}")
            return None


@dataclass(frozen=True, slots=True)
class FoundJob:
    """A job and the execution that it belongs to."""

    execution: ExecutionView
    row: JobRow


def search_heads(scope: Scope, filters: Filters) -> Iterator[ExecutionHead]:
    """Yield the executions that the filters keep, newest first, at most ``scope.limit`` of them."""
    count = 0
    for head in scope.iter_heads():
        if scope.limit is not None and count >= scope.limit:
            return
        if not scope.keeps_execution(filters, head):
            continue
        if filters.tags and not has_tags(scope.tags.of_execution(head), filters.tags):
            continue
        if filters.needs_rows:
            execution = scope.load(head)
            if execution is None or not any(filters.keeps_row(execution, row) for row in execution.rows):
                continue
        count += 1
        yield head


def search_jobs(scope: Scope, filters: Filters) -> Iterator[FoundJob]:
    """Yield the jobs that the filters keep, the newest execution first and its jobs by number."""
    for execution in scope.iter_executions(filters):
        for row in execution.rows:
            if not filters.keeps_row(execution, row):
                continue
            if not filters.tags or has_tags(scope.tags.of_job(execution, row.number), filters.tags):
                yield FoundJob(execution, row)


def search_tasks(scope: Scope, filters: Filters) -> Iterator[tuple[Oid, TaskRecord]]:
    """Yield every task on record that the filters keep, the last sealed first; a damaged one is passed over."""
    for oid, _ in scope.store.iter_oids(Kind.TASK):
        try:
            record = TaskRecord.decode(scope.store.get_node(oid))
        except ObjectError:
            continue
        if filters.keeps_task(record.fullname) and scope.keeps_object(filters, oid):
            yield oid, record


def find_job_of_call(scope: Scope, call: Oid) -> FoundJob | None:
    """Return the newest job that made a call; else the newest that was answered with it; else None."""
    replayed: FoundJob | None = None
    for execution in scope.iter_executions():
        for row in execution.rows:
            if row.outcome == call and row.status is not JobStatus.FAILED:
                if row.status is not JobStatus.CACHED:
                    return FoundJob(execution, row)
                replayed = replayed or FoundJob(execution, row)
    return replayed


def find_jobs_of_task(scope: Scope, task: Oid) -> Iterator[FoundJob]:
    """Yield the jobs whose eval asks a task of this very hash."""
    for execution in scope.iter_executions():
        for row in execution.rows:
            if row.eval is not None and _task_of(scope.store, row.eval) == task:
                yield FoundJob(execution, row)


def find_uses(scope: Scope, value: Oid) -> Iterator[tuple[FoundJob, bool]]:
    """Yield the jobs that returned a value (True) or were given it as an argument (False)."""
    for execution in scope.iter_executions():
        for row in execution.rows:
            found = FoundJob(execution, row)
            try:
                if _returns(scope.store, row, value):
                    yield found, True
                if row.eval is not None and value in get_eval(scope.store, row.eval).args:
                    yield found, False
            except ObjectError:
                continue


def _returns(store: ObjectStore, row: JobRow, value: Oid) -> bool:
    if row.outcome is None or row.status is JobStatus.REDUCED:
        return False
    if row.status is JobStatus.FAILED:
        return row.outcome == value
    return get_call(store, row.outcome).result == value


def _task_of(store: ObjectStore, eval_oid: Oid) -> Oid | None:
    try:
        return get_eval(store, eval_oid).task
    except ObjectError:
        return None
