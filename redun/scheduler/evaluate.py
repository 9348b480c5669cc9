"""Turning what a task returned, or was given, into values, without recursion.

Theory of operation.  A *waiter* is owed the value of one part, in one *slot*.  ``Evaluator.start`` looks at a part:
a concrete one is delivered; a call of a task goes to ``on_call`` with its waiter; an operation or a container becomes
a ``Gather``, which waits for its own parts, builds its value once all are there, and delivers that to its own waiter.
Deliveries beyond one step go through a queue of deferred steps, so that depth costs memory and no stack.
Starting the parts of a wide container is deferred in slices too: results of the first jobs are taken while the last
ones are still being started.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from typing import Any, Protocol

from redun.expression import Expression, SchedulerExpression, SimpleExpression, TaskExpression, ValueExpression
from redun.expression_codec import is_concrete, make_dataclass, make_namedtuple, set_fields
from redun.operators import BUILT_IN, UnknownOperation, find_operation, get_operation
from redun.scheduler.job import Job
from redun.scheduler.owned import ATOMS
from redun.value.stored import loaded

SLICE = 64
"""How many parts of a wide container are started before finished jobs are looked at again."""

OnCall = Callable[[TaskExpression[Any], "Job | None", "Waiter", int], None]
OnForm = Callable[[SchedulerExpression[Any], "Job | None", "Waiter"], None]


class Waiter(Protocol):
    """Something that is owed values."""

    def deliver(self, slot: int, value: Any) -> None:
        """Take the value of one part."""

    def fail(self, slot: int, error: BaseException) -> None:
        """Learn that one part has no value."""


class Shared:
    """Waits for a part that may stand in several places below one job; it is evaluated once, and all get its value."""

    __slots__ = ("_error", "_is_ended", "_value", "_waiters", "owner")

    def __init__(self, owner: Job | Evaluator, waiter: Waiter, slot: int) -> None:
        self.owner = owner
        self._waiters = [(waiter, slot)]
        self._is_ended = False
        self._value: Any = None
        self._error: BaseException | None = None

    def add(self, waiter: Waiter, slot: int) -> None:
        """Answer another waiter, now or later."""
        if not self._is_ended:
            self._waiters.append((waiter, slot))
        elif self._error is not None:
            waiter.fail(slot, self._error)
        else:
            waiter.deliver(slot, self._value)

    def deliver(self, _slot: int, value: Any) -> None:
        """Take the value, and pass it on."""
        self._is_ended, self._value = True, value
        waiters, self._waiters = self._waiters, []
        for waiter, slot in waiters:
            waiter.deliver(slot, value)

    def fail(self, _slot: int, error: BaseException) -> None:
        """Learn that there is no value, and pass that on."""
        self._is_ended, self._error = True, error
        waiters, self._waiters = self._waiters, []
        for waiter, slot in waiters:
            waiter.fail(slot, error)


class Gather:
    """Waits for the parts of one thing, then builds it."""

    __slots__ = ("_at", "_build", "_evaluator", "_missing", "_parent", "_pending", "_values", "_waiter", "_waiter_slot")

    def __init__(
        self,
        evaluator: Evaluator,
        parts: list[Any],
        build: Callable[[list[Any]], Any],
        parent: Job | None,
        waiter: Waiter,
        slot: int,
    ) -> None:
        self._evaluator = evaluator
        self._values = parts
        self._build = build
        self._parent = parent
        self._waiter = waiter
        self._waiter_slot = slot
        self._pending = [index for index, part in enumerate(parts) if not is_concrete(part)]
        self._missing = len(self._pending)
        self._at = 0
        evaluator.defer(self._start_slice if self._missing else self._finish)

    def deliver(self, slot: int, value: Any) -> None:
        """Take one part; build the whole when it was the last."""
        self._values[slot] = value
        self._missing -= 1
        if not self._missing:
            self._evaluator.defer(self._finish)

    def fail(self, _slot: int, error: BaseException) -> None:
        """Pass the first failure on; later parts are still taken, and change nothing."""
        waiter, self._waiter = self._waiter, _NOBODY
        self._missing -= 1
        self._evaluator.defer(lambda: waiter.fail(self._waiter_slot, error))

    def _start_slice(self) -> None:
        end = min(self._at + SLICE, len(self._pending))
        start = self._evaluator.start
        for position in range(self._at, end):
            index = self._pending[position]
            start(self._values[index], self._parent, self, index)
        self._at = end
        if end < len(self._pending):
            self._evaluator.defer(self._start_slice)

    def _finish(self) -> None:
        if self._waiter is _NOBODY:
            return
        try:
            value = self._build(self._values)
        except Exception as error:
            self._waiter.fail(self._waiter_slot, error)
            return
        # What building gave may be lazy again: an operation on a partial task makes a call.
        if isinstance(value, Expression) and not is_concrete(value):
            self._evaluator.start(value, self._parent, self._waiter, self._waiter_slot)
        else:
            self._waiter.deliver(self._waiter_slot, value)


class _Nobody:
    """The waiter of a thing that has failed already."""

    def deliver(self, slot: int, value: Any) -> None:
        pass

    def fail(self, slot: int, error: BaseException) -> None:
        pass


_NOBODY = _Nobody()


class Evaluator:
    """Walks expressions for one execution."""

    def __init__(self, on_call: OnCall, on_form: OnForm, on_foreign: Callable[[Job], None]) -> None:
        """Make a walker that tells what it meets.

        Args:
            on_call: takes calls of tasks.
            on_form: takes calls of scheduler tasks, and answers slot 0 of a waiter.
            on_foreign: told of a job below which an operation of a user's own stands, whose code no hash covers.
        """
        self._on_call = on_call
        self._on_form = on_form
        self._on_foreign = on_foreign
        self._deferred: deque[Callable[[], None]] = deque()

    def defer(self, step: Callable[[], None]) -> None:
        """Do a step later, in order."""
        self._deferred.append(step)

    @property
    def is_idle(self) -> bool:
        """Whether no step is waiting to be done."""
        return not self._deferred

    def run_deferred(self, limit: int = SLICE) -> bool:
        """Do at most ``limit`` deferred steps; tell whether some are left."""
        steps = self._deferred
        while steps and limit:
            limit -= 1
            steps.popleft()()
        return bool(steps)

    def start(self, part: Any, parent: Job | None, waiter: Waiter, slot: int) -> None:
        """See to it that ``waiter`` gets the value of ``part``, now or later."""
        if type(part) is TaskExpression:
            self._on_call(part, parent, waiter, slot)
        elif type(part) in ATOMS or is_concrete(part):
            waiter.deliver(slot, part)
        elif isinstance(part, (SimpleExpression, SchedulerExpression)):
            self._start_shared(part, parent, waiter, slot)
        else:
            parts, build = _open(part)
            Gather(self, parts, build, parent, waiter, slot)

    def _start_shared(
        self, part: SimpleExpression | SchedulerExpression[Any], parent: Job | None, waiter: Waiter, slot: int
    ) -> None:
        shared = part.evaluated
        # A part below no job belongs to this run: a default argument outlives it, and may have another value then.
        owner = self if parent is None else parent
        if shared is not None and shared.owner is owner:
            shared.add(waiter, slot)
            return
        part.evaluated = shared = Shared(owner, waiter, slot)
        if isinstance(part, SchedulerExpression):
            # Deferred: a form may lead to a form at once, without a job in between.
            self.defer(lambda: self._on_form(part, parent, shared))
        else:
            if part.func_name not in BUILT_IN and parent is not None:
                self._on_foreign(parent)
            if find_operation(part.func_name) is None:
                shared.fail(0, UnknownOperation(part.func_name))
                return
            parts, build = _open(part)
            Gather(self, parts, build, parent, shared, 0)

    def gather(
        self, parts: list[Any], build: Callable[[list[Any]], Any], parent: Job | None, waiter: Waiter, slot: int
    ) -> None:
        """Evaluate several parts, and deliver what ``build`` makes of their values."""
        Gather(self, parts, build, parent, waiter, slot)


def _open(part: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """Return the parts of something that is not concrete, and how to build it from their values."""
    if isinstance(part, SimpleExpression):
        func = get_operation(part.func_name).func
        names, n_args = list(part.kwargs), len(part.args)
        if not names:
            return list(part.args), lambda values: func(*loaded(values))
        return [*part.args, *part.kwargs.values()], lambda values: func(
            *loaded(values[:n_args]), **dict(zip(names, loaded(values[n_args:])))
        )
    if isinstance(part, ValueExpression):
        return [part.value], lambda values: values[0]
    if isinstance(part, dict):
        return [item for pair in part.items() for item in pair], _pairs_to_dict
    if isinstance(part, tuple) and hasattr(part, "_fields"):
        cls = type(part)
        return list(part), lambda values: make_namedtuple(cls, values)
    if is_dataclass(part):
        names = set_fields(part)
        kind = type(part)
        return [getattr(part, name) for name in names], lambda values: make_dataclass(kind, dict(zip(names, values)))
    return list(part), list if isinstance(part, list) else type(part)


def _pairs_to_dict(values: list[Any]) -> dict[Any, Any]:
    items: Iterator[Any] = iter(values)
    return dict(zip(items, items))


def iter_calls(part: Any) -> Iterator[TaskExpression[Any]]:
    """Yield the calls that the value of a part comes from directly, in order; not those their arguments come from."""
    stack = [part]
    opened: set[int] = set()  # what stands in many places is looked into once
    while stack:
        top = stack.pop()
        if type(top) is TaskExpression:
            yield top
        elif type(top) not in ATOMS and id(top) not in opened and not is_concrete(top):
            opened.add(id(top))
            stack.extend(reversed(_sources_of(top)))


def _sources_of(part: Any) -> list[Any]:
    """Return the parts that the value of a part comes from."""
    if isinstance(part, ValueExpression) and part.upstreams is not None:
        return part.upstreams
    if isinstance(part, SchedulerExpression):
        return [*part.args, *part.kwargs.values()] if part.upstreams is None else part.upstreams
    return _open(part)[0]
