"""The Executor contract.  An executor never sees the scheduler: it runs pieces of work and reports each one back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol


class Work(Protocol):
    """One call to be run somewhere.  It carries its own outcome.

    Work that can be ended while it runs has an attribute ``cancel``: a function that does so and returns at once, to be
    called from any thread; None while there is nothing to end.  Cancelled work ends with an error.
    """

    def run(self) -> None:
        """Run the call and note its result or its error.  Never raises."""


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
