"""Promises: what is resolved once is passed on in order, without recursion."""

from __future__ import annotations

import pytest

from redun.promise import Promise, PromiseError, wait_promises


def test_a_promise_ends_once():
    """The first outcome stays; before it there is neither value nor error."""
    promise = Promise()
    assert promise.is_pending
    for name in ("value", "error"):
        with pytest.raises(PromiseError):
            getattr(promise, name)
    promise.do_resolve(1)
    promise.do_resolve(2)
    promise.do_reject(ValueError())
    assert (promise.value, promise.is_fulfilled, promise.is_rejected) == (1, True, False)
    with pytest.raises(PromiseError):
        _ = promise.error


def test_a_rejected_promise_raises_its_error():
    """The error is kept, and raised by whoever asks for the value."""
    error = ValueError("no")
    promise = Promise(lambda _resolve, reject: reject(error))
    assert promise.is_rejected
    assert promise.error is error
    with pytest.raises(ValueError, match="no"):
        _ = promise.value


def test_what_the_function_raises_rejects():
    """An exception before the first call of ``do_resolve`` is the outcome."""
    assert isinstance(Promise(lambda _resolve, _reject: 1 / 0).error, ZeroDivisionError)


def test_callbacks_pass_values_and_errors_on():
    """``then`` maps a value, ``catch`` an error; what is not theirs passes by; what they raise rejects."""
    start = Promise()
    doubled = start.then(lambda x: x * 2)
    untouched = doubled.catch(lambda _: "unused")
    broken = doubled.then(lambda _: 1 / 0)
    mended = broken.then(lambda _: "unused").catch(lambda error: type(error).__name__)
    start.do_resolve(21)
    assert (doubled.value, untouched.value, mended.value) == (42, 42, "ZeroDivisionError")
    assert start.then(lambda x: x + 1).value == 22


def test_a_promise_may_follow_another():
    """A callback that returns a promise hands its outcome on, and so does resolving with one."""
    inner, outer = Promise(), Promise()
    followed = outer.then(lambda _: inner)
    outer.do_resolve(None)
    assert followed.is_pending
    inner.do_reject(KeyError("late"))
    assert isinstance(followed.error, KeyError)
    direct = Promise()
    direct.do_resolve(Promise(lambda resolve, _: resolve(3)))
    assert direct.value == 3


def test_all_waits_for_all_and_fails_at_the_first():
    """Values come in order; an empty list is there at once."""
    parts = [Promise() for _ in range(3)]
    whole = Promise.all(parts)
    for part, value in zip(reversed(parts), "cba"):
        assert whole.is_pending
        part.do_resolve(value)
    assert whole.value == ["a", "b", "c"]
    assert Promise.all([]).value == []
    failing = [Promise(), Promise()]
    whole = Promise.all(failing)
    failing[1].do_reject(ValueError("first"))
    assert str(whole.error) == "first"


def test_waiting_tells_of_every_end():
    """``wait_promises`` is fulfilled when all have ended, well or not."""
    good, bad = Promise(), Promise()
    ended = wait_promises([good, bad])
    bad.do_reject(ValueError())
    assert ended.is_pending
    good.do_resolve(1)
    assert [promise.is_fulfilled for promise in ended.value] == [True, False]
    assert wait_promises([]).value == []


def test_a_long_chain_needs_no_stack():
    """A hundred thousand callbacks, each of which resolves the next promise, run one after the other."""
    first = Promise()
    last = first
    for _ in range(100_000):
        last = last.then(lambda x: x + 1)
    first.do_resolve(0)
    assert last.value == 100_000

    def count_down(n):
        return Promise(lambda resolve, _: resolve(n)).then(lambda n: count_down(n - 1) if n else "done")

    assert count_down(20_000).value == "done"


def test_a_callback_that_breaks_leaves_the_thread_usable():
    """What raises past a promise, as a KeyboardInterrupt does, leaves no step behind."""

    def interrupt(_):
        raise KeyboardInterrupt

    promise = Promise()
    promise.then(interrupt)
    with pytest.raises(KeyboardInterrupt):
        promise.do_resolve(1)
    assert Promise(lambda resolve, _: resolve(1)).then(lambda x: x + 1).value == 2
