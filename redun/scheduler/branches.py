"""Which branch of a handle each call below a job gets.

Calls below one job that take the same state of a handle get forks of it, numbered from 1 in the order of the calls.  So
two of them do not undo each other's work, and the first call after an edit of its task takes the place of the first
call before it.

The invariant: a call's number does not depend on what is cached, nor on which job ends first.  So numbers are given
when calls are asked for, before their other arguments are known; what a call will take is then either a handle or an
expression, and an expression that two calls share is taken for one handle.  Only when two expressions turn out to be
one state does the order in which they do decide.  Equal calls share a number.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.expression import Expression
from redun.handle import Handle, HandleInfo
from redun.hashing import Oid
from redun.scheduler.owned import ATOMS
from redun.value.nested import iter_nested_value, map_nested_value

if TYPE_CHECKING:
    from redun.scheduler.job import Caller


class _Below(NamedTuple):
    """What the calls below one job take."""

    counts: dict[Hashable, int]  # how many calls mention a handle (by its oid) or an expression (by its id)
    mentioned: list[Expression[Any]]  # kept alive, so that an id stays one expression's
    reserved: dict[tuple[int, int], int]  # the number of a call (by its slot) as far as one argument is concerned
    taken: dict[Oid, dict[int, Hashable]]  # of a state: which number went to which call


class Branches:
    """The numbers of the calls of one execution."""

    def __init__(self) -> None:
        self._jobs: dict[int, _Below] = {}

    def reserve(self, caller: Caller, values: Sequence[Any]) -> None:
        """Number a call that is asked for, by what stands in its arguments."""
        met: dict[Hashable, int] = {}
        for index, value in enumerate(values):
            if type(value) in ATOMS:
                continue
            for part in iter_nested_value(value):
                mention: Hashable
                if isinstance(part, Handle):
                    mention = part.__handle__.oid
                elif isinstance(part, Expression):
                    mention = id(part)
                else:
                    continue
                below = self._below(caller)
                if mention not in met:
                    met[mention] = below.counts[mention] = below.counts.get(mention, 0) + 1
                    if isinstance(part, Expression):
                        below.mentioned.append(part)
                below.reserved.setdefault((caller.child_slot, index), met[mention])

    def fork(self, caller: Caller, values: Sequence[Any], call: Hashable) -> tuple[list[Any], list[HandleInfo]]:
        """Return a call's arguments with each handle replaced by its branch, and the branches.

        ``call`` is equal for equal calls, whatever branches they get.
        """
        branches: dict[Oid, Handle] = {}
        below = self._below(caller)

        def branch(wanted: int, part: Any) -> Any:
            if not isinstance(part, Handle):
                return part
            oid = part.__handle__.oid
            if oid not in branches:
                branches[oid] = part.fork(str(_number(below.taken.setdefault(oid, {}), call, wanted)))
            return branches[oid]

        forked: list[Any] = []
        for index, value in enumerate(values):
            if type(value) in ATOMS:
                forked.append(value)
                continue
            wanted = below.reserved.get((caller.child_slot, index), 1)
            forked.append(map_nested_value(partial(branch, wanted), value))
        return forked, [handle.__handle__ for handle in branches.values()]

    def forget(self, number: int) -> None:
        """Drop what is known of the calls below a job, which has ended."""
        self._jobs.pop(number, None)

    def _below(self, caller: Caller) -> _Below:
        number = 0 if caller.parent is None else caller.parent.number
        return self._jobs.setdefault(number, _Below({}, [], {}, {}))


def _number(taken: dict[int, Hashable], call: Hashable, wanted: int) -> int:
    for number, owner in taken.items():
        if owner == call:
            return number
    while wanted in taken:
        wanted += 1
    taken[wanted] = call
    return wanted


def has_handle(values: Sequence[Any]) -> bool:
    """Tell whether there is a handle in any argument."""
    return any(
        type(value) not in ATOMS and any(isinstance(part, Handle) for part in iter_nested_value(value))
        for value in values
    )
