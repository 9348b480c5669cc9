"""The evaluator against a model: a plain interpreter of the same expressions, which says what may run, and how often.

A *world* is a few tasks.  A leaf computes something of its arguments or fails; any other returns an expression, built
of a *spec*: nested tuples, see ``specs``.  ``Builder`` makes the expression, ``Model`` interprets the spec.  Runs of
one world follow one another on one store, with edits between them; after each, the value (or the class of the error)
and the number of runs of each call must be what the model says.

Where jobs race, the model gives bounds.  What must run is *needed*, what might run is *possible*: a part that fails
leaves open which of its other calls were still made.
"""

from __future__ import annotations

import operator
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from redun import Scheduler, catch, cond, get_context
from redun.expression import SimpleExpression
from redun.expression_codec import decode_expression, encode_expression
from redun.functools import map_, seq
from redun.objects.call_records import ExpressionRecord
from redun.objects.codec import decode_node
from redun.scheduler import catch_all
from redun.store.memory import MemoryStore
from redun.task import get_task_registry, task
from redun.value.encoding import decode_value

N_TASKS = 6
N_LEAVES = 3  # the last of them
OPERATIONS = {"add": operator.add, "eq": operator.eq, "lt": operator.lt, "getitem": operator.getitem}
NAMESPACE = "evaluator_model"


class Odd(Exception):
    """What a leaf fails with."""


class Pair(NamedTuple):
    """A container of two."""

    left: Any
    right: Any


@dataclass
class Box:
    """A container of one."""

    content: Any


# -- specs

plain = st.sampled_from([0, 1, 2, True, None, "a", [1], (1, 2)])
options = st.fixed_dictionaries(
    {},
    optional={
        "cache_scope": st.sampled_from(["NONE", "CSE", "BACKEND"]),
        "check_valid": st.sampled_from(["full", "shallow"]),
        "context": st.integers(0, 2),
    },
)
few_options = st.one_of(st.just({}), st.just({}), options)


def specs(lowest: int) -> st.SearchStrategy[Any]:
    """Return specs that call the tasks from ``lowest`` on: so no task calls itself."""
    number = st.integers(lowest, N_TASKS - 1)
    basic = st.one_of(
        st.tuples(st.just("plain"), plain),
        st.tuples(st.just("param"), st.integers(0, 1)),
        st.tuples(st.just("shared"), st.integers(0, 1)),
        st.just(("context",)),
    )

    def extend(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        calls = st.tuples(st.just("call"), number, st.lists(inner, max_size=2), few_options)
        return st.one_of(
            calls,
            calls,
            st.tuples(st.just("list"), st.lists(inner, max_size=3)),
            st.tuples(st.sampled_from(["tuple", "pair", "dict"]), st.lists(inner, min_size=2, max_size=2)),
            st.tuples(st.just("box"), st.lists(inner, min_size=1, max_size=1)),
            st.tuples(st.just("op"), st.sampled_from(sorted(OPERATIONS)), inner, inner),
            st.tuples(st.just("cond"), inner, inner, inner),
            st.tuples(st.just("catch"), inner),
            st.tuples(st.just("catch_all"), st.lists(calls, max_size=3)),
            st.tuples(st.just("seq"), st.lists(inner, max_size=3)),
            st.tuples(st.just("map"), number, st.lists(inner, max_size=3)),
        )

    return st.recursive(basic, extend, max_leaves=6)


def bodies(number: int) -> st.SearchStrategy[Any]:
    """Return what a task returns, and two parts that stand in several places of it."""
    lowest = number + 1
    return st.tuples(
        specs(lowest), st.tuples(specs(lowest), specs(lowest)).map(lambda shared: list(map(_unshared, shared)))
    )


def _unshared(spec: Any) -> Any:
    """Replace shared parts of a shared part, which would have no end."""
    if isinstance(spec, tuple) and spec and spec[0] == "shared":
        return ("plain", spec[1])
    if isinstance(spec, (tuple, list)) and not (spec and spec[0] == "plain"):
        return type(spec)(map(_unshared, spec))
    return spec


worlds = st.tuples(*(bodies(number) for number in range(N_TASKS - N_LEAVES)))
edits = st.lists(st.one_of(st.none(), st.integers(0, N_TASKS - 1)), min_size=1, max_size=3)


# -- what the tasks do


class Failed(NamedTuple):
    """The outcome of a part that has no value: the classes of the errors that may be the first."""

    classes: frozenset[type]


def compute(number: int, offset: int, args: tuple[Any, ...]) -> Any:
    """Do what a leaf does."""
    size = len(repr(args)) + offset
    if number == N_TASKS - 1:
        if size % 2:
            raise Odd(number)
        return size
    return size if number == N_TASKS - 2 else [offset, *args]


def combine(kind: str, values: list[Any]) -> Any:
    """Make a container of its items."""
    if kind == "pair":
        return Pair(*values)
    if kind == "box":
        return Box(*values)
    if kind == "dict":
        return {"a": values[0], "b": values[1]}
    return tuple(values) if kind == "tuple" else values


class World:
    """Tasks as they are defined now: an offset of each is its code."""

    def __init__(self, made: Any) -> None:
        self.bodies = made
        self.offsets = [0] * N_TASKS

    def define(self, ran: list[tuple[int, str]]) -> list[Any]:
        """Define the tasks; their functions note in ``ran`` what they were called with."""
        tasks: list[Any] = []

        def make(number: int) -> Any:
            def func(*args: Any) -> Any:
                ran.append((number, repr(args)))
                if number >= N_TASKS - N_LEAVES:
                    return compute(number, self.offsets[number], args)
                spec, shared = self.bodies[number]
                return [self.offsets[number], Builder(tasks, args, shared).build(spec)]

            return task(name=f"t{number}", namespace=NAMESPACE, version=str(self.offsets[number]))(func)

        tasks += map(make, range(N_TASKS))
        return tasks


@task(namespace=NAMESPACE, version="1")
def recover(error: Any) -> str:
    """Take an error."""
    assert isinstance(error, Exception)
    return "recovered"


@task(namespace=NAMESPACE, version="1")
def count_errors(parts: Any) -> int:
    """Take values and errors."""
    return sum(isinstance(part, Exception) for part in parts)


class Builder:
    """Makes the expression that one call of a task returns."""

    def __init__(self, tasks: list[Any], args: tuple[Any, ...], shared: list[Any]) -> None:
        self._tasks = tasks
        self._args = args
        self._shared = shared
        self._built: dict[int, Any] = {}

    def build(self, spec: Any) -> Any:
        kind = spec[0]
        if kind == "plain":
            return spec[1]
        if kind == "param":
            return self._args[spec[1]] if spec[1] < len(self._args) else None
        if kind == "shared":
            if spec[1] not in self._built:
                self._built[spec[1]] = self.build(self._shared[spec[1]])
            return self._built[spec[1]]
        if kind == "context":
            return get_context("k", "none")
        return self._build_form(kind, spec)

    def _build_form(self, kind: str, spec: Any) -> Any:
        if kind == "call":
            return self._call(spec)
        if kind == "op":
            return SimpleExpression(spec[1], (self.build(spec[2]), self.build(spec[3])))
        if kind == "cond":
            return cond(*map(self.build, spec[1:]))
        if kind == "catch":
            return catch(self.build(spec[1]), Exception, recover)
        if kind == "map":
            return map_(self._tasks[spec[1]], list(map(self.build, spec[2])))
        parts = list(map(self.build, spec[1]))
        if kind == "catch_all":
            return catch_all(parts, Exception, count_errors)
        return seq(parts) if kind == "seq" else combine(kind, parts)

    def _call(self, spec: Any) -> Any:
        _, number, parts, given = spec
        called = self._tasks[number]
        plain = {name: value for name, value in given.items() if name != "context"}
        if plain:
            called = called.options(**plain)
        if "context" in given:
            called = called.update_context({"k": given["context"]})
        args = list(map(self.build, parts))
        return called.partial(*args[:1])(*args[1:]) if number % 2 else called(*args)


# -- the model


class Key(NamedTuple):
    """A job: equal ones are one."""

    number: int
    args: str
    context: Any
    salt: Any
    parent: Any  # of a call of scope NONE


class Eval(NamedTuple):
    """What a result is recorded under."""

    number: int
    offset: int
    args: str
    salt: Any


class Ended(NamedTuple):
    """How a part ended, and which jobs there were."""

    outcome: Any
    needed: frozenset[Key] = frozenset()
    possible: frozenset[Key] = frozenset()


class Store:
    """What earlier runs have left: evals with a result, for sure or perhaps."""

    def __init__(self) -> None:
        self.sure: set[Eval] = set()
        self.perhaps: set[Eval] = set()


class Model:
    """Interprets one run."""

    def __init__(self, world: World, store: Store) -> None:
        self._world = world
        self._store = store
        self._jobs: dict[Key, Ended] = {}
        self._scopes: dict[Key, set[str]] = {}
        self._shallow: set[Key] = set()

    def eval_of(self, key: Key) -> Eval:
        return Eval(key.number, self._world.offsets[key.number], key.args, key.salt)

    def call(self, number: int, args: tuple[Any, ...], given: dict[str, Any], above: Key | None) -> Ended:
        """Interpret a call whose arguments are values."""
        context = given.get("context", None if above is None else above.context)
        is_shallow = given.get("check_valid") == "shallow"
        scope = given.get("cache_scope", "BACKEND")
        salt = context if is_shallow else None
        key = Key(number, repr(args), context, salt, above if scope == "NONE" else None)
        if scope == "NONE" and above is None:
            key = key._replace(parent="nobody")
        self._scopes.setdefault(key, set()).add(scope)
        if is_shallow:
            self._shallow.add(key)
        if key not in self._jobs:
            self._jobs[key] = self._run(key, args)
        ended = self._jobs[key]
        mine = frozenset({key})
        if isinstance(ended.outcome, Failed):
            return Ended(ended.outcome, frozenset(), ended.possible | mine)
        is_taken = key in self._shallow and self.eval_of(key) in (self._store.sure | self._store.perhaps)
        return Ended(ended.outcome, mine if is_taken else ended.needed | mine, ended.possible | mine)

    def _run(self, key: Key, args: tuple[Any, ...]) -> Ended:
        offset = self._world.offsets[key.number]
        if key.number >= N_TASKS - N_LEAVES:
            try:
                return Ended(compute(key.number, offset, args))
            except Odd:
                return Ended(Failed(frozenset({Odd})))
        spec, shared = self._world.bodies[key.number]
        return self._gather([("plain", offset), spec], _Scope(key, args, shared), lambda values: values)

    def evaluate(self, spec: Any, scope: _Scope) -> Ended:
        """Interpret a part below a job."""
        kind = spec[0]
        if kind == "plain":
            return Ended(spec[1])
        if kind == "param":
            return Ended(scope.args[spec[1]] if spec[1] < len(scope.args) else None)
        if kind == "shared":
            return self.evaluate(scope.shared[spec[1]], scope)
        if kind == "context":
            return Ended("none" if scope.job.context is None else scope.job.context)
        if kind == "call":
            args = self._gather(spec[2], scope, tuple)
            return self._then(args, lambda values: self.call(spec[1], values, spec[3], scope.job))
        return self._evaluate_form(kind, spec, scope)

    def _evaluate_form(self, kind: str, spec: Any, scope: _Scope) -> Ended:
        if kind == "op":
            func = OPERATIONS[spec[1]]
            return self._gather(spec[2:], scope, lambda values: func(*values))
        if kind == "cond":
            return self._then(self.evaluate(spec[1], scope), lambda it: self.evaluate(spec[2 if it else 3], scope))
        if kind == "catch":
            ended = self.evaluate(spec[1], scope)
            return Ended("recovered", frozenset(), ended.possible) if isinstance(ended.outcome, Failed) else ended
        if kind == "seq":
            return self._sequence(spec[1], scope)
        if kind == "map":
            return self._joined([self._mapped(spec[1], part, scope) for part in spec[2]], list)
        if kind == "catch_all":
            return self._all_caught([self.evaluate(part, scope) for part in spec[1]])
        return self._gather(spec[1], scope, lambda values: combine(kind, values))

    def _mapped(self, number: int, part: Any, scope: _Scope) -> Ended:
        item = self.evaluate(part, scope)
        return self._then(item, lambda value: self.call(number, (value,), {}, scope.job))

    def _gather(self, parts: Any, scope: _Scope, make: Any) -> Ended:
        return self._joined([self.evaluate(part, scope) for part in parts], make)

    def _joined(self, parts: list[Ended], make: Any) -> Ended:
        possible = frozenset().union(*(part.possible for part in parts))
        failed = [part.outcome.classes for part in parts if isinstance(part.outcome, Failed)]
        if failed:
            return Ended(Failed(frozenset().union(*failed)), frozenset(), possible)
        needed = frozenset().union(*(part.needed for part in parts))
        try:
            return Ended(make([part.outcome for part in parts]), needed, possible)
        except Exception as error:
            return Ended(Failed(frozenset({type(error)})), frozenset(), possible)

    def _then(self, first: Ended, follow: Any) -> Ended:
        if isinstance(first.outcome, Failed):
            return first
        second = follow(first.outcome)
        possible = first.possible | second.possible
        if isinstance(second.outcome, Failed):
            return Ended(second.outcome, frozenset(), possible)
        return Ended(second.outcome, first.needed | second.needed, possible)

    def _sequence(self, parts: Any, scope: _Scope) -> Ended:
        done: list[Ended] = []
        for part in parts:
            done.append(self.evaluate(part, scope))
            if isinstance(done[-1].outcome, Failed):
                break
        return self._joined(done, list)

    def _all_caught(self, parts: list[Ended]) -> Ended:
        n_failed = sum(isinstance(part.outcome, Failed) for part in parts)
        if not n_failed:
            return self._joined(parts, list)
        needed = frozenset().union(*(part.needed for part in parts))
        return Ended(n_failed, needed, frozenset().union(*(part.possible for part in parts)))

    # -- how often the functions run

    def bounds(self, ended: Ended) -> dict[tuple[int, str], tuple[int, int]]:
        """Return the least and the most runs of each call."""
        found: dict[tuple[int, str], tuple[int, int]] = {}
        alone = Counter((key.number, key.args) for key in ended.possible)
        for key in ended.possible:
            call = key.number, key.args
            least, most = found.get(call, (0, 0))
            least_more, most_more = self._bounds_of(key, is_needed=key in ended.needed, is_alone=alone[call] == 1)
            found[call] = least + least_more, most + most_more
        return found

    def _bounds_of(self, key: Key, *, is_needed: bool, is_alone: bool) -> tuple[int, int]:
        scopes = self._scopes[key]
        if "BACKEND" not in scopes:
            return int(is_needed), 1
        if self.eval_of(key) in self._store.sure:
            return 0, int(len(scopes) > 1)
        is_new = self.eval_of(key) not in self._store.perhaps
        return int(is_needed and is_new and is_alone), 1

    def leave(self, ended: Ended) -> None:
        """Note what the run has recorded."""
        for key in ended.possible:
            is_failed = isinstance(self._jobs[key].outcome, Failed)
            # What a function returned is kept, if a flush came in time, though a call in it fails later.
            if not is_failed or key.number < N_TASKS - N_LEAVES:
                (self._store.sure if key in ended.needed else self._store.perhaps).add(self.eval_of(key))


class _Scope(NamedTuple):
    """What a spec is interpreted in."""

    job: Key
    args: tuple[Any, ...]
    shared: list[Any]


# -- both at once


class Ticks:
    """A clock that goes on by one millisecond at each look, so that runs follow one another."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000_000

    def __call__(self) -> int:
        self.now += 1000
        return self.now


def run(scheduler: Scheduler, expression: Any) -> Any:
    """Return the value, or the class of the error."""
    try:
        return scheduler.run(expression)
    except Exception as error:
        return Failed(frozenset({type(error)}))


def check(outcome: Any, ran: list[tuple[int, str]], model: Model, ended: Ended) -> None:
    """Compare what a run came to, and what ran, with the model."""
    if isinstance(ended.outcome, Failed):
        assert isinstance(outcome, Failed)
        assert outcome.classes <= ended.outcome.classes
    else:
        assert repr(outcome) == repr(ended.outcome)
    bounds = model.bounds(ended)
    counts = Counter(ran)
    assert counts.keys() <= bounds.keys()
    assert {
        call: (counts[call], bound) for call, bound in bounds.items() if not bound[0] <= counts[call] <= bound[1]
    } == {}


@settings(max_examples=100)
@given(worlds, edits)
def test_runs_are_those_of_the_model(made: Any, history: list[int | None]) -> None:
    """Values, errors and runs of each call, in a first run, a second one, and after edits."""
    world, store, known, clock = World(made), MemoryStore(), Store(), Ticks()
    for edit in [None, *history]:
        if edit is not None:
            world.offsets[edit] += 1
        with get_task_registry().isolated():
            ran: list[tuple[int, str]] = []
            tasks = world.define(ran)
            model = Model(world, known)
            ended = model.call(0, (1,), {}, None)
            outcome = run(Scheduler(backend=store, clock=clock), tasks[0](1))
            check(outcome, ran, model, ended)
            model.leave(ended)


@settings(max_examples=60)
@given(bodies(0), worlds)
def test_a_stored_expression_evaluates_as_it_did(body: Any, made: Any) -> None:
    """Written to a node and read back, an expression is the same node, and comes to the same, in as many runs."""
    world = World(made)
    with get_task_registry().isolated():
        ran: list[tuple[int, str]] = []
        tasks = world.define(ran)
        expression = [Builder(tasks, (1, "b"), body[1]).build(body[0])]
        again = read_back(expression)
        for one in (expression, again):
            ran.clear()
            model = Model(world, Store())
            scope = _Scope(Key(-1, "", None, None, None), (1, "b"), body[1])
            ended = model._gather([body[0]], scope, list)
            check(run(Scheduler(backend=MemoryStore()), one), ran, model, ended)


def read_back(expression: Any) -> Any:
    """Encode an expression, and decode it."""
    encoded = encode_expression(expression)
    objects = {oid: data for value in encoded.values for oid, data, _ in value.parts}
    objects.update((value.oid, value.data) for value in encoded.values)
    record = ExpressionRecord.decode(decode_node(encoded.data))
    again = decode_expression(record, lambda oid: decode_value(oid, objects.__getitem__))
    assert encode_expression(again).oid == encoded.oid
    return again
