"""Conditions, errors and context as parts of an expression."""

from __future__ import annotations

import pytest

from redun import Scheduler, task
from redun.scheduler.forms.control import cond, get_context, throw
from redun.store.memory import MemoryStore

redun_namespace = "test_control"

RAN: list = []


@task(version="1")
def note(x):
    """Say that it ran."""
    RAN.append(x)
    return x


@task(version="1")
def choose(x):
    """Three ways."""
    return cond(note(x) == 1, note("one"), note(x + 1) == 3, note("two"), note("many"))


@task(version="1")
def count_down(n):
    """Call itself until it is 0."""
    return cond(n == 0, "done", count_down(n - 1))


@task(version="1")
def where(x, there=get_context("at.x", "nowhere")):  # noqa: B008 - a default may be lazy
    """Tell what the context says, as a default and in the body."""
    return [x, there, get_context("at.x", "nowhere")]


@task(version="1")
def above(x):
    """Ask below."""
    return where(x)


@pytest.fixture(autouse=True)
def _forget():
    RAN.clear()


@pytest.mark.parametrize(
    ("x", "value", "ran"), [(1, "one", {1, "one"}), (2, "two", {2, 3, "two"}), (5, "many", {5, 6, "many"})]
)
def test_only_what_is_taken_runs(x, value, ran):
    """Conditions up to the true one, and the part behind it."""
    assert Scheduler().run(choose(x)) == value
    assert set(RAN) == ran
    assert len(RAN) == len(ran)


def test_plain_values_may_stand_anywhere():
    """A condition and a part need not be lazy; the form may be the whole expression."""
    assert Scheduler().run(cond(0, "a", [], "b", "c")) == "c"
    assert Scheduler().run([cond(1, "a", "b"), cond(note(""), 1, 2)]) == ["a", 2]


@pytest.mark.parametrize("clauses", [(), (1,), (1, 2), (1, 2, 3, 4)])
def test_a_number_of_arguments_that_makes_no_sense_is_refused(clauses):
    """Pairs and a last part."""
    with pytest.raises(TypeError, match="cond takes a condition and a part"):
        Scheduler().run(cond(*clauses))


def test_a_failing_condition_fails_the_form():
    """The error passes through."""
    with pytest.raises(KeyError, match="why"):
        Scheduler().run(cond(throw(KeyError("why")), note(1), note(2)))
    assert RAN == []


def test_recursion_through_a_condition_needs_no_stack():
    """It goes as deep as calls do, and all of it is reused in one step."""
    store = MemoryStore()
    assert Scheduler(backend=store).run(count_down(3_000)) == "done"
    lines = []
    logger = type("Lines", (), {"info": lines.append, "warning": lines.append})()
    assert Scheduler(backend=store, logger=logger).run(count_down(3_000)) == "done"
    assert len([line for line in lines if line.startswith("Cached Job")]) == 1


def test_upstreams_lead_through_a_condition():
    """An argument made by a condition records the call that was taken, and the conditions that led there."""
    store = MemoryStore()
    scheduler = Scheduler(backend=store)
    form = choose.func(2)
    scheduler.run(note([form]))
    assert [type(part).__name__ for part in form.upstreams] == [
        "TaskExpression",
        "SimpleExpression",
        "SimpleExpression",
    ]
    assert form.upstreams[0].args == ("two",)


def test_throw_raises_as_a_part():
    """Lazily: not when it is built."""
    with pytest.raises(ZeroDivisionError):
        Scheduler().run([note(1), throw(ZeroDivisionError())])


def test_context_comes_from_the_run_and_from_the_call():
    """What a call overrides is seen below it, and by its defaults."""
    scheduler = Scheduler(config={"scheduler": {"context": '{"at": {"x": "settings", "y": 1}}'}})
    assert scheduler.run(above(1)) == [1, "settings", "settings"]
    assert scheduler.run(above(1), context={"at": {"x": "run"}}) == [1, "run", "run"]
    call = above.update_context({"at": {"x": "call"}})
    assert scheduler.run([call(1), above(1)], context={"at": {"x": "run"}}) == [[1, "call", "call"], [1, "run", "run"]]
    assert Scheduler().run(above(1)) == [1, "nowhere", "nowhere"]


def test_a_call_that_is_run_by_itself_may_bring_its_context():
    """Also its own default arguments are evaluated in it."""
    assert Scheduler().run(where.update_context(at={"x": "here"})(1)) == [1, "here", "here"]


def test_a_lazy_default_is_evaluated_anew_in_each_run():
    """A default argument outlives a run; the call that is run by itself, below no job, gets the value of today."""
    scheduler = Scheduler()
    for name in ("first", "second"):
        assert scheduler.run(where(1), context={"at": {"x": name}}) == [1, name, name]
    operation = where(2)[1]
    assert [scheduler.run(operation, context={"at": {"x": name}}) for name in ("a", "b")] == ["a", "b"]


def test_what_read_the_context_is_asked_again_in_another():
    """A result that depends on the context is not taken for one that does not."""
    store = MemoryStore()
    for x in ("first", "second", "first"):
        assert Scheduler(backend=store).run(above(1), context={"at": {"x": x}}) == [1, x, x]


def test_a_shallow_check_keeps_contexts_apart():
    """Its result is taken without asking below, so it must be of the same context."""
    store = MemoryStore()
    shallow = above.options(check_valid="shallow")
    for x in ("first", "second", "first"):
        assert Scheduler(backend=store).run(shallow(1), context={"at": {"x": x}}) == [1, x, x]


def test_equal_calls_in_other_contexts_are_other_calls():
    """Each runs; in one context they are one."""
    calls = [note.update_context(k=k)(1) for k in (1, 2, 1)]
    assert Scheduler().run(calls) == [1, 1, 1]
    assert RAN == [1, 1]


def test_an_override_may_be_lazy():
    """It is evaluated like any option, in the context above."""
    call = above.update_context(at={"x": note("made")})
    assert Scheduler().run(call(1)) == [1, "made", "made"]
