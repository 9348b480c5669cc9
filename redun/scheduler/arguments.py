"""What a call waits for before it can be claimed: its options, its arguments, and defaults that are expressions.

Each waiter is told once, in the scheduler's thread, and hands the call on to the reducer, or its error to whoever
asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redun.hashing import Oid
from redun.scheduler.context import Context
from redun.scheduler.evaluate import Evaluator, iter_calls
from redun.scheduler.facts import CallOptions, TaskFacts
from redun.scheduler.job import Caller, Job, JobView
from redun.scheduler.owned import ATOMS
from redun.task.binding import BoundArguments
from redun.value.stored import loaded

if TYPE_CHECKING:
    from redun.scheduler.reduce import Reducer


class OptionsWaiter:
    """Waits for the options of one call."""

    __slots__ = ("_caller", "_reducer")

    def __init__(self, reducer: Reducer, caller: Caller) -> None:
        self._reducer = reducer
        self._caller = caller

    def deliver(self, _slot: int, options: CallOptions) -> None:
        self._reducer.call_with(loaded(options), self._caller)

    def fail(self, _slot: int, error: BaseException) -> None:
        self._caller.waiter.fail(self._caller.slot, error)


class ArgumentsWaiter:
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
        self, evaluator: Evaluator, scope: Job, indexes: list[int], parts: list[Any], waiter: ArgumentsWaiter
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


def gather_arguments(
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


def upstreams_of(source: BoundArguments, names: list[str | int]) -> list[tuple[int, list[Oid]]] | None:
    """Return, for each argument made from other calls, its index among the names of the eval, and those calls."""
    found: list[tuple[int, list[Oid]]] = []
    for name, value in source.hashed():
        if type(value) not in ATOMS:
            calls = [call.call_hash for call in iter_calls(value) if call.call_hash is not None]
            if calls and name in names:
                found.append((names.index(name), calls))
    return found or None
