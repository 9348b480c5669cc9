"""The Executor contract.  An executor never sees the scheduler: it runs pieces of work and reports each one back.

Work runs in one of two ways.  An executor of threads calls ``work.run()``.  One whose workers are other processes moves
bytes: ``work.pack`` gives the call as a parcel (docs/format/parcel.md), ``redun.worker.run_parcel`` makes the outcome
of it on the other side, and ``work.take`` takes that back.  Why: docs/internals/executors.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from redun.store.blobs import Blobs


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

    def take(self, outcome: bytes, contents: Blobs | None) -> None:
        """Take what ``run_parcel`` made of the parcel: a result or an error.  Never raises.

        An outcome that is damaged, or of another call, is an error of the work.
        """

    def fail(self, error: BaseException, log: Sequence[str] = ()) -> None:
        """Take an error of the executor's own: the worker died, say.  ``log``: the last lines that it wrote."""

    def add_tags(self, tags: Iterable[tuple[str, Any]]) -> None:
        """Tag the job that this is: with the id that a cluster gave it, say."""


Report = Callable[[Work], None]
"""Hands finished work back.  May be called from any thread."""


class Executor(ABC):
    """Runs work.

    * ``submit`` returns at once; each piece of work is reported exactly once after it ran.
    * Work submitted first is started first; no order is promised for the ends.
    * ``start`` is called before the first ``submit``, ``stop`` at the end of an execution; both are idempotent, and an
      executor may be started again.
    """

    runs_coroutines: bool = False
    """Whether async tasks may name this executor: they run beside its threads, in this process."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def start(self, report: Report, thread_setup: Callable[[], None]) -> None:
        """Get ready.  ``thread_setup`` is called once in each thread of this process that will run work."""

    def use_contents(self, contents: Blobs | None) -> None:  # noqa: B027  (work in this process needs no such place)
        """Learn where contents of 1 MiB and more may lie for workers on this machine; called before ``start``.

        ``contents`` are those of the run's repository, when that lies on a disk; else None.
        """

    @abstractmethod
    def submit(self, work: Work) -> None:
        """Take one piece of work."""

    @abstractmethod
    def cancel_waiting(self) -> int:
        """Drop the work that has not started, unreported; return how many pieces that were."""

    def cancel_running(self) -> None:  # noqa: B027  (most work cannot be ended)
        """End what can be ended of the work that runs; return once it has ended, or was given its time."""

    def abandon(self, work: Work) -> None:  # noqa: B027  (an executor without a bound on places has nothing to do)
        """Take back the place of work whose time is up: it may go on for ever, and nobody waits for it.

        It is reported like any other when it ends after all.
        """

    @abstractmethod
    def stop(self) -> None:
        """Let go of threads once what runs has ended.  Does not wait for it."""
