"""Errors that are dealt with."""

from __future__ import annotations

import pytest

from redun import Scheduler, task
from redun.scheduler.forms.catch import catch, catch_all
from redun.store.memory import MemoryStore
from redun.testing.lines import Lines

redun_namespace = "test_catch"

RAN: list = []


class Odd(Exception):
    """An error of one's own."""


@task(version="1")
def fail(error):
    """Raise."""
    RAN.append("fail")
    raise error


@task(version="1")
def note(x):
    """Say that it ran."""
    RAN.append(x)
    return x


@task(version="1")
def recover(error):
    """Make something of an error, or of values some of which are errors."""
    RAN.append("recover")
    return [repr(part) for part in error] if isinstance(error, list) else repr(error)


@task(version="1")
def break_again(error):
    """Raise something else."""
    raise KeyError(str(error))


@task(version="1")
def guarded(error):
    """Fail, and recover."""
    return catch(fail(error), Odd, recover)


@pytest.fixture(autouse=True)
def _forget():
    RAN.clear()


def test_a_caught_error_does_not_stop_the_run():
    """Its neighbours finish, and nothing is said of a failed execution."""
    log = Lines()
    assert Scheduler(logger=log).run([guarded(Odd("x")), note(1)]) == ["Odd('x')", 1]
    assert any("Reject" in line for line in log.lines)
    assert not any("Execution failed" in line for line in log.lines)


def test_without_an_error_the_handler_is_not_asked():
    """The value passes through."""
    assert Scheduler().run(catch(note(1), Odd, recover)) == 1
    assert RAN == [1]


def test_the_first_handler_that_fits_is_taken():
    """By class or tuple of classes, in order."""
    lazy = catch(fail(Odd("x")), KeyError, note, (ValueError, Odd), recover, Exception, note)
    assert Scheduler().run(lazy) == "Odd('x')"


def test_an_error_that_no_handler_takes_is_raised():
    """With its traceback, as if there were no handler."""
    with pytest.raises(Odd, match="x") as caught:
        Scheduler().run(catch(fail(Odd("x")), KeyError, recover))
    assert caught.value.redun_traceback.jobs
    assert "recover" not in RAN


def test_a_handler_that_fails_fails_the_form():
    """With its own error."""
    with pytest.raises(KeyError):
        Scheduler().run(catch(fail(Odd()), Odd, break_again))


@pytest.mark.parametrize("handlers", [(), (Odd,), (Odd, recover, KeyError)])
def test_handlers_come_in_pairs(handlers):
    """Else the form is refused."""
    with pytest.raises(TypeError, match="pairs of an error class"):
        Scheduler().run(catch(note(1), *handlers))


def test_what_failed_is_tried_again_in_the_next_run():
    """Errors are never replayed from the store; the handler's own work is."""
    store = MemoryStore()
    for _ in range(2):
        assert Scheduler(backend=store).run(guarded(Odd("x"))) == "Odd('x')"
    assert RAN == ["fail", "recover", "fail"]


def test_catch_all_waits_for_everything():
    """The handler gets the values with errors in their places, in the same nesting."""
    parts = [note(1), fail(Odd("a")), note(2), fail(Odd("b"))]
    assert Scheduler().run(catch_all(parts, Odd, recover)) == ["1", "Odd('a')", "2", "Odd('b')"]
    assert {1, 2} <= set(RAN)


def test_catch_all_without_errors_gives_the_values():
    """Nested as they were."""
    assert Scheduler().run(catch_all({"a": [note(1), 2], "b": (note(3),)}, Odd, recover)) == {"a": [1, 2], "b": (3,)}


def test_catch_all_raises_what_it_may_not_take():
    """The first error of another class; the first of all without a handler, once everything has ended."""
    parts = [fail(Odd("a")), fail(KeyError("b")), note(1)]
    with pytest.raises(KeyError):
        Scheduler().run(catch_all(parts, Odd, recover))
    RAN.clear()
    with pytest.raises(Odd, match="a"):
        Scheduler().run(catch_all(parts))
    assert 1 in RAN


def test_a_failure_beside_a_caught_one_still_ends_the_run():
    """What nobody catches is what the run fails of."""
    log = Lines()
    with pytest.raises(KeyError):
        Scheduler(logger=log).run([guarded(Odd("caught")), fail(KeyError("free"))])
    assert any("Execution failed" in line for line in log.lines)
