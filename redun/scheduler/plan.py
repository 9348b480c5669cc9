"""What waits on what, what collapses into what, what may start: a pure state machine.

It does no I/O, reads no clock and starts no thread; jobs are opaque to it.  The scheduler tells it what happened and
does what it answers.

Theory of operation.  A call is *claimed* under its key (eval hash and context).  The first claim leads: its job goes
on to be looked up or run.  Later claims of the same key follow the leader while it is pending, and are answered at once
when it has ended; that is common subexpression elimination (CSE).  A job that has to run asks to be *admitted*: it
names the units of each limit that it holds while it runs, and waits in line when they are taken.  Waiting jobs are
looked through in order whenever units come back, and one that needs other limits than those in front of it may pass.
Once the plan is *stopped*, nothing more is admitted; what is running may end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar

from redun.errors import ConfigError

Job = TypeVar("Job")


class Claim(Enum):
    """What a call is to do after it was claimed."""

    LEAD = 1  # nobody has asked for this key before: go on
    FOLLOW = 2  # a job is on its way: it will answer this call too
    REPLAY = 3  # it has ended: take its outcome


class BadLimit(ConfigError):
    """A limit is below 1, or a task asks for more units than there are."""


class _Pending(Generic[Job]):
    __slots__ = ("callers",)

    def __init__(self) -> None:
        self.callers: list[Any] = []


class _Waiting(NamedTuple):
    job: Any
    needs: Mapping[str, int]


class Plan(Generic[Job]):
    """The state of one execution."""

    def __init__(self, limits: Mapping[str, int] | None = None) -> None:
        """Take the units of each declared limit; an undeclared one has a single unit.

        Raises:
            BadLimit: a limit is below 1.
        """
        for name, units in (limits or {}).items():
            if units < 1:
                raise BadLimit(f"limit {name!r} must be at least 1, found {units}")
        self._limits = dict(limits or {})
        self._used: dict[str, int] = {}
        self._calls: dict[Hashable, Any] = {}
        self._line: deque[_Waiting] = deque()
        self.n_running = 0
        self.is_stopped = False

    # -- collapsing equal calls

    def claim(self, key: Hashable, caller: Any) -> tuple[Claim, Any]:
        """Claim a call; return what to do, and for REPLAY the outcome that its job ended with."""
        known = self._calls.get(key)
        if known is None:
            self._calls[key] = _Pending()
            return Claim.LEAD, None
        if type(known) is _Pending:
            known.callers.append(caller)
            return Claim.FOLLOW, None
        return Claim.REPLAY, known

    def settle(self, key: Hashable, outcome: Any) -> list[Any]:
        """Note how a claimed call ended; return the callers that followed it, in the order of their claims.

        ``outcome`` is any object but None.
        """
        pending = self._calls.get(key)
        self._calls[key] = outcome
        return pending.callers if type(pending) is _Pending else []

    # -- limits

    def admit(self, job: Job, needs: Mapping[str, int] | None = None) -> bool:
        """Tell whether a job may start now; otherwise it waits in line, and ``release`` will name it.

        Raises:
            BadLimit: it needs more units than the limit has, and could never start.
        """
        if needs:
            for name, units in needs.items():
                if units > self._limits.get(name, 1):
                    raise BadLimit(
                        f"a task needs {units} units of limit {name!r}, which has {self._limits.get(name, 1)}",
                        hint=f"raise it under [limits] in redun.ini: {name} = {units}",
                    )
        if self.is_stopped:
            self._line.append(_Waiting(job, needs or {}))
            return False
        if needs and not self._has_room(needs):
            self._line.append(_Waiting(job, needs))
            return False
        self._take(needs)
        return True

    def release(self, needs: Mapping[str, int] | None = None) -> list[Job]:
        """Note that an admitted job has ended; return the waiting jobs that may start now, in order."""
        self.n_running -= 1
        if not needs:
            return []
        for name, units in needs.items():
            self._used[name] -= units
        if self.is_stopped:
            return []
        admitted: list[Job] = []
        still_waiting: deque[_Waiting] = deque()
        for waiting in self._line:
            if self._has_room(waiting.needs):
                self._take(waiting.needs)
                admitted.append(waiting.job)
            else:
                still_waiting.append(waiting)
        self._line = still_waiting
        return admitted

    def forget(self) -> None:
        """Drop what is known of calls: the execution is over, and sealing it needs the memory."""
        self._calls.clear()

    def drop(self, count: int) -> None:
        """Note that jobs which were admitted have been cancelled before they started; only once stopped."""
        self.n_running -= count

    def stop(self) -> None:
        """Admit nothing from now on."""
        self.is_stopped = True

    @property
    def n_waiting(self) -> int:
        """How many jobs stand in line."""
        return len(self._line)

    def _has_room(self, needs: Mapping[str, int]) -> bool:
        return all(self._used.get(name, 0) + units <= self._limits.get(name, 1) for name, units in needs.items())

    def _take(self, needs: Mapping[str, int] | None) -> None:
        self.n_running += 1
        if needs:
            for name, units in needs.items():
                self._used[name] = self._used.get(name, 0) + units
