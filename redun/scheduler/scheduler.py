"""The scheduler: turns an expression into its value, once per ``run``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from redun.config import Config
from redun.executors.base import Executor
from redun.executors.handed import taken_back, work_of
from redun.executors.registry import get_executors_from_config, make_executor
from redun.expression import Expression, Result, TaskExpression
from redun.promise import Promise
from redun.scheduler.context import Context, check_context, merge_context
from redun.scheduler.current import get_current_scheduler, set_current_scheduler
from redun.scheduler.errors import NoCurrentScheduler, SchedulerError, Traceback
from redun.scheduler.execution import Execution
from redun.scheduler.homes import MemoryHome, RepositoryHome, home_of, home_of_dryrun
from redun.scheduler.job import Job
from redun.scheduler.logger import Logger, default_logger
from redun.scheduler.parts import RunOptions
from redun.scheduler.remote_results import Lookups
from redun.scheduler.run import Run
from redun.scheduler.status import StatusCounts
from redun.section import Section
from redun.store.base import ObjectStore
from redun.store.repository import Repository
from redun.tags import Tag, check_tags
from redun.task.registry import get_task_registry

MAX_TASKS_LISTED = 10


def now_us() -> int:
    """Return microseconds since 1970 UTC."""
    return time.time_ns() // 1000


class Scheduler:
    """Evaluates expressions; runs jobs on executors; records what it does in a store."""

    def __init__(
        self,
        config: Config | Mapping[str, Any] | None = None,
        backend: Repository | ObjectStore | MemoryHome | RepositoryHome | None = None,
        executor: Executor | None = None,
        *,
        logger: Logger | None = None,
        use_task_traceback: bool = True,
        job_status_interval: float | None = None,
        migrate: bool | None = None,  # noqa: ARG002  (as users know it)
        clock: Callable[[], int] = now_us,
    ) -> None:
        """Make a scheduler; without ``backend`` everything stays in memory.

        Args:
            config: settings; sections ``scheduler``, ``files``, ``limits`` and ``executors`` are read.
            backend: where to look calls up and to record: a repository, or any store.
            executor: the ``default`` executor, in place of the configured one.
            logger: where lines about jobs go; None: the logger ``redun`` of the ``logging`` module.
            use_task_traceback: whether the log shows the way to an error task by task; else as Python does.
            migrate: taken and without effect: the store has no versions to migrate between.
            job_status_interval: seconds between status tables; 0 or less for none.
            clock: microseconds since 1970 UTC.
        """
        self.config = config if isinstance(config, Config) else Config(dict(config or {}))
        self.logger: Logger = logger or default_logger()
        self.home = home_of(backend)
        self.use_task_traceback = use_task_traceback
        self.clock = clock
        self._settings = self.config.scheduler
        interval = self._settings.job_status_interval_seconds if job_status_interval is None else job_status_interval
        self.interval_seconds = float(interval)
        self.limits = self.config.limits
        self.executors: dict[str, Executor] = {
            "default": executor or make_executor("default", {}),
            "process": make_executor("process", {"mode": "process"}),
        }
        given = {"default"} if executor is not None else set()
        sections = {name: section for name, section in self._executor_sections().items() if name not in given}
        self.executors.update((made.name, made) for made in get_executors_from_config(sections))
        for made in self.executors.values():
            made.set_scheduler(self)
        self._running = threading.Lock()
        self._counts = StatusCounts()
        self._active: Run | None = None
        self._has_warned = False
        self._uses_cache = True
        self.lookups: Lookups | None = None
        """Where results are looked for that the store does not have; whoever makes one closes it."""

    def _executor_sections(self) -> Mapping[str, Section]:
        if self.config.find_text(("scheduler",), "federated_configs") is None:
            return self.config.executors
        from redun.scheduler.federation import executors_of  # few projects call those of others

        return executors_of(self.config)

    @property
    def backend(self) -> ObjectStore:
        """The store that calls are looked up in and recorded to."""
        return self.home.store

    @property
    def is_running(self) -> bool:
        """Whether a run is going on."""
        return self._running.locked()

    def load(self, migrate: bool | None = None) -> None:
        """Do nothing: a scheduler is ready once it is made.  ``migrate`` is without effect, as in the constructor."""

    def set_cache(self, cache: bool) -> None:
        """Say whether results of earlier executions may serve, in this run, if one goes on, and in later ones."""
        self._uses_cache = cache
        if self._active is not None:
            self._active.reducer.set_cache(cache)

    def add_executor(self, executor: Executor) -> None:
        """Add an executor under its name."""
        self.executors[executor.name] = executor
        executor.set_scheduler(self)

    def log(self, *messages: object) -> None:
        """Write one line about the run."""
        self.logger.info(" ".join(map(str, messages)))

    def get_job_status_report(self) -> list[str]:
        """Return the lines of the status table of the current run, or of the last one."""
        return self._counts.lines(self.clock())

    def run(
        self,
        expr: Expression[Result] | Result,
        exec_argv: Sequence[str] | None = None,
        *,
        dryrun: bool = False,
        cache: bool = True,
        keep_going: bool = False,
        context: Mapping[str, Any] | None = None,
        execution_id: str | None = None,
        tags: Iterable[Tag] = (),
    ) -> Result:
        """Evaluate an expression and return its value; plain values come back as they are.

        Args:
            expr: the expression.
            exec_argv: what to show as the command line of this execution.
            dryrun: look up, and run, record and restore nothing.
            cache: whether results of earlier executions may serve.
            keep_going: after a failure, go on with whatever does not depend on it.
            context: what ``get_context`` finds, over what the settings say.
            execution_id: the UUID to run under; a new one when not given.
            tags: keys and values to tag the execution with, beside those of ``[tags]``.

        Raises:
            BadTag: a key or a value cannot be a tag's.
            SchedulerError: a run is going on already.
            Interrupted: Ctrl-C or SIGTERM; what had finished is recorded.
            DryRunResult: a dry run came to a job that would have to run.
            Exception: whatever the first failing task raised, with ``redun_traceback`` set.
        """
        if not self._running.acquire(blocking=False):
            raise SchedulerError("this scheduler is running already", hint="make another Scheduler")
        try:
            merged = merge_context(merge_context(None, self.config.context), check_context(context))
            options = RunOptions(cache and self._uses_cache, dryrun, keep_going, merged)
            value: Result = self._run(expr, exec_argv, options, execution_id, tags)
            return value
        finally:
            self._running.release()

    def _run(
        self,
        expr: Any,
        argv: Sequence[str] | None,
        options: RunOptions,
        execution_id: str | None,
        tags: Iterable[Tag],
    ) -> Any:
        # Globals may have been bound anew since the last run, as in a notebook: no hash outlives a run.
        get_task_registry().forget_hashes()
        self._warn_of_namespaces()
        execution = self.begin_execution(argv or ["scheduler.run", _title(expr)], options, execution_id, tags)
        return self.drive(Run(self, execution, options), expr)

    def begin_execution(
        self, argv: Sequence[str], options: RunOptions, execution_id: str | None = None, tags: Iterable[Tag] = ()
    ) -> Execution:
        """Return a new execution where this scheduler keeps them; nothing of it is written yet."""
        home = home_of_dryrun(self.backend) if options.is_dryrun else self.home
        return Execution(home, argv, self.clock, execution_id, [*self.config.tags.items(), *tags])

    def drive(self, run: Run, expr: Any) -> Any:
        """Take a run to its end in this thread, as its current scheduler; return the value."""
        self._active, self._counts = run, run.counts
        before = get_current_scheduler(required=False)
        set_current_scheduler(self)
        try:
            return run.evaluate(expr)
        finally:
            self._active = None
            set_current_scheduler(before)

    def extend_run(
        self,
        expr: Any,
        parent_job_id: str,
        dryrun: bool = False,
        cache: bool = True,
        context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Evaluate an expression below a job that is there already, and add what runs to its execution.

        The job is the one that calls this, or any job of an execution on record that has ended.

        Args:
            expr: the expression.
            parent_job_id: the id of the job, in full.
            dryrun: look up, and run, record and restore nothing.
            cache: whether results of earlier executions may serve.
            context: what ``get_context`` finds, over the context of the job if that is running.

        Returns:
            ``job_id`` and ``call_hash`` (hex digits) of the last job directly below, None where there is none, and one
            of ``result``, ``error`` (the exception) and ``dryrun`` (True: there are jobs that would have to run).

        Raises:
            UnknownJob: no such job is to be found, or its execution has not ended.
            SchedulerError: a run is going on already.
        """
        from redun.scheduler.reopen import extend_run

        if not self._running.acquire(blocking=False):
            raise SchedulerError("this scheduler is running already", hint="make another Scheduler")
        try:
            return extend_run(
                self, expr, parent_job_id, RunOptions(cache, dryrun, context=merge_context(None, context))
            )
        finally:
            self._running.release()

    # -- for scheduler tasks and executors, while a run goes on

    def flush(self) -> None:
        """Hand what has finished to the store, so that others find it; only from the scheduler's thread."""
        self.current_run().flush()

    def evaluate(self, expr: Any, parent_job: Job | None = None) -> Promise[Any]:
        """Return a promise of the value of a part; calls in it stand below ``parent_job``.

        From the scheduler's thread the evaluation begins at once, from any other as soon as that thread can.

        Raises:
            NoCurrentScheduler: no run is going on.
        """
        return self.current_run().evaluate_part(expr, parent_job)

    def do_soon(self, step: Callable[[], None]) -> None:
        """Do something in the scheduler's thread, from any thread.  Raises NoCurrentScheduler without a run."""
        self.current_run().loop.do_soon(step)

    def do_later(self, seconds: float, step: Callable[[], None]) -> None:
        """Do something after some time, from the scheduler's thread.  Raises as ``do_soon`` does."""
        self.current_run().loop.do_later(seconds, step)

    def context_of(self, job: Job | None) -> Context | None:
        """Return the context of a job, or of the whole run; None when there is nothing in it."""
        return self.current_run().context if job is None else job.context

    def forbid_reuse(self, job: Job | None) -> None:
        """Note that the value of a job depends on more than its calls: a call above it is not reused in one step."""
        if job is not None:
            self.current_run().reducer.forbid_reuse(job)

    def note_caught(self, error: BaseException) -> None:
        """Note that an error was dealt with: it is not what the run fails of."""
        self.current_run().failures.note_caught(error)

    def done_job(self, job: Job, result: Any, job_tags: Iterable[Tag] = ()) -> None:
        """Hand in what a job's function returned; for executors that do not call ``job.run``, from any thread.

        Raises:
            BadTag: a key or a value cannot be a tag's.
            NoCurrentScheduler: no run is going on.
        """
        self.add_job_tags(job, job_tags)  # first: where a tag is refused, the job can still be rejected
        work = taken_back(job)
        if work is not None:
            self.current_run().hand_in(work, result)

    def reject_job(
        self,
        job: Job | None,
        error: BaseException,
        error_traceback: TracebackType | Traceback | None = None,
        job_tags: Iterable[Tag] = (),
    ) -> None:
        """Hand in what a job's function raised, as ``done_job`` does its result.  Without a job, the run fails."""
        if job is None:
            run = self.current_run()
            run.loop.do_soon(lambda: run.give_up(error))
            return
        self.add_job_tags(job, job_tags)
        work = taken_back(job)
        if work is not None:
            work.error, work.traceback = error, error_traceback or error.__traceback__
            self.current_run().loop.take_back(work)

    def add_job_tags(self, job: Job, tags: Iterable[Tag]) -> None:
        """Tag a job, from any thread; one that leaves no trace gets none.

        Raises:
            BadTag: a key or a value cannot be a tag's.
            NoCurrentScheduler: no run is going on.
        """
        work = work_of(job)
        if work is not None:
            self.current_run().add_job_tags(work, tags)

    def record_tags(
        self,
        value: Any,
        parent_job: Job | None,
        *,
        tags: Iterable[Tag] = (),
        job_tags: Iterable[Tag] = (),
        execution_tags: Iterable[Tag] = (),
    ) -> None:
        """Tag a value, the job that it is evaluated in, and the execution; only from the scheduler's thread.

        Nothing is recorded for a job that leaves no trace.  Raises as ``add_job_tags`` does, and ValueNotEncodable.
        """
        run = self.current_run()
        of_value, of_job, of_execution = (check_tags(some) for some in (tags, job_tags, execution_tags))
        if parent_job is not None and not parent_job.facts.is_recorded:
            return
        if of_value:
            run.tags.tag_python_value(value, of_value)
        if of_job and parent_job is not None:
            run.tags.tag_job(parent_job.number, of_job)
        run.tags.tag_execution(of_execution)

    def warns_of(self, what: str) -> bool:
        """Return whether ``[scheduler] ignore_warnings`` lets a kind of warning pass."""
        return what not in self._settings.ignore_warnings

    def current_run(self) -> Run:
        """Return the run that goes on.  Raises NoCurrentScheduler when there is none."""
        if self._active is None:
            raise NoCurrentScheduler("this scheduler is not running")
        return self._active

    def _warn_of_namespaces(self) -> None:
        """Warn once of tasks without a namespace: two projects that share a store would take each other's names."""
        if self._has_warned or not self.warns_of("namespace"):
            return
        self._has_warned = True
        places = [_place(task.func, task.name) for task in get_task_registry() if not task.is_namespace_given]
        if places:
            listed = ", ".join(places[:MAX_TASKS_LISTED]) + (", ..." if len(places) > MAX_TASKS_LISTED else "")
            text = f"tasks without a namespace: {listed}; set redun_namespace in their module"
            self.logger.warning(text)


def _place(func: Callable[..., Any], name: str) -> str:
    code = getattr(func, "__code__", None)
    return name if code is None else f"{code.co_filename.rpartition('/')[2]}:{name}"


def _title(expr: Any) -> str:
    return repr(expr)[:200] if isinstance(expr, TaskExpression) else type(expr).__name__
