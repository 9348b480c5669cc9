"""Tasks and forms that put other tasks together."""

from __future__ import annotations

import math
import threading

import pytest

from redun import Scheduler, task
from redun.expression import quote
from redun.functools import (
    SLICE,
    NotListed,
    apply_func,
    as_task,
    compose,
    compose_apply,
    const,
    delay,
    eval_,
    flat_map,
    flatten,
    force,
    identity,
    map_,
    no_prov,
    seq,
    starmap,
    zip_,
)
from redun.objects.call_records import CallRecord
from redun.objects.kinds import Kind
from redun.promise import Promise
from redun.store.memory import MemoryStore

redun_namespace = "test_functools"

RAN: list = []
TOGETHER = threading.Barrier(2)


class Lines:
    """A logger that keeps its lines."""

    def __init__(self):
        self.lines = []
        self.info = self.warning = self.lines.append


@task(version="1")
def note(x):
    """Say that it ran."""
    RAN.append(x)
    return x


@task(version="1")
def begin_and_end(x):
    """Say when it begins, and when a call below it has ended."""
    RAN.append(f"begin {x}")
    return end(x)


@task(version="1")
def end(x):
    """Say when it ends."""
    RAN.append(f"end {x}")
    return x


@task(version="1")
def meet(x):
    """Go on when another one has come as far."""
    TOGETHER.wait(timeout=20)
    return x


@task(version="1")
def fail(x):
    """Raise."""
    raise ValueError(x)


@task(version="1")
def inc(x):
    """Add 1."""
    return x + 1


@task(version="1")
def double(x):
    """Return twice the argument."""
    return 2 * x


@task(version="1")
def numbers(n):
    """Return a list."""
    return list(range(n))


@task(version="1")
def power(base, exponent=2):
    """Take two arguments."""
    return base**exponent


@task(version="1")
def settings(n):
    """Return dicts of arguments, some of them lazy."""
    return [{"base": i, "exponent": inc(i)} for i in range(n)]


@task(version="1")
def choose_task():
    """Return a task."""
    return inc


@task(version="1")
def take(values):
    """Take what others made."""
    return values


def add(x, y=0):
    """Add, in plain Python."""
    return x + y


@pytest.fixture(autouse=True)
def _forget():
    RAN.clear()


def upstreams_of(store, expression):
    """Evaluate an expression; return the results of the calls that each of its first call's arguments came from."""
    Scheduler(backend=store).run(expression)
    call = CallRecord.decode(store.get_node(expression.call_hash))
    return [[CallRecord.decode(store.get_node(oid)).result for oid in oids] for _, oids in call.upstreams]


def result_of(store, expression):
    """Return the oid of an evaluated call's result."""
    return CallRecord.decode(store.get_node(expression.call_hash)).result


# -- seq


def test_parts_of_a_sequence_begin_one_after_another():
    """Each when everything below the one before has ended."""
    assert Scheduler().run(seq([begin_and_end(x) for x in "abc"])) == ["a", "b", "c"]
    assert RAN == ["begin a", "end a", "begin b", "end b", "begin c", "end c"]


def test_parts_of_a_sequence_may_be_nested_or_plain():
    """A part is any value; its own parts are evaluated together."""
    TOGETHER.reset()
    assert Scheduler().run(seq(([meet(1), meet(2)], {"a": inc(1)}, 5))) == [[1, 2], {"a": 2}, 5]
    assert Scheduler().run([seq([]), seq(numbers(3))]) == [[], [0, 1, 2]]


def test_after_a_failure_in_a_sequence_nothing_begins():
    """The error is the form's."""
    with pytest.raises(ValueError, match="bad"):
        Scheduler().run(seq([note(1), fail("bad"), note(2)]))
    assert RAN == [1]


def test_a_sequence_of_cached_parts_is_long_without_a_stack():
    """Neither the first time nor when everything is on record."""
    store, form = MemoryStore(), [inc(0) for _ in range(5_000)]
    assert Scheduler(backend=store).run(seq(form)) == [1] * 5_000
    assert Scheduler(backend=store).run(seq([inc(i % 7) for i in range(5_000)]))[:3] == [1, 2, 3]


class Eager:
    """A scheduler that has every value at once, and does what it should do soon when told to."""

    def __init__(self):
        self.steps = []

    def evaluate(self, part, _parent):
        return Promise(lambda resolve, _: resolve(part))

    def do_soon(self, step):
        self.steps.append(step)


def test_a_long_sequence_lets_others_have_a_turn():
    """After every slice of parts that have their values at once."""
    scheduler = Eager()
    promise = seq.func(scheduler, None, None, list(range(3 * SLICE + 1)))
    for _ in range(3):
        assert promise.is_pending
        scheduler.steps.pop()()
    assert promise.value == list(range(3 * SLICE + 1))
    assert scheduler.steps == []


@pytest.mark.parametrize(
    "wrong", [seq(3), seq({"a": 1}), map_(inc, "text"), map_(3, [1]), map_(inc, inc(1)), starmap(power, [(1, 2)])]
)
def test_what_is_no_list_or_no_task_is_refused(wrong):
    """By name of the form."""
    with pytest.raises(NotListed, match=r"(seq|map_|starmap) takes a"):
        Scheduler().run(wrong)


# -- map_ and its kin


@pytest.mark.parametrize(
    ("form", "value"),
    [
        (lambda: map_(inc, [1, inc(2), 3]), [2, 4, 4]),
        (lambda: map_(inc, (1, 2)), [2, 3]),
        (lambda: map_(inc, []), []),
        (lambda: map_(inc, numbers(3)), [1, 2, 3]),
        (lambda: map_(inc, map_(double, numbers(3))), [1, 3, 5]),
        (lambda: map_(choose_task(), map_(a_task=double, values=[1, inc(1)])), [3, 5]),
        (lambda: map_(power.partial(2), [3, 4]), [8, 16]),
        (lambda: map_(add, [1, inc(1)]), [1, 2]),
        (lambda: starmap(power, [{"base": 3}, {"base": inc(1), "exponent": 3}]), [9, 8]),
        (lambda: starmap(power, settings(4)), [0, 1, 8, 81]),
        (lambda: starmap(power, [settings(3)[2], {"base": 5}]), [8, 25]),
        (lambda: starmap(choose_task(), [{"x": 1}]), [2]),
        (lambda: starmap(power), []),
        (lambda: flat_map(numbers, numbers(4)), [0, 0, 1, 0, 1, 2]),
        (lambda: flatten([numbers(2), [inc(6)], ()]), [0, 1, 7]),
        (lambda: zip_(numbers(2), ["a", "b", "c"]), [(0, "a"), (1, "b")]),
        (zip_, []),
    ],
)
def test_a_task_is_applied_to_each(form, value):
    """Tasks, lists and their members may be lazy."""
    assert Scheduler().run(form()) == value


def test_all_values_of_a_map_are_worked_on_together():
    """Two that wait for each other both get on."""
    TOGETHER.reset()
    assert Scheduler().run(map_(meet, numbers(2))) == [0, 1]


@task(version="1")
def first(x):
    """Of 0, wait for what is made of 1."""
    if x == 0:
        TOGETHER.wait(timeout=20)
    return x


@task(version="1")
def second(x):
    """Of 1, let the other one go on."""
    if x == 1:
        TOGETHER.wait(timeout=20)
    return x


def test_maps_of_maps_are_fused():
    """Each second step begins when its own first has ended, and no list stands in between."""
    TOGETHER.reset()
    assert Scheduler().run(map_(second, map_(first, [0, 1]))) == [0, 1]


def test_forms_make_no_jobs_of_their_own():
    """Only the calls do, so that what is shown is the user's."""
    log = Lines()
    Scheduler(logger=log).run(take([seq([inc(1)]), map_(inc, map_(double, [3])), starmap(power, [{"base": 2}])]))
    jobs = [line.split(":  ")[1].split("(")[0] for line in log.lines if line.startswith("Run ")]
    assert sorted(jobs) == [f"test_functools.{name}" for name in ("double", "inc", "inc", "power", "take")]


@task(version="1")
def over_forms(n):
    """Stand above forms."""
    return seq([map_(note, numbers(n)), starmap(power, settings(n))])


def test_what_stands_above_forms_is_reused_in_one_step():
    """They depend on nothing but the calls they make."""
    store = MemoryStore()
    assert Scheduler(backend=store).run(over_forms(3)) == [[0, 1, 2], [0, 1, 8]]
    log = Lines()
    assert Scheduler(backend=store, logger=log).run(over_forms(3)) == [[0, 1, 2], [0, 1, 8]]
    assert [line for line in log.lines if " Job " in line and ":  " in line] == [
        line for line in log.lines if "Cached Job" in line and "over_forms" in line
    ]
    assert len(RAN) == 3


# -- upstreams


@pytest.mark.parametrize(
    "form",
    [
        seq,
        lambda parts: seq([[parts[0]], {"a": parts[1]}]),
        lambda parts: [parts[0] + 1, parts[1]],
        lambda parts: flatten.func([[parts[0]], [parts[1]]]),
    ],
)
def test_an_argument_of_forms_comes_from_their_parts(form):
    """Whatever they are wrapped in."""
    store, parts = MemoryStore(), [inc(1), double(5)]
    assert upstreams_of(store, take(form(parts))) == [[result_of(store, part) for part in parts]]


def test_an_argument_of_a_map_comes_from_its_calls():
    """And what each of those was given, from the list that the map went through."""
    store, source = MemoryStore(), numbers(2)
    form = map_(inc, source)
    Scheduler(backend=store).run(take(form))
    calls = form.upstreams
    assert [call.task_name for call in calls] == ["test_functools.inc"] * 2
    for call in calls:
        record = CallRecord.decode(store.get_node(call.call_hash))
        assert [oids for _, oids in record.upstreams] == [[source.call_hash]]


def test_an_item_of_a_sequence_comes_from_its_own_part():
    """Not from all of them: a list of n would be noted n times n."""
    store, parts = MemoryStore(), [inc(1), double(5)]
    for source in (seq(parts), map_(identity, parts), starmap(power, [{"base": 2}, {"base": 3}])):
        form = map_(inc, source)
        Scheduler(backend=store).run(form)
        for index, call in enumerate(form.upstreams):
            ((_, oids),) = CallRecord.decode(store.get_node(call.call_hash)).upstreams
            assert len(oids) == 1
            if source.task_name == "redun.seq":
                assert oids == [parts[index].call_hash]


def test_arguments_of_a_starmap_come_from_the_list_of_dicts():
    """Each of them."""
    store, source = MemoryStore(), settings(2)
    form = starmap(power, source)
    Scheduler(backend=store).run(form)
    for call in form.upstreams:
        found = CallRecord.decode(store.get_node(call.call_hash)).upstreams
        assert [oids for _, oids in found] == [[source.call_hash], [source.call_hash]]


# -- tasks of tasks


@pytest.mark.parametrize(
    ("form", "value"),
    [
        (lambda: compose(inc, double)(5), 11),
        (lambda: compose(inc, power)(3, exponent=3), 28),
        (lambda: compose(choose_task(), double)(inc(2)), 7),
        (lambda: compose(inc)(1), 2),
        (lambda: compose_apply([inc, compose(double, inc)], 1), 5),
        (lambda: map_(compose(inc, double), numbers(2)), [1, 3]),
        (lambda: identity([inc(1)]), [2]),
        (lambda: const(inc(1), inc(2)), 2),
        (lambda: force(delay(inc(1))), 2),
        (lambda: force(identity(delay(inc(1)))), 2),
        (lambda: [take({"later": delay(inc(1))})["later"]()], [2]),
        (lambda: apply_func(add, inc(1), y=2), 4),
        (lambda: apply_func(math.sqrt, inc(3)), 2.0),
        (lambda: as_task(add)(1, y=inc(1)), 3),
        (lambda: map_(as_task(math.sqrt), [1, 4]), [1.0, 2.0]),
        (lambda: eval_("x + y * 2", x=inc(0), y=3), 7),
        (lambda: eval_(" [a * b for b in bs] ", inc(1), pos_args=["a"], bs=[1, inc(1)]), [2, 4]),
        (lambda: eval_("inc(x) + 1", inc=inc, x=1), 3),
    ],
)
def test_tasks_are_put_together(form, value):
    """Arguments may be lazy throughout."""
    assert Scheduler().run(form()) == value


def test_const_evaluates_both():
    """And gives the first."""
    assert Scheduler().run(const(note(1), note(2))) == 1
    assert sorted(RAN) == [1, 2]


def test_what_is_delayed_runs_when_it_is_forced():
    """And not before, nor when nobody asks."""
    assert Scheduler().run([take(delay(note(1))) == 0, force(delay(note(2)))]) == [False, 2]
    assert RAN == [2]


@pytest.mark.parametrize(
    ("form", "error"),
    [
        (lambda: eval_("a = 1"), SyntaxError),
        (lambda: eval_("a", 1), TypeError),
        (lambda: eval_("a", pos_args=["a"]), TypeError),
        (lambda: eval_("a + b", a=1), NameError),
        (lambda: compose()(1), TypeError),
        (lambda: apply_func(add), TypeError),
    ],
)
def test_misuse_is_an_error_of_the_job(form, error):
    """With the error that Python has for it."""
    with pytest.raises(error):
        Scheduler().run(form())


# -- no_prov


@task(version="1")
def work(n):
    """Do much that nobody asks for later."""
    return eval_("sum(values)", values=[note(i) for i in range(n)])


def test_what_runs_without_provenance_leaves_one_job():
    """With the value, and the calls neither run nor are recorded again."""
    store = MemoryStore()
    assert Scheduler(backend=store).run(no_prov(work(3)) + 1) == 4
    assert len(list(store.iter_oids(Kind.CALL))) == 2  # that of the root, and that of no_prov
    assert Scheduler(backend=store).run(no_prov(work(3)) + 1) == 4
    assert sorted(RAN) == [0, 1, 2]
    assert Scheduler(backend=store).run(no_prov(work(4))) == 6
    assert len(RAN) == 7


def test_no_prov_takes_values_as_well():
    """Nested, some of them lazy."""
    assert Scheduler().run(no_prov([inc(1), {"a": 3}])) == [2, {"a": 3}]


def test_a_changed_task_below_no_prov_is_noticed():
    """Though no call of it is on record, the job that is knows the task."""
    store = MemoryStore()

    def define(text):
        @task(name="changing", namespace="test_functools", source=text)
        def changing(x):
            RAN.append(text)
            return [text, x]

        return changing

    for text in ("one", "one", "two", "one"):
        assert Scheduler(backend=store).run(no_prov(take(define(text)(1)))) == [text, 1]
    assert RAN[:2] == ["one", "two"]


def test_quoted_expressions_pass_through_tasks():
    """As arguments and results; what they hold runs when somebody asks."""
    assert Scheduler().run(take(quote(note(1)))).eval().args == (1,)
    assert RAN == []
    assert Scheduler().run(take(quote(note(1))).eval()) == 1
    assert RAN == [1]
