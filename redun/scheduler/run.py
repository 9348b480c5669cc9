"""One run: puts the parts of an execution together, drives it to its end, and says how it ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from redun.context import CONTEXT_OPTION
from redun.executors.registry import contract_of
from redun.expression import TaskExpression
from redun.expression_codec import encode_expression, is_concrete
from redun.hashing import Oid
from redun.objects.call_records import encode_eval
from redun.objects.execution_records import ExecutionStatus
from redun.objects.kinds import Kind
from redun.promise import Promise
from redun.scheduler.cache import Cache
from redun.scheduler.context import check_context
from redun.scheduler.current import set_current_scheduler
from redun.scheduler.errors import DryRunResult, Interrupted, SchedulerError, TaskExited
from redun.scheduler.execution import Execution
from redun.scheduler.extensions import Extensions
from redun.scheduler.failure import Failures
from redun.scheduler.form_calls import PromiseWaiter
from redun.scheduler.handles import Handles
from redun.scheduler.interrupts import on_interrupt
from redun.scheduler.job import Caller, Job
from redun.scheduler.logger import is_heard
from redun.scheduler.loop import Loop, Root
from redun.scheduler.option_names import OptionNames
from redun.scheduler.parts import Parts, RunOptions
from redun.scheduler.plan import Plan
from redun.scheduler.portal import Portal
from redun.scheduler.produced import FileKeeper
from redun.scheduler.reasons import Reasons
from redun.scheduler.reduce import Reducer
from redun.scheduler.remote_results import Lookups, RemoteResults
from redun.scheduler.retries import Retries
from redun.scheduler.root import root_task
from redun.scheduler.runlog import RunLog
from redun.scheduler.status import StatusCounts, is_debugged
from redun.scheduler.time_limits import TimedJob, TimeLimits
from redun.scheduler.trace_frames import python_lines
from redun.tags import Tag, check_tags
from redun.task.built import unnoted
from redun.task.registry import get_task_registry
from redun.value.encoding import Encoded, encode_value
from redun.value.stored import loaded

if TYPE_CHECKING:
    from redun.executors.base import Executor
    from redun.scheduler.async_jobs import AsyncJobs
    from redun.scheduler.extend import ExtendedExecution
    from redun.scheduler.scheduler import Scheduler


EXTENSIONS_SECONDS = 5.0
"""How long a run that is interrupted waits for those inside its jobs: each ends as soon as it looks at its queue."""


HEARTBEAT_SECONDS = 20.0
HEARTBEAT_MAX_SECONDS = 60.0
"""A run that others have not heard of for an hour counts as dead."""


def heartbeat_seconds(status_interval_seconds: float) -> float:
    """Return how often a run shows that it lives: with each status table, and also where there are few or none."""
    return min(status_interval_seconds, HEARTBEAT_MAX_SECONDS) if status_interval_seconds > 0 else HEARTBEAT_SECONDS


class Run:
    """One call of ``Scheduler.run``."""

    def __init__(self, scheduler: Scheduler, execution: Execution | ExtendedExecution, options: RunOptions) -> None:
        self._scheduler = scheduler
        self.execution = execution
        self.options = options
        self.context = options.context
        self.tags = execution.tags
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._root_call: TaskExpression[Any] = root_task(None)
        self._root = Root()
        self._shown_us = scheduler.clock()
        self._executors = {name: contract_of(executor) for name, executor in scheduler.executors.items()}
        logger = scheduler.logger
        gathers = bool(getattr(logger, "takes_lines", False))
        self._log = RunLog(logger.info if is_heard(logger) else None, gathers=gathers)
        self._plan: Plan[Job] = Plan(scheduler.limits)
        self.counts = StatusCounts()
        self.extensions = Extensions()
        self.threads: dict[Oid, Any] = {}  # what was forked, by the hash of its Thread
        self._thread = threading.get_ident()
        store = execution.store  # of a dry run, one that is written to in memory alone
        self.failures = Failures(self._log, store)
        warn = scheduler.logger.warning
        handles = Handles(store, execution.recorder, warn)
        keep_bytes = scheduler.config.files.keep_bytes
        cache = Cache(store, get_task_registry(), warn, handles.find_fault, restores=not options.is_dryrun)
        self.reducer = Reducer(
            Parts(
                execution_id=execution.raw_id,
                numbers=execution.numbers,
                registry=get_task_registry(),
                executors=self._executors,
                plan=self._plan,
                recorder=execution.recorder,
                cache=cache,
                counts=self.counts,
                log=self._log,
                reasons=Reasons(store, execution.recorder),
                failures=self.failures,
                keeper=FileKeeper(store, keep_bytes),
                portal=Portal(
                    store,
                    options.use_cache,
                    keep_bytes,
                    self.add_job_tags,
                    self._describe,
                    execution.labels,
                    execution.join,
                ),
                tags=execution.tags,
                handles=handles,
                submit_async=self._submit_async,
                retries=Retries(self._plan, execution.recorder, self.counts, self.failures, self._log, self._do_later),
                time_limits=TimeLimits(self._abandon, self._queue.put, self._do_later),
                option_names=OptionNames(self._executors, warn) if scheduler.warns_of("options") else None,
                scheduler=scheduler,
                options=options,
            )
        )
        self._async_jobs: AsyncJobs | None = None
        self.loop = Loop(
            self._plan,
            execution.recorder,
            self._executors.values(),
            self._queue,
            self._on_interval,
            heartbeat_seconds(scheduler.interval_seconds),
            before_wait=self._before_wait,
            warn=scheduler.logger.warning,
            flushes_each_job=scheduler.config.repository.durability == "job",
        )

    def _ask_remotes(self, lookups: Lookups) -> None:
        parts = (self.execution.store, self.execution.recorder, self.reducer.cache, self.reducer)
        self.reducer.remote = RemoteResults(lookups, *parts, keeps_files=not self.options.is_dryrun)

    def evaluate(self, expr: Any) -> Any:
        scheduler = self._scheduler
        if scheduler.lookups is not None:
            self._ask_remotes(scheduler.lookups)
        root = self._root = Root(lambda: None if self.options.keep_going else self._stop())
        self.execution.begin()
        self._announce()
        status = ExecutionStatus.FAILED
        try:
            for executor in self._executors.values():
                executor.use_contents(scheduler.home.contents)
                executor.start(self._queue.put, self._set_up_thread)
            with on_interrupt(self.loop.interrupt), unnoted():
                self._start(expr, root)
                self.loop.run(self.reducer, root)
                if self.loop.interrupted_by is not None:
                    self.extensions.end(self.loop.interrupted_by, EXTENSIONS_SECONDS)
                status = self._status(root)
                self._plan.forget()
                self._end(status, root)
        except Exception:
            self._end_broken()
            raise
        finally:
            self._log.flush()
            for executor in self._executors.values():
                executor.cancel_running()
                executor.stop()
            if self._async_jobs is not None:
                self._async_jobs.stop()
        return self._outcome(root)

    def _end_broken(self) -> None:
        """Keep what had finished when the machinery itself has failed, a full disk say."""
        self.extensions.end(0, EXTENSIONS_SECONDS)
        with suppress(Exception):
            self.execution.end(ExecutionStatus.FAILED, None)

    def _announce(self) -> None:
        self._log.say(f"Start Execution {self.execution.id}:  {_command(self.execution.argv)}")

    def _stop(self) -> None:
        self._plan.stop()
        self.extensions.stop()

    def stop_soon(self) -> None:
        """Have nothing new start; from any thread."""
        self.loop.do_soon(self._stop)

    def flush(self) -> None:
        """Hand what has finished to the store, so that others find it; only from the scheduler's thread."""
        self.execution.recorder.flush()

    def _start(self, expr: Any, root: Root) -> None:
        if (
            type(expr) is TaskExpression
            and all(map(is_concrete, (*expr.args, *expr.kwargs.values())))
            and CONTEXT_OPTION not in expr.task_options  # its defaults are evaluated in a context that no job has yet
        ):
            self._root_call = expr
            self.reducer.call(expr, None, root, 0)
        else:
            own = expr.task_options.get(CONTEXT_OPTION) if type(expr) is TaskExpression else None
            if is_concrete(own):
                check_context(own)  # else it would be told of as a part of the expression
            self._start_root(expr, Caller(root, 0, None, -1, self._root_call))

    def _start_root(self, expr: Any, caller: Caller) -> None:
        task_oid = self.execution.recorder.put_task(root_task)
        eval_data = encode_eval(task_oid, [self._put_root(expr)], ["expr"])
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

    def hand_in(self, job: Job, value: Any) -> None:
        """Take what a job's function returned elsewhere, in whatever thread."""
        try:
            if job.task.script and isinstance(value, bytes):
                from redun.scripting.plan import read_stdout  # few executors run scripts in their own way

                value = read_stdout(job, value)
            job.settle(value, (self.execution.start_us + job.start_us) * 1000)
        except BaseException as error:
            job.error, job.traceback = error, error.__traceback__
        job.forget_arguments()
        self.loop.take_back(job)

    def add_job_tags(self, job: Job, tags: Iterable[Tag]) -> None:
        """Tag a job, in whatever thread; one that leaves no trace gets none.  Raises BadTag."""
        checked = check_tags(tags)
        if checked and job.facts.is_recorded:
            self.loop.do_soon(lambda: self.tags.tag_job(job.number, checked))

    def give_up(self, error: BaseException) -> None:
        """Fail the run with an error that is no job's; only from the scheduler's thread."""
        self._root.fail(0, error)

    def _put_root(self, expr: Any) -> Oid:
        """Store what was to be evaluated, as the argument of the root task."""
        recorder = self.execution.recorder
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
        self.execution.end(status, self._root_call.call_hash)
        self._show_status()
        if root.error is not None:
            by_task = self._scheduler.use_task_traceback
            self._log.say(f"*** Execution failed. Traceback (most recent {'task' if by_task else 'call'} last):")
            for line in self.failures.traceback_of(root.error).lines() if by_task else python_lines(root.error):
                self._log.say(line)
            n_more = self.failures.n_uncaught - 1
            if n_more > 0:
                self._log.say(f"and {n_more} more failed, each for a reason of its own")
        seconds = (self._scheduler.clock() - self.execution.start_us) / 1e6
        self._log.say(f"Execution duration: {seconds:.2f} seconds")

    def _outcome(self, root: Root) -> Any:
        if root.error is not None:
            self.failures.mark(root.error)
        if isinstance(root.error, Exception):
            raise root.error
        if root.error is not None:
            # SystemExit or KeyboardInterrupt of user code in a thread: it ends the job, not the caller's process.
            raise TaskExited(root.error) from root.error
        if root.is_ended and not (self.options.is_dryrun and self.loop.n_background):
            return loaded(root.value)
        if self.loop.interrupted_by is not None:
            raise Interrupted(self.loop.interrupted_by)
        if self.options.is_dryrun:
            raise DryRunResult("the dry run came to jobs that would have to run")
        raise SchedulerError("the run came to a halt with jobs that nothing can start")

    def _submit_async(self, job: Job, executor: Executor) -> None:
        if self._async_jobs is None:
            from redun.scheduler.async_jobs import AsyncJobs  # few workflows have any

            self._async_jobs = AsyncJobs(self.reducer, self._plan, self.failures, self._queue, self._set_up_thread)
            self.loop.add(self._async_jobs)
        self._async_jobs.submit(job, executor)

    def _before_wait(self) -> None:
        self._log.flush()
        if self._async_jobs is not None and self.loop.is_idle:
            self._async_jobs.fail_stuck()

    def _abandon(self, job: TimedJob) -> None:
        if job.facts.is_async and self._async_jobs is not None:
            self._async_jobs.abandon(job)
        else:
            self._executors[job.executor].abandon(job)

    def _do_later(self, seconds: float, step: Callable[[], None]) -> None:
        self.loop.do_later(seconds, step)

    def _on_interval(self) -> None:
        self.execution.touch()
        interval, now_us = self._scheduler.interval_seconds, self._scheduler.clock()
        # A heartbeat may come a little early by this clock, which is another one.
        if 0 < interval * 0.9e6 <= now_us - self._shown_us and not is_debugged():
            self._shown_us = now_us
            self._show_status()

    def _show_status(self) -> None:
        for line in self._scheduler.get_job_status_report():
            self._log.say(line)

    def _describe(self) -> dict[str, Any] | None:
        from redun.scheduler.elsewhere import describe  # few workflows have runs inside jobs elsewhere

        return describe(self)

    @property
    def scheduler(self) -> Scheduler:
        """The scheduler whose run this is."""
        return self._scheduler

    def _set_up_thread(self) -> None:
        set_current_scheduler(self._scheduler)


def _command(argv: Sequence[str]) -> str:
    return " ".join(argv)
