"""Why a job runs: what differs from the nearest earlier call of its task.

Looking is bounded: the tasks on record are read once per run, and arguments are compared with those of the last batches
of jobs only, for tasks with few calls in them.  A job of a cold run pays two dictionary look-ups.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from redun.errors import RedunError
from redun.objects.call_records import EvalRecord
from redun.objects.execution_records import JobsRecord
from redun.objects.kinds import Kind
from redun.objects.task_records import TaskRecord, UnitRecord
from redun.store.base import ObjectStore
from redun.task.closure import describe_changes, diff_records

if TYPE_CHECKING:
    from redun.scheduler.job import Job
    from redun.scheduler.record import Recorder
    from redun.task.task import Task
    from redun.value.encoding import Encoded

MAX_TASKS_READ = 5000
MAX_BATCHES_READ = 50
MAX_ROWS_READ = 1000
"""A short run leaves several small batches, a long one batches of this many rows."""
MAX_CALLS_COMPARED = 20


class Reasons:
    """Explains the misses of one execution."""

    def __init__(self, store: ObjectStore, recorder: Recorder) -> None:
        self._store = store
        self._recorder = recorder
        self._code: dict[str, str] = {}
        self._versions: dict[str, TaskRecord] | None = None
        self._evals: dict[str, list[EvalRecord]] | None = None

    def explain(self, job: Job, args: list[Encoded]) -> str:
        """Return what made a job run, or an empty string when nothing earlier is like it.  Never raises."""
        name = job.task.fullname
        try:
            known = self._code.get(name)
            if known is None:
                known = self._code[name] = self._explain_code(job.task)
            return known or self._explain_arguments(name, job, args)
        except RedunError:
            # A damaged object must not stop a run that only wanted to tell why.
            return ""

    def explain_dryrun(self, job: Job, args: list[Encoded]) -> str:
        """Return why a job would run, in every case: what ``explain`` finds, or what of the call is new."""
        try:
            known = self.explain(job, args)
            is_new = self._recorder.put_task(job.task) in self._recorder.new_tasks
            if not is_new:
                return known or self._explain_outcome(job)
            earlier = self._last_evals().get(job.task.fullname)
            oids = [arg.oid for arg in args]
            if not earlier or any(record.args == oids for record in earlier):
                return known or "new task"
            return f"{known or 'new task'}, and new arguments"
        except RedunError:
            return "unknown"

    def _explain_outcome(self, job: Job) -> str:
        """Tell why a task that is on record as it is has no result for a call."""
        if job.eval is None or not job.facts.is_recorded:
            return "unknown"
        return "no result on record" if self._store.has(job.eval) else "new arguments"

    def _explain_code(self, task: Task[..., Any]) -> str:
        if self._recorder.put_task(task) not in self._recorder.new_tasks:
            return ""
        newest = self._task_versions().get(task.fullname)
        if newest is None:
            return ""
        units = {}
        for unit_oid in newest.units:
            unit = UnitRecord.decode(self._store.get_node(unit_oid))
            units[unit.name] = unit
        return describe_changes(diff_records(newest, units, task))

    def _explain_arguments(self, name: str, job: Job, args: list[Encoded]) -> str:
        earlier = self._last_evals().get(name)
        if not earlier or len(earlier) > MAX_CALLS_COMPARED or job.eval is None:
            return ""
        oids = [arg.oid for arg in args]
        nearest = max(earlier, key=lambda record: sum(a == b for a, b in zip(record.args, oids)))
        if len(nearest.args) != len(oids):
            return "other number of arguments"
        changed = [str(n) for n, old, new in zip(nearest.names, nearest.args, oids) if old != new]
        return f"changed: {', '.join(changed)}" if changed else ""

    def _task_versions(self) -> dict[str, TaskRecord]:
        """Return the newest version of each task that was on record before this run."""
        if self._versions is None:
            self._versions = {}
            for count, (oid, _) in enumerate(self._store.iter_oids(Kind.TASK)):
                if count >= MAX_TASKS_READ:
                    break
                if oid not in self._recorder.new_tasks:
                    record = TaskRecord.decode(self._store.get_node(oid))
                    self._versions.setdefault(record.fullname, record)
        return self._versions

    def _last_evals(self) -> dict[str, list[EvalRecord]]:
        """Return the evals of the last batches of jobs on record, by task."""
        if self._evals is None:
            self._evals = {}
            n_rows = 0
            for oid, _ in islice(self._store.iter_oids(Kind.JOBS), MAX_BATCHES_READ):
                batch = JobsRecord.decode(self._store.get_node(oid))
                if batch.execution_id != self._recorder.execution_id:
                    self._read_batch(batch, self._evals)
                n_rows += len(batch.rows)
                if n_rows >= MAX_ROWS_READ:
                    break
        return self._evals

    def _read_batch(self, batch: JobsRecord, evals: dict[str, list[EvalRecord]]) -> None:
        for row in batch.rows:
            listed = evals.setdefault(row.task, [])
            # One more than are compared tells that there are too many.
            if row.number and row.eval is not None and len(listed) <= MAX_CALLS_COMPARED:
                listed.append(EvalRecord.decode(self._store.get_node(row.eval)))
