"""What every job of a task asks about it, worked out once per execution."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.context import CONTEXT_OPTION
from redun.expression import TaskExpression
from redun.expression_codec import is_concrete
from redun.hashing import Oid
from redun.scheduler.context import check_context
from redun.scheduler.errors import UnknownTask
from redun.scheduler.option_names import OptionNames, handled_by
from redun.scheduler.retries import RetryPolicy, read_retry_policy
from redun.scheduler.time_limits import read_timeout
from redun.tags import encode_tags
from redun.task.options import CacheCheckValid, CacheResult, CacheScope, exported_by_nature, normalize_options

if TYPE_CHECKING:
    from redun.executors.base import Executor
    from redun.task.binding import Binder
    from redun.task.registry import TaskRegistry
    from redun.task.task import Task

EVALUATES = "evaluates"
"""The option of a task whose function evaluates calls itself: they stand below its job without a reduction, so its call
serves as a whole or not at all; and its job goes on in a dry run too, which it hands on."""


class TaskFacts(NamedTuple):
    """A task with the options that a call of it has."""

    task: Task[..., Any]
    binder: Binder  # of its arguments
    oid: Oid
    calling: Oid  # what stands for it in the summary of calls above: its hash, unless it has defaults
    is_cached: bool  # results of earlier executions may serve, and its results may serve later
    is_shared: bool  # equal calls of this execution are one job
    is_shallow: bool  # files that only calls below name need not be as recorded
    is_async: bool  # its function is a coroutine
    allowed: frozenset[CacheResult] | None  # where results may come from; None: from wherever the rest allows
    is_recorded: bool  # its calls leave a trace
    executor: str
    needs: Mapping[str, int] | None  # units of each limit
    retry: RetryPolicy | None  # whether its function is tried again when it fails
    timeout_seconds: float | None  # how long its function may run
    options: Mapping[str, Any]  # all of them
    tags: Sequence[tuple[str, str]]  # keys and canonical JSON, of each job; empty when it leaves no trace
    exports: Mapping[str, Any] | None  # what jobs below inherit; None for nothing
    context: Mapping[str, Any] | None  # what its context has over that of the job above


class CallOptions(NamedTuple):
    """The options of a call, some of which must be evaluated before anything can be said of it."""

    own: dict[str, Any]
    exports: tuple[str, ...]  # the names of those that jobs below inherit


class FactsTable:
    """The facts of the tasks of one execution."""

    def __init__(
        self,
        registry: TaskRegistry,
        put_task: Callable[[Task[..., Any]], Oid],
        put_calling: Callable[[Task[..., Any]], Oid],
        executors: Mapping[str, Executor] | None = None,
        option_names: OptionNames | None = None,
    ) -> None:
        """Make a table of nothing.

        Args:
            registry: where tasks are looked up.
            put_task: stores a task and returns its hash.
            put_calling: does that for its calling.
            executors: which say what options they see to themselves.
            option_names: looks for names that are misspelt.
        """
        self._executors = executors or {}
        self._option_names = option_names
        self._registry = registry
        self._put_task = put_task
        self._put_calling = put_calling
        self._callings: dict[str, Oid] = {}
        # By task, and by the exports that it inherits: few dicts, each shared by all jobs below the one that made it.
        self._known: dict[tuple[str, int], TaskFacts] = {}
        self._inherited: dict[int, Mapping[str, Any] | None] = {}

    def of(self, expression: TaskExpression[Any], inherited: Mapping[str, Any] | None) -> TaskFacts | CallOptions:
        """Return the facts of a call; where some options must be evaluated first, all its options instead.

        ``inherited`` are the options that the job above exports.

        Raises:
            UnknownTask: no task of this name is defined.
        """
        given = expression.task_options
        is_plain = not given and not expression.export_options
        known = self._known.get((expression.task_name, id(inherited)))
        if known is not None and is_plain:
            return known
        task = self._task(expression.task_name)
        exports = (*task.get_export_options(), *expression.export_options)
        own = {**task.get_task_options(), **given}
        if not is_concrete(own):
            return CallOptions(own, exports)
        facts = self._make(task, task.get_task_options(), given, inherited, exports)
        if is_plain:
            self._known[expression.task_name, id(inherited)] = facts
            self._inherited[id(inherited)] = inherited  # alive, so that its id stays its own
        return facts

    def with_options(
        self, expression: TaskExpression[Any], options: CallOptions, inherited: Mapping[str, Any] | None
    ) -> TaskFacts:
        """Return the facts of a call, given all its options as values.

        Raises:
            ValueError, TypeError: an option came to a value that it cannot take.
        """
        own = normalize_options(options.own)
        given = {name: own[name] for name in normalize_options(expression.task_options) if name in own}
        return self._make(self._task(expression.task_name), own, given, inherited, options.exports)

    def make(self, task: Task[..., Any]) -> TaskFacts:
        """Return the facts of a task as it is defined."""
        return self._make(task, task.get_task_options(), {}, None, tuple(task.get_export_options()))

    def _make(
        self,
        task: Task[..., Any],
        own: Mapping[str, Any],
        given: Mapping[str, Any],
        inherited: Mapping[str, Any] | None,
        exports: tuple[str, ...],
    ) -> TaskFacts:
        """Put options together: those of the definition, over them what is inherited, over that those of the call.

        Jobs below inherit what comes of this for the names in ``exports``, and for those that were inherited.
        """
        options = {**own, **(inherited or {}), **given}
        if options.get("config_args") != own.get("config_args") or "config_args" in given:
            task = task.options(config_args=options["config_args"])
        is_async = task.is_async()
        allowed = options.get("allowed_cache_results")
        is_recorded = options.get("prov") is not False and (inherited or {}).get("prov") is not False
        scope = options.get("cache_scope", CacheScope.BACKEND) if is_recorded else CacheScope.NONE
        executor = options.get("executor") or "default"
        handled = frozenset[str]() if is_async else handled_by(self._executors.get(executor))
        if self._option_names is not None:
            self._option_names.look(task.fullname, (*own, *given), executor)
        handed_on = {name: options[name] for name in (*(inherited or ()), *exports, *exported_by_nature(given))}
        if not is_recorded:
            handed_on["prov"] = False  # nothing below what leaves no trace can leave one
        return TaskFacts(
            task=task,
            binder=task.binder,
            oid=self._put_task(task),
            calling=self._calling_of(task),
            is_cached=scope is CacheScope.BACKEND,
            is_shared=scope is not CacheScope.NONE and (allowed is None or CacheResult.CSE in allowed),
            is_shallow=is_async or options.get("check_valid") is CacheCheckValid.SHALLOW,
            is_async=is_async,
            allowed=allowed,
            is_recorded=is_recorded,
            executor=executor,
            needs=options.get("limits"),
            retry=None if "retries" in handled else read_retry_policy(options),
            timeout_seconds=None if "timeout" in handled else read_timeout(options),
            options=options,
            tags=encode_tags(options["tags"]) if is_recorded and options.get("tags") else (),
            exports=inherited if handed_on == (inherited or {}) else handed_on,
            context=check_context(options.get(CONTEXT_OPTION)),
        )

    def _calling_of(self, task: Task[..., Any]) -> Oid:
        """Return the calling of a task as it is defined; what a call says otherwise stands in its expression."""
        known = self._callings.get(task.fullname)
        if known is None:
            defined = self._registry.get(task_name=task.fullname) or task
            known = self._callings[task.fullname] = self._put_calling(defined)
        return known

    def _task(self, name: str) -> Task[..., Any]:
        task = self._registry.get(task_name=name)
        if task is None:
            raise UnknownTask(f"task {name!r} is not defined", hint="import the module that defines it before the run")
        return task
