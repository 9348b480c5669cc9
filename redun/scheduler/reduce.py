"""Carries calls from being asked for to having a value: bind, claim, look up, run, reduce, record.

Theory of operation.  Everything here happens in the scheduler's thread.  A call of a task arrives in ``call``; once its
arguments are values it is bound and claimed under its eval hash.  Whoever leads becomes a job.  A job is answered from
the store (``_take_hit``), or takes a stored reduction and has its calls asked again (``_take_step``), or runs
(``_run``) and comes back through ``returned``.  What its function returned is its result, or holds calls, which are
evaluated below the job; ``_JobResult`` brings the result back to ``_finish``.  Both ends, ``_conclude`` and
``fail``, settle the claim, so that all callers of the same call are answered alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.errors import RedunError
from redun.expression import SchedulerExpression, TaskExpression
from redun.expression_codec import is_concrete
from redun.handle import handle_classes
from redun.hashing import Oid
from redun.objects.kinds import EMPTY_SUMMARY, CallRecord, JobStatus, SubtreeSummary, encode_eval
from redun.scheduler.cache import Cache, Hit, Step
from redun.scheduler.context import Context, merge_context
from redun.scheduler.errors import DryRunResult, NotSerializable, SchedulerError
from redun.scheduler.evaluate import Evaluator, Waiter, iter_calls
from redun.scheduler.facts import CallOptions, FactsTable, TaskFacts
from redun.scheduler.form_calls import FormCaller
from redun.scheduler.job import Caller, Job, JobView
from redun.scheduler.noted import note_values
from redun.scheduler.owned import ATOMS
from redun.scheduler.plan import Claim, Plan
from redun.scheduler.prepare import prepare
from redun.scheduler.record import Recorder
from redun.scheduler.remote_results import Asked, RemoteResults
from redun.scheduler.salt import salt_of
from redun.scheduler.status import Column, StatusCounts
from redun.scheduler.summary import summary_of
from redun.task.binding import BoundArguments
from redun.value.encoding import Encoded, ValueNotEncodable, encode_value
from redun.value.stored import loaded

if TYPE_CHECKING:
    from redun.executors.base import Executor
    from redun.scheduler.failure import Failures
    from redun.scheduler.handles import Handles
    from redun.scheduler.option_names import OptionNames
    from redun.scheduler.portal import Portal
    from redun.scheduler.produced import FileKeeper
    from redun.scheduler.reasons import Reasons
    from redun.scheduler.retries import Retries
    from redun.scheduler.runlog import RunLog
    from redun.scheduler.scheduler import Scheduler
    from redun.scheduler.tags import TagRecorder
    from redun.scheduler.time_limits import TimeLimits
    from redun.store.base import Candidate
    from redun.task.registry import TaskRegistry
    from redun.task.task import Task


EVALUATES = "evaluates"
"""The option of a task whose function evaluates calls itself: they stand below its job without a reduction, so its call
serves as a whole or not at all; and its job goes on in a dry run too, which it hands on."""


class RunOptions(NamedTuple):
    """What a whole run was asked for."""

    use_cache: bool = True  # False: nothing from earlier executions serves
    is_dryrun: bool = False  # True: nothing runs
    keep_going: bool = False  # True: a failure stops only what depends on it
    context: Context | None = None  # of the whole run
    exports: Mapping[str, Any] | None = None  # options of all jobs


class Parts(NamedTuple):
    """What a reducer works with; made by the scheduler for one execution."""

    execution_id: bytes
    numbers: Iterator[int]  # of new jobs
    registry: TaskRegistry
    executors: Mapping[str, Executor]
    plan: Plan[Job]
    recorder: Recorder
    cache: Cache
    counts: StatusCounts
    log: RunLog
    reasons: Reasons
    failures: Failures
    keeper: FileKeeper
    portal: Portal
    tags: TagRecorder
    handles: Handles
    submit_async: Callable[[Job, Executor], None]
    retries: Retries
    time_limits: TimeLimits
    option_names: OptionNames | None  # None: warns of no option
    scheduler: Scheduler
    options: RunOptions


class _Ended(NamedTuple):
    """How a claimed call ended."""

    call: Oid | None
    result: Oid | None
    task: Oid
    summary: SubtreeSummary
    error: BaseException | None
    value: Any = None  # of a call that left no trace


class _Options:
    """Waits for the options of one call."""

    __slots__ = ("_caller", "_reducer")

    def __init__(self, reducer: Reducer, caller: Caller) -> None:
        self._reducer = reducer
        self._caller = caller

    def deliver(self, _slot: int, options: CallOptions) -> None:
        self._reducer.call_with(loaded(options), self._caller)

    def fail(self, _slot: int, error: BaseException) -> None:
        self._caller.waiter.fail(self._caller.slot, error)


class _Arguments:
    """Waits for the arguments of one call."""

    __slots__ = ("_bound", "_caller", "_facts", "_reducer")

    def __init__(self, reducer: Reducer, facts: TaskFacts, bound: BoundArguments, caller: Caller) -> None:
        self._reducer = reducer
        self._facts = facts
        self._bound = bound
        self._caller = caller

    def deliver(self, _slot: int, values: Any) -> None:
        self._reducer.claim(self._facts, self._bound.replace(values), self._caller, self._bound)

    def fail(self, _slot: int, error: BaseException) -> None:
        self._caller.waiter.fail(self._caller.slot, error)


class _Defaults:
    """Waits for the given arguments of one call; then has the others evaluated in a scope of their own."""

    __slots__ = ("_evaluator", "_indexes", "_parts", "_scope", "_values", "_waiter")

    def __init__(
        self, evaluator: Evaluator, scope: Job, indexes: list[int], parts: list[Any], waiter: _Arguments
    ) -> None:
        self._evaluator = evaluator
        self._scope = scope
        self._indexes = indexes
        self._parts = parts
        self._waiter = waiter
        self._values: list[Any] = []

    def deliver(self, _slot: int, values: Any) -> None:
        self._values = values
        self._evaluator.gather(self._parts, self._merge, self._scope, self._waiter, 0)

    def fail(self, slot: int, error: BaseException) -> None:
        self._waiter.fail(slot, error)

    def _merge(self, defaults: list[Any]) -> list[Any]:
        for index, value in zip(self._indexes, defaults):
            self._values[index] = value
        return self._values


class _JobResult:
    """Waits for the value that a job's reduction comes to."""

    __slots__ = ("_job", "_reducer")

    def __init__(self, reducer: Reducer, job: Job) -> None:
        self._reducer = reducer
        self._job = job

    def deliver(self, _slot: int, value: Any) -> None:
        # Deferred: in a chain of jobs each the last call of the one above, all of them end at once.
        self._reducer.evaluator.defer(lambda: self._reducer.finish(self._job, value))

    def fail(self, _slot: int, error: BaseException) -> None:
        self._reducer.evaluator.defer(lambda: self._reducer.fail(self._job, error))


class Reducer:
    """Reduces the calls of one execution."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._plan = parts.plan
        self._recorder = parts.recorder
        self.cache = parts.cache
        self._log = parts.log
        self._counts = parts.counts
        self._handles = parts.handles
        self.evaluator = Evaluator(self.call, self._call_form, self.forbid_reuse)
        self._forms = FormCaller(parts.registry, parts.scheduler, self.forbid_reuse)
        self._numbers = parts.numbers
        recorder, names = parts.recorder, parts.option_names
        self.remote: RemoteResults | None = None  # where else results are looked for
        self._facts = FactsTable(parts.registry, recorder.put_task, recorder.put_calling, parts.executors, names)

    # -- a call is asked for

    def call(self, expression: TaskExpression[Any], parent: Job | None, waiter: Waiter, slot: int) -> None:
        """Take a call of a task, made below ``parent``."""
        if self._plan.is_stopped:
            return  # the run is ending: whoever waits for this call is failing already, or is left to the next run
        try:
            facts = self._facts.of(expression, self._inherited(parent))
        except Exception as error:
            waiter.fail(slot, error)
            return
        caller = Caller(waiter, slot, parent, -1 if parent is None else parent.add_child(), expression)
        if type(facts) is TaskFacts:
            self._bind(facts, caller)
        else:
            self.evaluator.start(facts, parent, _Options(self, caller), 0)

    def call_with(self, options: CallOptions, caller: Caller) -> None:
        """Take a call whose options had to be evaluated."""
        assert caller.expression is not None
        try:
            facts = self._facts.with_options(caller.expression, options, self._inherited(caller.parent))
        except Exception as error:
            caller.waiter.fail(caller.slot, error)
            return
        self._bind(facts, caller)

    def _bind(self, facts: TaskFacts, caller: Caller) -> None:
        expression = caller.expression
        assert expression is not None
        try:
            bound = facts.binder.bind(expression.args, expression.kwargs)
        except Exception as error:
            self._refuse(facts, caller, error)
            return
        # Defaults may be expressions as well as what was given.
        values = bound.values
        if handle_classes:
            self._handles.reserve(caller, values)
        if ATOMS.issuperset(map(type, values)) or all(map(is_concrete, values)):
            self.claim(facts, bound, caller)
        else:
            own, waiter = self._context_of(facts, caller.parent), _Arguments(self, facts, bound, caller)
            _gather_arguments(self.evaluator, facts, bound, caller.parent, own, waiter)

    def _inherited(self, parent: Job | None) -> Mapping[str, Any] | None:
        return self._parts.options.exports if parent is None else parent.facts.exports

    def _context_of(self, facts: TaskFacts, parent: Job | None) -> Context | None:
        return merge_context(self._parts.options.context if parent is None else parent.context, facts.context)

    def _call_form(self, expression: SchedulerExpression[Any], parent: Job | None, waiter: Waiter) -> None:
        if not self._plan.is_stopped:
            self._forms.call(expression, parent, waiter, self.evaluator)

    def claim(
        self, facts: TaskFacts, bound: BoundArguments, caller: Caller, source: BoundArguments | None = None
    ) -> None:
        """Take a call whose arguments are values; ``source`` is what some of them were evaluated from."""
        names: list[str | int] = []
        encoded: list[Encoded] = []
        try:
            bound, handles = self._handles.fork(facts, bound, caller) if handle_classes else (bound, None)
            for name, value in bound.hashed():
                names.append(name)
                encoded.append(encode_value(value))
        except ValueNotEncodable as error:
            self._refuse(facts, caller, NotSerializable(f"argument {names[-1]}", error))
            return
        except Exception as error:
            self._refuse(facts, caller, error)
            return
        context = self._context_of(facts, caller.parent)
        salt = salt_of(facts, context, encoded)
        eval_oid, data = encode_eval(facts.oid, [part.oid for part in encoded], names, salt)
        key: Any = eval_oid if context is None else (eval_oid, context.key)
        if not facts.is_shared:
            # Equal calls below one job are one call whatever the scope: they stand for the same value.
            key = key, 0 if caller.parent is None else caller.parent.number
        claim, ended = self._plan.claim(key, caller)
        if claim is Claim.REPLAY:
            self._replay(ended, caller)
        elif claim is Claim.LEAD:
            job = self._new_job(facts, caller)
            job.key, job.eval, job.context = key, eval_oid, context
            if handles:
                self._handles.take(job, handles)
            if source is not None:
                job.upstreams = _upstreams(source, names)
            self._look_up(job, bound, encoded, data)

    def start_root(self, task: Task[..., Any], caller: Caller, eval_data: tuple[Oid, bytes], value: Any) -> None:
        """Take an expression that no task returned, as if the root task had returned it."""
        job = self._new_job(self._facts.make(task)._replace(exports=self._inherited(caller.parent)), caller)
        job.eval, data = eval_data
        job.key, job.context = job.eval, self._parts.options.context
        self._plan.claim(job.key, caller)
        self._counts.add(task.fullname, Column.RUNNING)
        self._plan.admit(job)
        self._recorder.put_eval(job.eval, data, [])
        job.value = value
        self.returned(job)

    def _new_job(self, facts: TaskFacts, caller: Caller) -> Job:
        job = Job(self._parts.execution_id, next(self._numbers), facts, caller)
        job.start_us = self._recorder.now_us()
        if facts.tags:
            self._parts.tags.tag_new_job(job.number, facts)
        return job

    def _refuse(self, facts: TaskFacts, caller: Caller, error: Exception) -> None:
        """Fail a call whose arguments cannot be used: there is a job to show, but no eval."""
        job = self._new_job(facts, caller)
        job.key = ("refused", job.number)
        self._counts.add(facts.task.fullname, Column.RUNNING)
        self.fail(job, error)

    # -- a job is answered

    def _look_up(self, job: Job, bound: BoundArguments, encoded: list[Encoded], eval_data: bytes) -> None:
        assert job.eval is not None
        candidates = self.cache.find_candidates(job.eval) if job.facts.is_recorded else []
        why = self.serve(job, bound, candidates) if candidates else ""
        if why is None:
            return
        asked = Asked(job, bound, encoded, eval_data, why)
        if self.remote is None or not (self._may_serve(job.facts) and self.remote.take(asked)):
            self.miss(asked)

    def _may_serve(self, facts: TaskFacts) -> bool:
        return facts.is_recorded and facts.is_cached and self._parts.options.use_cache

    def serve(self, job: Job, bound: BoundArguments, candidates: list[Candidate]) -> str | None:
        """Answer a job from what is on record; return why not, None when it is answered."""
        assert job.eval is not None
        job.prior = candidates
        facts = job.facts
        if not self._may_serve(facts):
            return "caching is off"
        if facts.options.get(EVALUATES):
            candidates = self.cache.find_whole(candidates)
        found, why = self.cache.find(job.eval, candidates, facts.is_shallow, facts.is_async, facts.allowed)
        if found is None:
            return why
        if found.restored:
            self._log.restored(job, found.restored, is_dryrun=self._parts.options.is_dryrun)
        self._log.cached(job, bound)
        self._take(job, found)
        return None

    def miss(self, asked: Asked) -> None:
        """Go on with a job that nothing on record serves."""
        job, bound, encoded, eval_data, why = asked
        self._counts.add(job.task.fullname, Column.PENDING)
        if self._parts.options.is_dryrun and not job.facts.options.get(EVALUATES):
            self._log.dryrun(job, bound, why or self._parts.reasons.explain_dryrun(job, encoded))
            return
        prepare(job, bound, encoded, eval_data, why, self._parts)
        self._run(job)

    def _take(self, job: Job, found: Hit | Step) -> None:
        if isinstance(found, Hit):
            self._recorder.add_row(job, JobStatus.CACHED, found.call)
            self._counts.add(job.task.fullname, Column.CACHED)
            self._conclude(job, found.call, found.record, found.value)
            return
        self._counts.add(job.task.fullname, Column.RUNNING)
        job.reduction = found.reduction
        job.status = JobStatus.STEPPED
        summary_of(job).add_externals(found.externals, found.produced)
        for value in found.encoded:
            self._recorder.put(value)  # a task in it may be another version than the recorded one
        note_values(self._log, job, found.plain, found.encoded)
        # Deferred: in a chain of calls each step leads to the next.
        self.evaluator.defer(lambda: self.evaluator.start(found.expression, job, _JobResult(self, job), 0))

    # -- a job runs

    def _run(self, job: Job) -> None:
        try:
            if job.executor not in self._parts.executors:
                known = ", ".join(sorted(self._parts.executors))
                raise SchedulerError(f'Unknown executor "{job.executor}"', hint=f"executors of this run: {known}")
            if self._plan.admit(job, job.needs):
                self._submit(job)
        except RedunError as error:
            self._counts.move(job.task.fullname, Column.PENDING, Column.RUNNING)
            self.fail(job, error)

    def _submit(self, job: Job) -> None:
        self._counts.move(job.task.fullname, Column.PENDING, Column.RUNNING)
        self._log.say(job.line)
        job.line = None
        job.start_us = self._recorder.now_us()
        if job.handles:
            self._handles.start(job)
        work = job if job.facts.timeout_seconds is None else self._parts.time_limits.start(job, self.returned)
        executor = self._parts.executors[job.executor]
        if job.facts.is_async:
            self._parts.submit_async(work, executor)
        else:
            executor.submit(work)

    def returned(self, job: Job) -> None:
        """Take back a job whose function has run."""
        if type(job) is not Job and not self._parts.time_limits.end(job):
            return  # it comes too late, and was answered for
        for admitted in self._plan.release(job.needs):
            self._submit(admitted)
        if job.error is not None:
            is_dry = _is_dry(job.error, self._parts.options)
            if not (is_dry or (job.facts.retry is not None and self._parts.retries.take(job, self._run))):
                self.fail(job, job.error)
            return
        if job.produced and job.given:
            # A source written in the clock tick before the job began, and named in its result, was not made by it.
            job.produced = {oid: flag for oid, flag in job.produced.items() if oid not in job.given}
        if job.dropped:
            self._log.dropped(job, job.dropped)
            job.dropped = None
        if job.disturbed:
            self._log.disturbed(job, job.disturbed)
            summary_of(job).forbid_reuse()
        value, job.value = job.value, None
        if type(value) in ATOMS or is_concrete(value):
            self.finish(job, value)
            return
        if not job.facts.is_recorded:
            self.evaluator.start(value, job, _JobResult(self, job), 0)
            return
        try:
            expression = self._recorder.record_reduction(job, value)
        except Exception as error:
            self.fail(job, _at_result(error))
            return
        summary_of(job).add_externals(expression.externals, job.produced)
        note_values(self._log, job, expression.plain, expression.values)
        self.evaluator.start(value, job, _JobResult(self, job), 0)

    # -- a job ends

    def finish(self, job: Job, value: Any) -> None:
        """Record a job's result, and answer everyone who asked for it."""
        if not job.facts.is_recorded:
            self._finish_unrecorded(job, value)
            return
        try:
            result = encode_value(value)
        except Exception as error:
            self.fail(job, _at_result(error))
            return
        if job.handles or result.externals:
            self._handles.end(job, result)
        if result.externals:
            summary_of(job).add_externals(result.externals, None if job.reduction else job.produced)
        if type(value) not in ATOMS:
            note_values(self._log, job, [value], [result])
        call_oid, record = self._recorder.record_call(job, result)
        self._note_contest(job, call_oid, record)
        is_stepped = job.status == JobStatus.STEPPED
        # A stepped call enters the eval table even when it was there: now it is newer than any contest below it.
        done = JobStatus.UNSURE if job.disturbed or job.status == JobStatus.UNSURE else JobStatus.DONE
        self._recorder.add_row(job, JobStatus.STEPPED if is_stepped else done, call_oid)
        self._counts.move(job.task.fullname, Column.RUNNING, Column.CACHED if is_stepped else Column.DONE)
        self._conclude(job, call_oid, record, value)

    def _finish_unrecorded(self, job: Job, value: Any) -> None:
        self._counts.move(job.task.fullname, Column.RUNNING, Column.DONE)
        summary = EMPTY_SUMMARY if job.summary is None else job.summary.build()[0]
        self._settle(
            job, _Ended(None, None, job.facts.calling, summary._replace(is_reusable=False), None, value), value
        )

    def _note_contest(self, job: Job, call_oid: Oid, record: CallRecord) -> None:
        if job.prior and self.cache.recorded_results(job.prior) - {record.result}:
            task_oid = job.facts.calling
            self.cache.note_contest(task_oid, self._recorder.note_contested(task_oid, call_oid, job))

    def _conclude(self, job: Job, call_oid: Oid, record: CallRecord, value: Any) -> None:
        summary = record.summary
        if not (summary.tasks or summary.externals) and summary.is_reusable:
            summary = EMPTY_SUMMARY
        if not job.facts.is_cached:
            # Its result may not serve later, so nothing that holds it may be reused in one step.
            summary = summary._replace(is_reusable=False)
        self._settle(job, _Ended(call_oid, record.result, job.facts.calling, summary, None), value)

    def _settle(self, job: Job, ended: _Ended, value: Any) -> None:
        if handle_classes:
            self._handles.forget(job)
        followers = self._plan.settle(job.key, ended)
        self._answer(ended, job.caller, value)
        for caller in followers:
            self._answer(ended, caller, value)

    def fail(self, job: Job, error: BaseException) -> None:
        """Record a job's failure, and tell everyone who asked for it."""
        self._counts.move(job.task.fullname, Column.RUNNING, Column.FAILED)
        outcome = self._parts.failures.note(job, error)
        if handle_classes:
            self._handles.drop(job)
        if job.facts.is_recorded:
            self._recorder.add_row(job, JobStatus.FAILED, self._recorder.put(outcome))
        ended = _Ended(None, None, job.facts.calling, EMPTY_SUMMARY, error)
        for caller in [job.caller, *self._plan.settle(job.key, ended)]:
            caller.waiter.fail(caller.slot, error)

    def _replay(self, ended: _Ended, caller: Caller) -> None:
        if ended.error is not None:
            caller.waiter.fail(caller.slot, ended.error)
            return
        self._answer(ended, caller, ended.value if ended.result is None else self.cache.decode(ended.result))

    def _answer(self, ended: _Ended, caller: Caller, value: Any) -> None:
        if caller.parent is not None:
            assert caller.parent.children is not None
            caller.parent.children[caller.child_slot] = ended.call
            summary_of(caller.parent).add_call(ended.task, ended.summary)
        if caller.expression is not None:
            caller.expression.call_hash = ended.call
        caller.waiter.deliver(caller.slot, value)

    def set_cache(self, cache: bool) -> None:
        """Say whether results of earlier executions may serve from now on."""
        self._parts = self._parts._replace(options=self._parts.options._replace(use_cache=cache))

    def forbid_reuse(self, job: Job) -> None:
        """Note that a job must be asked again in the next run, and so must those above it."""
        summary_of(job).forbid_reuse()


def _is_dry(error: BaseException, options: RunOptions) -> bool:
    """Tell whether a run inside a job came to others that would have to run: the job neither ends nor fails."""
    return options.is_dryrun and isinstance(error, DryRunResult)


def _gather_arguments(
    evaluator: Evaluator, facts: TaskFacts, bound: BoundArguments, parent: Job | None, own: Context | None, waiter: Any
) -> None:
    """Have the arguments of a call evaluated; ``own`` is its context."""
    values = list(bound.values)
    defaults = facts.binder.defaulted(bound) if facts.context else []
    if defaults and parent is not None:
        # What was given is evaluated in the context of the job that calls, a default in that of the call.
        scope: Any = JobView(parent, own)
        waiter = _Defaults(evaluator, scope, defaults, [values[index] for index in defaults], waiter)
        for index in defaults:
            values[index] = None
    evaluator.gather(values, list, parent, waiter, 0)


def _at_result(error: Exception) -> Exception:
    return NotSerializable("result", error) if isinstance(error, ValueNotEncodable) else error


def _upstreams(source: BoundArguments, names: list[str | int]) -> list[tuple[int, list[Oid]]] | None:
    """Return, for each argument made from other calls, its index among the names of the eval, and those calls."""
    found: list[tuple[int, list[Oid]]] = []
    for name, value in source.hashed():
        if type(value) not in ATOMS:
            calls = [call.call_hash for call in iter_calls(value) if call.call_hash is not None]
            if calls and name in names:
                found.append((names.index(name), calls))
    return found or None
