"""Where a value came from: back through calls and arguments to where it was written down.

Theory of operation.  The answer is a list of *sections*, each of which tells where one variable came from.  A variable
is an argument of a call (named by its parameter) or the result of one (``compile_result``); names are made unique by a
number.  A section is a chain of steps that ends in one of four ways:

* a *call* made it: the call's arguments are new variables, each with a section of its own;
* it *derives from* the results of several calls, or of one that returned something else: these are new variables;
* *origin*: it stands in the code of the last call named, or was given on the command line;
* *unknown*: nothing on record tells more.

Between, ``argument of`` steps climb from a call to the job that asked for it, when that passed on its own argument,
and ``result of`` steps descend into the child whose result a call handed on.

The invariant: each call is explained once, whatever number of ways lead to it, and the walk is bounded, without
recursion; what was cut off is said.  Data: the upstreams of a *call* node (docs/format/object.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.call_records import CallRecord
from redun.provenance.executions import ExecutionView
from redun.provenance.parents import Parents
from redun.provenance.values import ValueView, get_call, get_eval, get_task, iter_nested, view_eval, view_value
from redun.store.base import ObjectStore

MAX_SECTIONS = 200
MAX_STEPS = 100
MAX_SOURCES = 20
"""A variable that derives from more calls than this names the first ones and counts the rest."""


class StepKind(str, Enum):
    """One line of a chain."""

    CALL = "call"
    RESULT_OF = "result of"
    ARGUMENT_OF = "argument of"
    DERIVES_FROM = "derives from"
    ORIGIN = "origin"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Step:
    """One line: what it is and, for the kinds that name one, which call with which variables."""

    kind: StepKind
    oid: Oid | None = None  # the call; the eval where the call was never completed
    fullname: str = ""
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """A name that this dataflow gives to a value."""

    name: str
    value: ValueView


@dataclass(frozen=True, slots=True)
class Section:
    """Where one variable came from; ``variables`` are those that its last step brings in."""

    name: str
    steps: tuple[Step, ...]
    variables: tuple[Variable, ...]
    omitted: int = 0  # how many more calls it derives from


@dataclass(frozen=True, slots=True)
class Dataflow:
    """The upstream of one value."""

    result: Variable
    sections: tuple[Section, ...]
    is_cut: bool  # more than MAX_SECTIONS variables: the rest has no section


def trace_call(
    store: ObjectStore, call: Oid, execution: ExecutionView | None = None, *, max_sections: int = MAX_SECTIONS
) -> Dataflow:
    """Tell where the result of a call came from.

    Args:
        store: where the objects are.
        call: the call.
        execution: one that made or replayed the call; without it, nothing is known of who asked for it.
        max_sections: how many variables to explain at most.

    Raises:
        ObjectError: the call itself cannot be read; what cannot be read above it ends its chain as unknown.
    """
    result = Variable("result", view_value(store, get_call(store, call).result))
    return _Tracer(store, Parents(store, execution), max_sections).trace(result, call)


@dataclass(frozen=True, slots=True)
class _Pending:
    """A variable still to be explained: the result of ``call`` (index None), or an argument of it."""

    name: str
    call: Oid
    index: int | None
    near: Oid | None  # a call that used this one, so that the two have the same asker


class _Tracer:
    """One walk: what is to be explained stands on a stack, so that a variable follows what brought it in."""

    def __init__(self, store: ObjectStore, parents: Parents, max_sections: int) -> None:
        self._store = store
        self._parents = parents
        self._max_sections = max_sections
        self._taken: dict[str, int] = {}
        self._results: dict[Oid, Variable] = {}  # by call
        self._explained: dict[Oid, Step] = {}  # by call
        self._stack: list[_Pending] = []

    def trace(self, result: Variable, call: Oid) -> Dataflow:
        self._taken[result.name] = 1
        self._results[call] = result
        self._stack.append(_Pending(result.name, call, None, None))
        sections: list[Section] = []
        while self._stack and len(sections) < self._max_sections:
            pending = self._stack.pop()
            try:
                sections.append(self._explain(pending))
            except ObjectError:
                sections.append(Section(pending.name, (Step(StepKind.UNKNOWN),), ()))
        return Dataflow(result, tuple(sections), is_cut=bool(self._stack))

    def _explain(self, pending: _Pending) -> Section:
        if pending.index is None:
            return self._end_with_call(pending.name, [], pending.call, pending.near)
        return self._climb(pending, pending.index)

    def _climb(self, pending: _Pending, index: int) -> Section:
        """Go up from an argument as long as each asker passed on an argument of its own."""
        call, near = pending.call, pending.near
        record = get_call(self._store, call)
        value = get_eval(self._store, record.eval).args[index]
        steps: list[Step] = []
        while len(steps) < MAX_STEPS:
            upstreams = dict(record.upstreams).get(index, [])
            if upstreams:
                return self._end_with_upstreams(pending.name, steps, call, value, upstreams)
            asker = self._parents.find(call, near=near)
            if asker is None:
                end = StepKind.ORIGIN if self._parents.is_top(call) else StepKind.UNKNOWN
                return Section(pending.name, (*steps, Step(end)), ())
            found = self._find_argument(asker.eval, value)
            if found is None:
                return Section(pending.name, (*steps, Step(StepKind.ORIGIN)), ())
            steps.append(self._name_step(StepKind.ARGUMENT_OF, asker.call or asker.eval, asker.eval))
            if asker.call is None:
                break
            call, near, index, record = asker.call, None, found, get_call(self._store, asker.call)
        return Section(pending.name, (*steps, Step(StepKind.UNKNOWN)), ())

    def _find_argument(self, eval_oid: Oid, value: Oid) -> int | None:
        """Return which argument of an eval is a value, or else holds it; None when none does."""
        args = get_eval(self._store, eval_oid).args
        if value in args:
            return args.index(value)
        for index, arg in enumerate(args):
            if any(oid == value for oid, _ in iter_nested(self._store, arg)):
                return index
        return None

    def _end_with_upstreams(self, name: str, steps: list[Step], call: Oid, value: Oid, upstreams: list[Oid]) -> Section:
        """Name the calls that an argument came from; of those, only the ones that hold the value, where some do."""
        holding = [upstream for upstream in upstreams if self._holds(get_call(self._store, upstream).result, value)]
        sources = list(dict.fromkeys(holding or upstreams))
        if len(sources) == 1 and get_call(self._store, sources[0]).result == value:
            return self._end_with_call(name, steps, sources[0], call)
        return self._end_with_sources(name, steps, sources, call)

    def _end_with_call(self, name: str, steps: list[Step], call: Oid, near: Oid | None) -> Section:
        """Go down from a call to the child whose result it handed on, and tell what that one was given."""
        while len(steps) < MAX_STEPS:
            record = get_call(self._store, call)
            sources = self._find_sources(record)
            if not sources:
                break
            steps.append(self._name_step(StepKind.RESULT_OF, call, record.eval))
            if len(sources) > 1 or get_call(self._store, sources[0]).result != record.result:
                return self._end_with_sources(name, steps, sources, None)
            call, near = sources[0], None
        step, variables = self._explain_call(call, near)
        return Section(name, (*steps, step), variables)

    def _find_sources(self, record: CallRecord) -> list[Oid]:
        """Return the children that a call's result came from: one whose result it is, else all whose it holds."""
        results = {child: get_call(self._store, child).result for child in record.children}
        same = [child for child, result in results.items() if result == record.result]
        if same:
            return same[-1:]
        parts = {oid for oid, _ in iter_nested(self._store, record.result)}
        return [child for child, result in results.items() if result in parts]

    def _explain_call(self, call: Oid, near: Oid | None) -> tuple[Step, tuple[Variable, ...]]:
        """Name a call and bring in its arguments, unless another section has done so."""
        if call in self._explained:
            return self._explained[call], ()
        asked = view_eval(self._store, get_call(self._store, call).eval)
        variables = tuple(
            Variable(self._name(_parameter_name(argument.name)), argument.value) for argument in asked.arguments
        )
        step = Step(StepKind.CALL, call, asked.fullname, tuple(variable.name for variable in variables))
        self._explained[call] = step
        pending = [_Pending(variable.name, call, index, near) for index, variable in enumerate(variables)]
        self._stack += reversed(pending)
        return step, variables

    def _end_with_sources(self, name: str, steps: list[Step], calls: list[Oid], near: Oid | None) -> Section:
        """Bring in the results of several calls, or of one that is not the value itself."""
        variables: list[Variable] = []
        pending: list[_Pending] = []
        for call in calls[:MAX_SOURCES]:
            variable = self._results.get(call)
            if variable is None:
                variable = self._name_result(call)
                pending.append(_Pending(variable.name, call, None, near))
            variables.append(variable)
        self._stack += reversed(pending)
        omitted = max(0, len(calls) - MAX_SOURCES)
        return Section(name, (*steps, Step(StepKind.DERIVES_FROM)), tuple(variables), omitted)

    def _name_result(self, call: Oid) -> Variable:
        record = get_call(self._store, call)
        fullname = get_task(self._store, get_eval(self._store, record.eval).task).fullname
        name = self._name(f"{fullname.rpartition('.')[2]}_result")
        self._results[call] = Variable(name, view_value(self._store, record.result))
        return self._results[call]

    def _name_step(self, kind: StepKind, oid: Oid, eval_oid: Oid) -> Step:
        record = get_eval(self._store, eval_oid)
        names = tuple(_parameter_name(name) for name in record.names)
        return Step(kind, oid, get_task(self._store, record.task).fullname, names)

    def _holds(self, outer: Oid, value: Oid) -> bool:
        return any(oid == value for oid, _ in iter_nested(self._store, outer))

    def _name(self, base: str) -> str:
        """Return a name that no other variable has: ``base``, ``base_2``, ..."""
        while True:
            count = self._taken[base] = self._taken.get(base, 0) + 1
            name = base if count == 1 else f"{base}_{count}"
            if name == base or name not in self._taken:
                self._taken.setdefault(name, 1)
                return name


def _parameter_name(name: str | int) -> str:
    return name if isinstance(name, str) else f"args_{name}"
