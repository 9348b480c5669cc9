"""The scheduler: turns an expression into its value, once per ``run``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Protocol

from redun.config import Config
from redun.executors.base import Executor
from redun.executors.registry import make_executor
from redun.expression import TaskExpression
from redun.expression_codec import encode_expression, is_concrete
from redun.hashing import Oid
from redun.objects.kinds import ExecutionStatus, Kind, encode_eval
from redun.promise import Promise
from redun.scheduler.cache import Cache
from redun.scheduler.context import Context, merge_context
from redun.scheduler.current import set_current_scheduler
from redun.scheduler.errors import DryRunResult, Interrupted, NoCurrentScheduler, SchedulerError, TaskExited
from redun.scheduler.execution import Execution
from redun.scheduler.failure import Failures
from redun.scheduler.form_calls import PromiseWaiter
from redun.scheduler.homes import home_of, home_of_dryrun
from redun.scheduler.interrupts import on_interrupt
from redun.scheduler.job import Caller, Job
from redun.scheduler.loop import Loop, Root
from redun.scheduler.plan import Plan
from redun.scheduler.produced import FileKeeper
from redun.scheduler.reasons import Reasons
from redun.scheduler.reduce import Parts, Reducer, RunOptions
from redun.scheduler.root import root_task
from redun.scheduler.runlog import RunLog
from redun.scheduler.status import StatusCounts
from redun.store.base import ObjectStore
from redun.store.repository import Repository
from redun.tags import Tag
from redun.task.registry import get_task_registry
from redun.value.encoding import Encoded, encode_value


class Logger(Protocol):
    """Where a run's lines go: a ``logging.Logger`` will do.

    One whose attribute ``takes_lines`` is true is given several lines at once, where they may wait for each other.
    """

    def info(self, msg: str) -> None:
        """Take one line."""

    def warning(self, msg: str) -> None:
        """Take one line that says what may be wrong."""


MAX_TASKS_LISTED = 10


def now_us() -> int:
    """Return microseconds since 1970 UTC."""
    return time.time_ns() // 1000


class Scheduler:
    """Evaluates expressions; runs jobs on executors; records what it does in a store."""

    def __init__(
        self,
        config: Config | Mapping[str, Any] | None = None,
        backend: Repository | ObjectStore | None = None,
        executor: Executor | None = None,
        *,
        logger: Logger | None = None,
        job_status_interval: float | None = None,
        clock: Callable[[], int] = now_us,
    ) -> None:
        """Make a scheduler; without ``backend`` everything stays in memory.

        Args:
            config: settings; sections ``scheduler``, ``files``, ``limits`` and ``executors`` are read.
            backend: where to look calls up and to record: a repository, or any store.
            executor: the ``default`` executor, in place of the configured one.
            logger: where lines about jobs go; None: the logger ``redun`` of the ``logging`` module.
            job_status_interval: seconds between status tables; 0 or less for none.
            clock: microseconds since 1970 UTC.
        """
        self.config = config if isinstance(config, Config) else Config(dict(config or {}))
        self.logger: Logger = logger or _default_logger()
        self._home = home_of(backend)
        self._clock = clock
        self._settings = self.config.scheduler
        interval = self._settings.job_status_interval_seconds if job_status_interval is None else job_status_interval
        self._interval_seconds = float(interval)
        self.limits = self.config.limits
        self.executors: dict[str, Executor] = {"default": executor or make_executor("default", {})}
        for name, section in self.config.executors.items():
            if name != "default" or executor is None:
                self.executors[name] = make_executor(name, section)
        self._running = threading.Lock()
        self._counts = StatusCounts()
        self._active: _Run | None = None
        self._has_warned = False

    @property
    def backend(self) -> ObjectStore:
        """The store that calls are looked up in and recorded to."""
        return self._home.store

    @property
    def is_running(self) -> bool:
        """Whether a run is going on."""
        return self._running.locked()

    def add_executor(self, executor: Executor) -> None:
        """Add an executor under its name."""
        self.executors[executor.name] = executor

    def log(self, *messages: object) -> None:
        """Write one line about the run."""
        self.logger.info(" ".join(map(str, messages)))

    def get_job_status_report(self) -> list[str]:
        """Return the lines of the status table of the current run, or of the last one."""
        return self._counts.lines(self._clock())

    def run(
        self,
        expr: Any,
        exec_argv: Sequence[str] | None = None,
        *,
        dryrun: bool = False,
        cache: bool = True,
        keep_going: bool = False,
        context: Mapping[str, Any] | None = None,
        execution_id: str | None = None,
        tags: Iterable[Tag] = (),
    ) -> Any:
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
            merged = merge_context(merge_context(None, self.config.context), context)
            return self._run(expr, exec_argv, RunOptions(cache, dryrun, keep_going, merged), execution_id, tags)
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
        home = home_of_dryrun(self.backend) if options.is_dryrun else self._home
        own_tags = [*self.config.tags.items(), *tags]
        execution = Execution(home, argv or ["scheduler.run", _title(expr)], self._clock, execution_id, own_tags)
        self._active = _Run(self, execution, options)
        try:
            return self._active.evaluate(expr)
        finally:
            self._active = None

    # -- for scheduler tasks and executors, while a run goes on

    def evaluate(self, expr: Any, parent_job: Job | None = None) -> Promise[Any]:
        """Return a promise of the value of a part; calls in it stand below ``parent_job``.

        From the scheduler's thread the evaluation begins at once, from any other as soon as that thread can.

        Raises:
            NoCurrentScheduler: no run is going on.
        """
        return self._run_now().evaluate_part(expr, parent_job)

    def do_soon(self, step: Callable[[], None]) -> None:
        """Do something in the scheduler's thread, from any thread.  Raises NoCurrentScheduler without a run."""
        self._run_now().loop.do_soon(step)

    def do_later(self, seconds: float, step: Callable[[], None]) -> None:
        """Do something after some time, from the scheduler's thread.  Raises as ``do_soon`` does."""
        self._run_now().loop.do_later(seconds, step)

    def context_of(self, job: Job | None) -> Context | None:
        """Return the context of a job, or of the whole run; None when there is nothing in it."""
        return self._run_now().context if job is None else job.context

    def forbid_reuse(self, job: Job | None) -> None:
        """Note that the value of a job depends on more than its calls: a call above it is not reused in one step."""
        if job is not None:
            self._run_now().reducer.forbid_reuse(job)

    def note_caught(self, error: BaseException) -> None:
        """Note that an error was dealt with: it is not what the run fails of."""
        self._run_now().failures.note_caught(error)

    def _run_now(self) -> _Run:
        if self._active is None:
            raise NoCurrentScheduler("this scheduler is not running")
        return self._active

    def _warn_of_namespaces(self) -> None:
        """Warn once of tasks without a namespace: two projects that share a store would take each other's names."""
        if self._has_warned or "namespace" in self._settings.ignore_warnings:
            return
        self._has_warned = True
        places = [_place(task.func, task.name) for task in get_task_registry() if not task.is_namespace_given]
        if places:
            listed = ", ".join(places[:MAX_TASKS_LISTED]) + (", ..." if len(places) > MAX_TASKS_LISTED else "")
            text = f"tasks without a namespace: {listed}; set redun_namespace in their module"
            self.logger.warning(text)


class _Run:
    """One call of ``Scheduler.run``."""

    def __init__(self, scheduler: Scheduler, execution: Execution, options: RunOptions) -> None:
        self._scheduler = scheduler
        self._execution = execution
        self._options = options
        self.context = options.context
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._root_call: TaskExpression[Any] = root_task(None)
        logger = scheduler.logger
        gathers = bool(getattr(logger, "takes_lines", False))
        self._log = RunLog(logger.info if _is_heard(logger) else None, gathers=gathers)
        self._plan: Plan[Job] = Plan(scheduler.limits)
        self._counts = scheduler._counts = StatusCounts()
        self.failures = Failures(self._log)
        self._thread = threading.get_ident()
        store = scheduler.backend
        cache = Cache(store, get_task_registry(), scheduler.logger.warning, restores=not options.is_dryrun)
        self.reducer = Reducer(
            Parts(
                execution_id=execution.raw_id,
                registry=get_task_registry(),
                executors=scheduler.executors,
                plan=self._plan,
                recorder=execution.recorder,
                cache=cache,
                counts=self._counts,
                log=self._log,
                reasons=Reasons(store, execution.recorder),
                failures=self.failures,
                keeper=FileKeeper(store, scheduler.config.files.keep_bytes),
                tags=execution.tags,
                scheduler=scheduler,
                options=options,
            )
        )
        self.loop = Loop(
            self._plan,
            execution.recorder,
            scheduler.executors.values(),
            self._queue,
            self._on_interval,
            scheduler._interval_seconds,
            before_wait=self._log.flush,
            flushes_each_job=scheduler.config.repository.durability == "job",
        )

    def evaluate(self, expr: Any) -> Any:
        scheduler = self._scheduler
        root = Root(lambda: None if self._options.keep_going else self._plan.stop())
        self._execution.begin()
        self._log.say(f"Start Execution {self._execution.id}:  {_command(self._execution.argv)}")
        for executor in scheduler.executors.values():
            executor.start(self._queue.put, self._set_up_thread)
        status = ExecutionStatus.FAILED
        try:
            with on_interrupt(self.loop.interrupt):
                self._start(expr, root)
                self.loop.run(self.reducer, root)
                status = self._status(root)
                self._plan.forget()
                self._end(status, root)
        except Exception:
            self._end_broken()
            raise
        finally:
            self._log.flush()
            for executor in scheduler.executors.values():
                executor.stop()
        return self._outcome(root)

    def _end_broken(self) -> None:
        """Keep what had finished when the machinery itself has failed, a full disk say."""
        with suppress(Exception):
            self._execution.end(ExecutionStatus.FAILED, None)

    def _start(self, expr: Any, root: Root) -> None:
        if type(expr) is TaskExpression and all(map(is_concrete, (*expr.args, *expr.kwargs.values()))):
            self._root_call = expr
            self.reducer.call(expr, None, root, 0)
            return
        task_oid = self._execution.recorder.put_task(root_task)
        eval_data = encode_eval(task_oid, [self._put_root(expr)], ["expr"])
        caller = Caller(root, 0, None, -1, self._root_call)
        self.reducer.start_root(root_task, caller, eval_data, expr)

    def evaluate_part(self, expr: Any, parent: Job | None) -> Promise[Any]:
        """Return a promise of a part's value, in whatever thread."""
        waiter = PromiseWaiter()

        def start() -> None:
            self.reducer.evaluator.start(expr, parent, waiter, 0)

        if threading.get_ident() == self._thread:
            start()
        else:
            self.loop.do_soon(start)
        return waiter.promise

    def _put_root(self, expr: Any) -> Oid:
        """Store what was to be evaluated, as the argument of the root task."""
        recorder = self._execution.recorder
        if is_concrete(expr):
            return recorder.put(encode_value(expr))
        encoded = encode_expression(expr)
        for value in encoded.values:
            recorder.put(value)
        return recorder.put(Encoded(encoded.oid, Kind.EXPRESSION, encoded.data, (), ()))

    def _status(self, root: Root) -> ExecutionStatus:
        if self.loop.interrupted_by is not None and not root.is_ended:
            return ExecutionStatus.INTERRUPTED
        return ExecutionStatus.FAILED if root.error is not None or not root.is_ended else ExecutionStatus.DONE

    def _end(self, status: ExecutionStatus, root: Root) -> None:
        self._execution.end(status, self._root_call.call_hash)
        self._show_status()
        if root.error is not None:
            self._log.say("*** Execution failed. Traceback (most recent task last):")
            for line in self.failures.traceback_of(root.error).lines():
                self._log.say(line)
            n_more = self.failures.n_uncaught - 1
            if n_more > 0:
                self._log.say(f"and {n_more} more failed, each for a reason of its own")
        seconds = (self._scheduler._clock() - self._execution.start_us) / 1e6
        self._log.say(f"Execution duration: {seconds:.2f} seconds")

    def _outcome(self, root: Root) -> Any:
        if root.error is not None:
            self.failures.mark(root.error)
        if isinstance(root.error, Exception):
            raise root.error
        if root.error is not None:
            # SystemExit or KeyboardInterrupt of user code in a thread: it ends the job, not the caller's process.
            raise TaskExited(root.error) from root.error
        if root.is_ended:
            return root.value
        if self.loop.interrupted_by is not None:
            raise Interrupted(self.loop.interrupted_by)
        if self._options.is_dryrun:
            raise DryRunResult("the dry run came to jobs that would have to run")
        raise SchedulerError("the run came to a halt with jobs that nothing can start")

    def _on_interval(self) -> None:
        self._execution.touch()
        self._show_status()

    def _show_status(self) -> None:
        for line in self._scheduler.get_job_status_report():
            self._log.say(line)

    def _set_up_thread(self) -> None:
        set_current_scheduler(self._scheduler)


class _StandardLogger:
    """The logger ``redun`` of the ``logging`` module."""

    def __init__(self) -> None:
        import logging

        self._logger = logging.getLogger("redun")
        self.is_heard = self._logger.isEnabledFor(logging.INFO)

    def info(self, msg: str) -> None:
        self._logger.info("%s", msg)

    def warning(self, msg: str) -> None:
        self._logger.warning("%s", msg)


def _default_logger() -> Logger:
    return _StandardLogger()


def _is_heard(logger: Logger) -> bool:
    return bool(getattr(logger, "is_heard", True))


def _place(func: Callable[..., Any], name: str) -> str:
    code = getattr(func, "__code__", None)
    return name if code is None else f"{code.co_filename.rpartition('/')[2]}:{name}"


def _command(argv: Sequence[str]) -> str:
    return " ".join(argv)


def _title(expr: Any) -> str:
    return repr(expr)[:200] if isinstance(expr, TaskExpression) else type(expr).__name__
