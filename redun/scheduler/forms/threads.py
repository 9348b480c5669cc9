"""``fork_thread`` and ``join_thread``: evaluation in the background, which the job that began it does not wait for.

Theory of operation.  A fork begins to evaluate its expression below the job that forks, and answers at once with a
``Thread``: the expression and the context that it is evaluated in, as a plain value.  The run knows what it has forked
by the hash of that value, so a ``Thread`` that comes back from the store finds its evaluation too; where there is none,
as in a later run that reused the job that forked, joining begins one.  Equal threads of one run are one.

The invariant: a value that a thread gave counts as made by the calls that the thread made.  They stand below the job
that joins, so a change of one is seen there.  A job that forks, or joins, is never reused in one step: its calls are
asked anew, so that what runs in the background runs as it would have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from redun.expression import QuotedExpression, quote
from redun.promise import Promise
from redun.scheduler.context import merge_context
from redun.scheduler.errors import SchedulerError
from redun.scheduler.job import JobView
from redun.scheduler.summary import SummaryBuilder
from redun.task import scheduler_task
from redun.value.encoding import encode_value
from redun.value.value import Value

if TYPE_CHECKING:
    from redun.expression import SchedulerExpression
    from redun.hashing import Oid
    from redun.scheduler.context import Context
    from redun.scheduler.job import Job
    from redun.scheduler.scheduler import Scheduler


class Thread(Value):
    """An evaluation in the background, as a value: ``join_thread`` gives what it comes to."""

    type_name: ClassVar[str] = "redun.Thread"

    def __init__(self, expr: QuotedExpression[Any], context: dict[str, Any] | None = None) -> None:
        """``context`` is what the expression is evaluated in."""
        self.expr = expr
        self.context = context

    def __repr__(self) -> str:
        return f"Thread({self.expr.expr!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"expr": self.expr, "context": self.context}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.expr = state["expr"]
        self.context = state["context"]


class Fork(JobView):
    """The job that forked, as the calls of the thread see it; what they add up to is kept apart from it."""

    __slots__ = ("_summary", "children", "promise")

    def __init__(self, job: Job, context: Context | None) -> None:
        super().__init__(job, context)
        self.children: list[Oid | None] = []
        self.promise: Promise[Any] = Promise()
        self._summary: SummaryBuilder | None = None

    @property
    def summary(self) -> SummaryBuilder | None:
        """What lies below the thread."""
        return self._summary

    @summary.setter
    def summary(self, summary: SummaryBuilder) -> None:
        self._summary = summary

    def add_child(self) -> int:
        """Keep a place among the calls of the thread."""
        self.children.append(None)
        return len(self.children) - 1

    def hand_over(self, job: Job) -> None:
        """Have the calls of the thread stand below the job that joins it."""
        for call in self.children:
            place = job.add_child()
            assert job.children is not None
            job.children[place] = call
        if self._summary is not None:
            if job.summary is None:
                job.summary = SummaryBuilder()
            job.summary.add_below(self._summary.build()[0])


@scheduler_task(namespace="redun", version="1")
def fork_thread(
    scheduler: Scheduler, parent_job: Job | None, expression: SchedulerExpression[Any], expr: Any
) -> Promise[Any]:
    """Begin to evaluate a part in the background; return a ``Thread`` at once.

    The run does not end before it, and does not fail of it: its error is that of whoever joins it.
    """
    expression.upstreams = []
    context = scheduler.context_of(parent_job)
    thread = Thread(quote(expr), None if context is None else dict(context.values))
    _begin(scheduler, parent_job, thread)
    return Promise(lambda resolve, _reject: resolve(thread))


@scheduler_task(namespace="redun", version="1")
def join_thread(
    scheduler: Scheduler, parent_job: Job | None, expression: SchedulerExpression[Any], thread: Any
) -> Promise[Any]:
    """Return what a ``Thread`` comes to, once it has.

    Raises:
        TypeError: the part comes to something else than a ``Thread``.
    """

    def join(found: Any) -> Promise[Any]:
        if not isinstance(found, Thread):
            raise TypeError(f"join_thread takes what fork_thread gave, found a {type(found).__name__}")
        expression.upstreams = [found.expr.expr]
        fork = _begin(scheduler, parent_job, found)

        def take(value: Any) -> Any:
            if parent_job is not None:
                fork.hand_over(parent_job)
            return value

        return fork.promise.then(take)

    return scheduler.evaluate(thread, parent_job).then(join)


def _begin(scheduler: Scheduler, parent_job: Job | None, thread: Thread) -> Fork:
    """Return the evaluation of a thread, begun now unless this run has begun it before."""
    if parent_job is None:
        raise SchedulerError("fork_thread and join_thread stand below a job: in what a task returns")
    run = scheduler.current_run()
    key = encode_value(thread).oid
    known: Fork | None = run.threads.get(key)
    if known is not None:
        return known
    made = Fork(parent_job, merge_context(None, thread.context))
    run.threads[key] = made
    run.loop.n_background += 1

    def note(_outcome: Any) -> None:
        run.loop.n_background -= 1

    below: Any = made
    scheduler.evaluate(thread.expr.expr, below).then(made.promise.do_resolve, made.promise.do_reject)
    made.promise.then(note, note)
    return made
