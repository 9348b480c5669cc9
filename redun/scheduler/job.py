"""One job: a call on its way through an execution.

A job is small, since a wide fan-out has all its jobs in hand at once: slots, no lists until something goes into them,
and what only a running job needs is dropped when it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.file.produced import mark_start, track_writes
from redun.hashing import Oid
from redun.objects.ids import format_id, job_id
from redun.scheduler.changed_arguments import find_changed
from redun.scheduler.current import running
from redun.scheduler.owned import ATOMS, own_copy
from redun.scheduler.validity import postprocess, preprocess
from redun.task.built import BuiltCalls
from redun.task.job_info import JobInfo
from redun.value.stored import loaded

if TYPE_CHECKING:
    from types import TracebackType

    from redun.expression import TaskExpression
    from redun.handle import HandleInfo
    from redun.scheduler.changed_arguments import Watched
    from redun.scheduler.context import Context
    from redun.scheduler.errors import Traceback
    from redun.scheduler.evaluate import Waiter
    from redun.scheduler.facts import TaskFacts
    from redun.scheduler.portal import Portal
    from redun.scheduler.produced import FileKeeper, ProducedFiles
    from redun.scheduler.summary import SummaryBuilder
    from redun.store.base import Candidate
    from redun.store.blobs import Blobs
    from redun.tags import Tag


class Caller(NamedTuple):
    """Who asked for a call: where its value goes, and its place among the calls of the job that asked."""

    waiter: Waiter
    slot: int
    parent: Job | None
    child_slot: int
    expression: TaskExpression[Any] | None


class Job:
    """A call of a task within an execution.  It is its own piece of work for an executor."""

    __slots__ = (
        "args",
        "attempt",
        "caller",
        "cancel",
        "children",
        "context",
        "disturbed",
        "dropped",
        "error",
        "eval",
        "execution_id",
        "executor",
        "facts",
        "given",
        "handles",
        "keeper",
        "key",
        "kwargs",
        "line",
        "needs",
        "number",
        "parent",
        "portal",
        "prior",
        "produced",
        "reduction",
        "start_us",
        "status",
        "summary",
        "task",
        "traceback",
        "upstreams",
        "value",
        "watched",
    )

    def __init__(self, execution_id: bytes, number: int, facts: TaskFacts, caller: Caller) -> None:
        self.execution_id = execution_id
        self.number = number
        self.facts = facts
        self.task = facts.task
        self.caller = caller
        self.parent = caller.parent
        self.attempt = 1
        self.executor = facts.executor
        self.eval: Oid | None = None
        self.start_us = 0
        self.status = 0
        self.needs = facts.needs
        self.key: Any = None
        self.context: Context | None = None
        self.args: tuple[Any, ...] = ()
        self.kwargs: Mapping[str, Any] | None = None
        self.children: list[Oid | None] | None = None
        self.upstreams: list[tuple[int, list[Oid]]] | None = None
        self.summary: SummaryBuilder | None = None
        self.given: frozenset[Oid] | None = None  # files and handles in the arguments
        self.handles: list[HandleInfo] | None = None  # what it takes of each handle in the arguments
        self.reduction: Oid | None = None
        self.prior: list[Candidate] | None = None
        self.value: Any = None
        self.line: str | None = None
        self.error: BaseException | None = None
        self.traceback: TracebackType | Traceback | None = None
        self.produced: ProducedFiles | None = None
        self.watched: list[Watched] | None = None  # arguments that others hold too, and may change
        self.disturbed: list[str] | None = None  # what it was given and something changed while it ran
        self.dropped: list[TaskExpression[Any]] | None = None  # calls that the function built and did not use
        self.keeper: FileKeeper | None = None
        self.portal: Portal | None = None  # what its way to another process needs
        # Ends what the job runs outside of this process; there while it does.  May be called from any thread.
        self.cancel: Callable[[], None] | None = None

    @property
    def id(self) -> str:
        """The job's id, written as a UUID is."""
        return format_id(job_id(self.execution_id, self.number))

    @property
    def short_id(self) -> str:
        """The first eight digits of the id."""
        return job_id(self.execution_id, self.number)[:4].hex()

    def get_options(self) -> dict[str, Any]:
        """Return the options in force for this job."""
        return dict(self.facts.options)

    def get_option(self, name: str, default: Any = None) -> Any:
        """Return one of the options in force."""
        return self.facts.options.get(name, default)

    def info(self) -> JobInfo:
        """Return what the job's function may know of it, while it has its arguments."""
        from redun.task.argument_hashes import args_hash_of

        args_hash = args_hash_of(self.facts.binder, self.args, self.kwargs or {})
        return JobInfo(format_id(self.execution_id), self.id, self.eval_hash, args_hash, self.facts.options)

    def add_child(self) -> int:
        """Keep a place among the calls below this job, in the order they were asked for; return it."""
        if self.children is None:
            self.children = []
        self.children.append(None)
        return len(self.children) - 1

    def run(self) -> None:
        """Run the task's function in this thread, and look at the files that its value names."""
        running.job = self
        start_ns = mark_start()
        try:
            with track_writes():
                args, kwargs = self.handed()
                with BuiltCalls() as built:
                    value = self.task.func(*args, **kwargs)
                self.dropped = built.find_dropped() or None
                if self.task.script:
                    from redun.scripting.plan import run_script  # few workflows have any

                    value = run_script(value, self)
                self.settle(value, start_ns)
        except BaseException as error:
            # SystemExit and KeyboardInterrupt of user code too: a worker thread must report, or the run would hang.
            self.error = error
            self.traceback = error.__traceback__
        finally:
            running.job = None  # an idle thread would keep alive whatever waits for this job
            self.forget_arguments()

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call the task's function in this thread as this job's, for executors that hand in what it returns."""
        running.job = self
        try:
            with BuiltCalls() as built:
                value = self.task.func(*args, **kwargs)
            self.dropped = built.find_dropped() or None
            return value
        finally:
            running.job = None

    # -- for executors whose workers are other processes: see ``redun.executors.base.PortableWork``

    @property
    def task_name(self) -> str:
        """The full name of the task."""
        return self.task.fullname

    @property
    def eval_hash(self) -> str:
        """The hash of task and arguments, 64 hex digits; empty for a call that was refused."""
        return "" if self.eval is None else self.eval.hex()

    @property
    def labels(self) -> dict[str, str]:
        """What a cluster may show of the job."""
        return {**({} if self.portal is None else self.portal.labels), "redun_job_id": self.id}

    @property
    def is_reusable(self) -> bool:
        """Whether an outcome that an earlier run has left may serve."""
        return self.facts.is_cached and self.portal is not None and self.portal.uses_cache

    def begin(self) -> None:
        """Note that the function begins to run; an executor that does not call ``run`` here calls this."""

    def pack(self, contents: Blobs | None) -> bytes:
        """Return the call as a parcel; large contents are put into ``contents``."""
        from redun.scheduler.portable import pack_call  # most runs stay in their process

        return pack_call(self, contents)

    def is_served_by(self, outcome: bytes, contents: Blobs | None) -> bool:
        """Tell whether what an earlier run has left may be taken."""
        from redun.scheduler.left_outcomes import is_served_by

        return is_served_by(self, outcome, contents)

    def take(self, outcome: bytes, contents: Blobs | None) -> None:
        """Take what a worker made of the call."""
        from redun.scheduler.portable import take_outcome

        take_outcome(self, outcome, contents)

    def fail(self, error: BaseException, log: Sequence[str] = ()) -> None:
        """Take an error of the executor's own; ``log`` are the last lines that a worker wrote."""
        if log:
            error.log_lines = list(log)  # type: ignore[attr-defined]
        self.error, self.traceback = error, error.__traceback__
        self.forget_arguments()

    def add_log(self, lines: Sequence[str]) -> None:
        """Add the last lines of a worker to the error that came from it; what the error tells already is left out."""
        from redun.scheduler.errors import Traceback

        if isinstance(self.traceback, Traceback):
            told = self.traceback.error
            new = [line for line in lines if line.strip() and line.strip() not in told]
            self.traceback = self.traceback._replace(error="\n".join([*new, told]))

    def add_tags(self, tags: Iterable[Tag]) -> None:
        """Tag this job, from any thread."""
        if self.portal is not None:
            self.portal.tag(self, tags)

    # -- running

    def forget_arguments(self) -> None:
        """Let go of the arguments, unless another attempt may need them."""
        if self.error is None or self.facts.retry is None:
            self.args = ()
            self.kwargs = self.watched = None

    def handed(self) -> tuple[Iterable[Any], dict[str, Any]]:
        """Return the arguments as the function gets them; the first part can be gone through once."""
        kwargs = {name: self._hand(value) for name, value in self.kwargs.items()} if self.kwargs else {}
        return map(self._hand, self.args), kwargs

    def settle(self, value: Any, start_ns: int) -> None:
        """Take what the function returned, and look at the files in it; still where ``track_writes`` is in force."""
        if type(value) not in ATOMS:
            value = postprocess(value, self._hook_facts())
        if self.keeper is not None:
            if type(value) not in ATOMS:
                self.produced = self.keeper.settle(value, start_ns)
            if self.given:
                self.disturbed = self.keeper.find_disturbed((self.args, dict(self.kwargs or {})), value)
        if self.watched is not None:
            self.disturbed = [*(self.disturbed or ()), *find_changed(self.watched)]
        self.value = value

    def _hand(self, value: Any) -> Any:
        """Return an argument as the function gets it."""
        if type(value) in ATOMS:
            return value
        return self.info() if type(value) is JobInfo else preprocess(own_copy(loaded(value)), self._hook_facts())

    def _hook_facts(self) -> dict[str, Any]:
        """Return what the hooks of values are told about the call."""
        return {"pre_call_hash": self.eval_hash}


class JobView:
    """A job seen with another context: what the default arguments of a call with a context of its own stand below."""

    __slots__ = ("_job", "context")

    def __init__(self, job: Job, context: Context | None) -> None:
        self._job = job
        self.context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._job, name)

    @property
    def summary(self) -> SummaryBuilder | None:
        """The job's own summary."""
        return self._job.summary

    @summary.setter
    def summary(self, summary: SummaryBuilder) -> None:
        self._job.summary = summary
