"""The Executor contract.  An executor never sees the scheduler: it runs pieces of work and reports each one back.

Work runs in one of two ways.  An executor of threads calls ``work.run()``.  One whose workers are other processes moves
bytes: ``work.pack`` gives the call as a parcel (docs/format/parcel.md), ``redun.worker.run_parcel`` makes the outcome
of it on the other side, and ``work.take`` takes that back.  Why: docs/internals/executors.md.

Users of the language have executors of an older shape: ``start()`` without arguments, results through
``self._scheduler``.  They subclass the same ``Executor``, and ``redun.executors.custom`` puts them under this contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from redun.errors import ExecutorError
from redun.store.blobs import Blobs

if TYPE_CHECKING:
    from redun.executors.registry import (
        get_executor_from_config,
        get_executors_from_config,
        load_task_module,
        register_executor,
    )

# The last four are in the registry, which stands on this module: they are found when they are asked for.
__all__ = [
    "Executor",
    "ExecutorError",
    "PortableWork",
    "Report",
    "Work",
    "get_executor_from_config",
    "get_executors_from_config",
    "load_task_module",
    "register_executor",
]


class Work(Protocol):
    """One call to be run somewhere.  It carries its own outcome.

    Work that can be ended while it runs has an attribute ``cancel``: a function that does so and returns at once, to be
    called from any thread; None while there is nothing to end.  Cancelled work ends with an error.
    """

    def run(self) -> None:
        """Run the call and note its result or its error.  Never raises."""


class PortableWork(Work, Protocol):
    """A call that another process can run.  Jobs are.

    Either ``run`` is called, or: ``pack``, ``begin`` once it is known to have begun, then one of ``take`` and ``fail``.
    All of it may be called from any thread.
    """

    @property
    def task_name(self) -> str:
        """The full name of the task."""

    @property
    def eval_hash(self) -> str:
        """The hash of task and arguments, 64 hex digits: what a worker on its way is found again by."""

    @property
    def labels(self) -> Mapping[str, str]:
        """What a cluster may show of the job: ``redun_job_id``, ``redun_execution_id`` and the like."""

    @property
    def is_reusable(self) -> bool:
        """Whether an outcome of an earlier run may serve: what is left in a scratch, and what still runs."""

    def get_options(self) -> dict[str, Any]:
        """Return the options in force for the call, those of the executor's section left out."""

    def begin(self) -> None:
        """Note that the function begins to run: its time limit counts from here."""

    def pack(self, contents: Blobs | None) -> bytes:
        """Return the call as a parcel.

        Args:
            contents: where large contents (1 MiB and more) are put for the worker to read; None packs them too.

        Raises:
            RedunError: the call cannot be handed over; nobody can run it elsewhere.
            OSError: ``contents`` cannot be written.
        """

    def is_served_by(self, outcome: bytes, contents: Blobs | None) -> bool:
        """Tell whether an outcome that an earlier run has left may be taken: a result, and valid now.  Never raises."""

    def take(self, outcome: bytes, contents: Blobs | None) -> None:
        """Take what ``run_parcel`` made of the parcel: a result or an error.  Never raises.

        An outcome that is damaged, or of another call, is an error of the work.
        """

    def fail(self, error: BaseException, log: Sequence[str] = ()) -> None:
        """Take an error of the executor's own: the worker died, say.  ``log``: the last lines that it wrote."""

    def add_log(self, lines: Sequence[str]) -> None:
        """Add the last lines that the worker wrote to an error that ``take`` took; to a result nothing is added."""

    def add_tags(self, tags: Iterable[tuple[str, Any]]) -> None:
        """Tag the job that this is: with the id that a cluster gave it, say."""


Report = Callable[[Work], None]
"""Hands finished work back.  May be called from any thread."""


class Executor:
    """Runs work.

    * ``submit`` returns at once; each piece of work is reported exactly once after it ran.
    * Work submitted first is started first; no order is promised for the ends.
    * ``start`` is called before the first ``submit``, ``stop`` at the end of an execution; both are idempotent, and an
      executor may be started again.
    """

    runs_coroutines: bool = False
    """Whether async tasks may name this executor: they run beside its threads, in this process."""

    handles: frozenset[str] = frozenset()
    """Those of the options ``retries`` and ``timeout`` that the executor sees to: the scheduler leaves them to it."""

    option_names: frozenset[str] = frozenset()
    """The options of tasks that it reads.  A task's option that is nearly one of them gets a warning."""

    def __init__(self, name: str, scheduler: Any = None, config: Any = None) -> None:  # noqa: ARG002  (as users know it)
        """Make an executor; ``config`` is its section, for subclasses to read."""
        self.name = name
        self._scheduler = scheduler

    def start(self, *_args: Any, **_kwargs: Any) -> None:
        """Get ready.  What is called is ``start(report: Report, thread_setup: Callable[[], None])``.

        ``thread_setup`` is called once in each thread of this process that will run work.  The parameters are not
        named here, since executors of the older shape have none: type checkers take both.
        """

    def use_contents(self, contents: Blobs | None) -> None:
        """Learn where contents of 1 MiB and more may lie for workers on this machine; called before ``start``.

        ``contents`` are those of the run's repository, when that lies on a disk; else None.
        """

    def submit(self, work: Any, /) -> None:
        """Take one piece of ``Work``."""
        del work
        raise ExecutorError(f"executor {self.name!r} ({type(self).__name__}) takes no tasks: it has no method submit")

    def submit_script(self, job: Any, /) -> None:
        """Take a job of a script task; of executors of the older shape only.  To others it is work like any other."""
        del job
        raise ExecutorError(
            f"executor {self.name!r} ({type(self).__name__}) takes no script tasks: it has no method submit_script"
        )

    def cancel_waiting(self) -> int:
        """Drop the work that has not started, unreported; return how many pieces that were."""
        return 0

    def cancel_running(self) -> None:
        """End what can be ended of the work that runs; return once it has ended, or was given its time."""

    def abandon(self, work: Work) -> None:
        """Take back the place of work whose time is up: it may go on for ever, and nobody waits for it.

        It is reported like any other when it ends after all.
        """

    def stop(self) -> None:
        """Let go of threads once what runs has ended.  Does not wait for it."""

    def set_scheduler(self, scheduler: Any) -> None:
        """Note which scheduler this belongs to: called when it is added to one."""
        self._scheduler = scheduler

    def supports_async(self) -> bool:
        """Return whether async tasks may name this executor."""
        return self.runs_coroutines

    def scratch_root(self) -> str:
        """Return where it keeps its files.  Raises ExecutorError for one that has none."""
        raise ExecutorError(f"executor {self.name!r} ({type(self).__name__}) has no scratch")

    def log(self, *messages: object, **_options: Any) -> None:
        """Write a line to the log of the run."""
        if self._scheduler is not None:
            self._scheduler.log(*messages)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from redun.executors import registry

    return getattr(registry, name)
