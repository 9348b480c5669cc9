"""Scheduler tasks of one's own."""

from __future__ import annotations

import threading

import pytest

from redun import Scheduler, task
from redun.expression import SchedulerExpression
from redun.promise import Promise
from redun.scheduler.errors import NoCurrentScheduler, UnknownTask
from redun.scheduler.form_calls import NoPromise
from redun.store.memory import MemoryStore
from redun.task import scheduler_task
from redun.task.scheduler_tasks import transparent

redun_namespace = "test_form_calls"

RAN: list = []


@task(version="1")
def double(x):
    """Return twice the argument."""
    return 2 * x


@scheduler_task()
def twice(scheduler, parent_job, expression, part):
    """Evaluate a part, then a call of its value."""
    RAN.append((parent_job.task.fullname, expression.args))
    return scheduler.evaluate(part, parent_job).then(lambda value: scheduler.evaluate(double(value), parent_job))


@transparent
@scheduler_task()
def plainly(scheduler, parent_job, expression, part):
    """Evaluate a part."""
    RAN.append("plainly")
    return scheduler.evaluate(part, parent_job)


@scheduler_task()
def lazily(_scheduler, _parent_job, _expression, part):
    """Give a part back, unevaluated."""
    return Promise(lambda resolve, _: resolve([part, part + 1]))


@scheduler_task()
def wrongly(_scheduler, _parent_job, _expression):
    """Forget the promise."""
    return 1


@scheduler_task()
def from_a_thread(scheduler, parent_job, _expression, part):
    """Ask from another thread."""
    made = Promise()

    def ask():
        promise = scheduler.evaluate(part, parent_job)
        scheduler.do_soon(lambda: promise.then(made.do_resolve, made.do_reject))

    scheduler.do_later(0, lambda: threading.Thread(target=ask).start())
    scheduler.do_later(0.05, lambda: None)
    return made


@task(version="1")
def above(x):
    """Call a form below a job."""
    return twice(double(x))


@task(version="1")
def above_plain(x):
    """Call a transparent form below a job."""
    return plainly(double(x))


@pytest.fixture(autouse=True)
def _forget():
    RAN.clear()


def test_a_form_gets_its_arguments_unevaluated():
    """And the job that it stands below."""
    assert Scheduler().run(above(1)) == 4
    ((parent, args),) = RAN
    assert parent == "test_form_calls.above"
    assert repr(args[0]) == "test_form_calls.double(1)"


def test_what_a_promise_gives_is_evaluated():
    """So a form may rewrite an expression."""
    assert Scheduler().run(lazily(double(2))) == [4, 5]


def test_a_form_without_a_promise_is_told():
    """By name."""
    with pytest.raises(NoPromise, match="wrongly"):
        Scheduler().run(wrongly())


def test_an_unknown_form_is_told():
    """A stored expression may name one that is gone, or that is now an ordinary task."""
    for name in ("test_form_calls.gone", "test_form_calls.double"):
        with pytest.raises(UnknownTask, match=name):
            Scheduler().run(SchedulerExpression(name, (), {}))


def test_only_a_transparent_form_lets_calls_above_be_reused_in_one_step():
    """Nothing tells what another one's value depends on."""
    store = MemoryStore()
    for _ in range(2):
        assert Scheduler(backend=store).run(above(1)) == 4
        assert Scheduler(backend=store).run(above_plain(1)) == 2
    assert len(RAN) == 3
    assert RAN.count("plainly") == 1


def test_a_form_that_stands_twice_is_evaluated_once():
    """Below one job; what depends on it shares its value."""
    form = twice(1)
    assert Scheduler().run([form, form + 1, {"x": form}]) == [2, 3, {"x": 2}]
    assert len(RAN) == 1


def test_an_operation_that_stands_in_many_places_is_evaluated_once():
    """Else forty doublings would take a year."""
    part = double(1)
    for _ in range(40):
        part = part + part
    assert Scheduler().run(part) == 2**41
    assert Scheduler().run(double(part)) == 2**42


def test_parts_may_be_asked_for_from_any_thread():
    """The evaluation itself happens in the scheduler's; steps for later keep the run going."""
    assert Scheduler().run(from_a_thread(double(4))) == 8


def test_nothing_is_evaluated_without_a_run():
    """There is nobody to do it."""
    scheduler = Scheduler()
    for call in (lambda: scheduler.evaluate(1), lambda: scheduler.do_soon(print), lambda: scheduler.context_of(None)):
        with pytest.raises(NoCurrentScheduler):
            call()
