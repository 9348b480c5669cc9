"""Carries calls from being asked for to having a value: bind, claim, look up, run, reduce.

Theory of operation.  Everything here happens in the scheduler's thread.  A call of a task arrives in ``call``; once its
arguments are values it is bound and claimed under its eval hash.  Whoever leads becomes a job.  A job is answered from
the store, or takes a stored reduction and has its calls asked again (``_take`` for both), or runs
(``_run``) and comes back through ``returned``.  What its function returned is its result, or holds calls, which are
evaluated below the job; ``JobResult`` brings the result back.  How jobs end is in ``settle.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from redun.errors import RedunError
from redun.expression import SchedulerExpression, TaskExpression
from redun.expression_codec import is_concrete
from redun.handle import handle_classes
from redun.hashing import Oid
from redun.objects.call_records import encode_eval
from redun.objects.execution_records import JobStatus
from redun.scheduler.arguments import ArgumentsWaiter, OptionsWaiter, gather_arguments, upstreams_of
from redun.scheduler.cache import Hit, Step
from redun.scheduler.context import Context, merge_context
from redun.scheduler.errors import DryRunResult, NotSerializable, SchedulerError
from redun.scheduler.evaluate import Evaluator, Waiter
from redun.scheduler.facts import EVALUATES, CallOptions, FactsTable, TaskFacts
from redun.scheduler.form_calls import FormCaller
from redun.scheduler.job import Caller, Job
from redun.scheduler.noted import note_values
from redun.scheduler.owned import ATOMS
from redun.scheduler.parts import Parts, RunOptions
from redun.scheduler.plan import Claim
from redun.scheduler.prepare import prepare
from redun.scheduler.remote_results import Asked, RemoteResults
from redun.scheduler.salt import salt_of
from redun.scheduler.settle import JobResult, Settler, at_result
from redun.scheduler.status import Column
from redun.scheduler.summary import summary_of
from redun.task.binding import BoundArguments
from redun.value.encoding import Encoded, ValueNotEncodable, encode_value

if TYPE_CHECKING:
    from redun.store.base import Candidate
    from redun.task.task import Task


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
        self._settler = Settler(parts)
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
            self.evaluator.start(facts, parent, OptionsWaiter(self, caller), 0)

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
            own, waiter = self._context_of(facts, caller.parent), ArgumentsWaiter(self, facts, bound, caller)
            gather_arguments(self.evaluator, facts, bound, caller.parent, own, waiter)

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
            self._settler.replay(ended, caller)
        elif claim is Claim.LEAD:
            job = self._new_job(facts, caller)
            job.key, job.eval, job.context = key, eval_oid, context
            if handles:
                self._handles.take(job, handles)
            if source is not None:
                job.upstreams = upstreams_of(source, names)
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
        self._settler.fail(job, error)

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
            self._settler.conclude(job, found.call, found.record, found.value)
            return
        self._counts.add(job.task.fullname, Column.RUNNING)
        job.reduction = found.reduction
        job.status = JobStatus.STEPPED
        summary_of(job).add_externals(found.externals, found.produced)
        for value in found.encoded:
            self._recorder.put(value)  # a task in it may be another version than the recorded one
        note_values(self._log, job, found.plain, found.encoded)
        # Deferred: in a chain of calls each step leads to the next.
        self.evaluator.defer(lambda: self.evaluator.start(found.expression, job, self._result_of(job), 0))

    def _result_of(self, job: Job) -> JobResult:
        return JobResult(self._settler, self.evaluator, job)

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
            self._settler.fail(job, error)

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
                self._settler.fail(job, job.error)
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
            self._settler.finish(job, value)
            return
        if not job.facts.is_recorded:
            self.evaluator.start(value, job, self._result_of(job), 0)
            return
        try:
            expression = self._recorder.record_reduction(job, value)
        except Exception as error:
            self._settler.fail(job, at_result(error))
            return
        summary_of(job).add_externals(expression.externals, job.produced)
        note_values(self._log, job, expression.plain, expression.values)
        self.evaluator.start(value, job, self._result_of(job), 0)

    # -- what else is asked of it

    def set_cache(self, cache: bool) -> None:
        """Say whether results of earlier executions may serve from now on."""
        self._parts = self._parts._replace(options=self._parts.options._replace(use_cache=cache))

    def forbid_reuse(self, job: Job) -> None:
        """Note that a job must be asked again in the next run, and so must those above it."""
        summary_of(job).forbid_reuse()


def _is_dry(error: BaseException, options: RunOptions) -> bool:
    """Tell whether a run inside a job came to others that would have to run: the job neither ends nor fails."""
    return options.is_dryrun and isinstance(error, DryRunResult)
