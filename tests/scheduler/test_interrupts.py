"""Ctrl-C during a run, told by a clock of the test's own."""

from __future__ import annotations

import signal
import threading

import pytest

from redun.scheduler.interrupts import BOUNCE_SECONDS, on_interrupt


class Clock:
    """Seconds that pass when told."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    """A clock that stands."""
    return Clock()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_told_and_ends_nothing(clock, number):
    """The body goes on and ends in order."""
    told = []
    with on_interrupt(told.append, clock):
        signal.raise_signal(number)
    assert told == [number]


def test_a_second_signal_at_once_is_the_same_one(clock):
    """It would take what the first was about to save."""
    told = []
    with on_interrupt(told.append, clock):
        signal.raise_signal(signal.SIGINT)
        clock.now += BOUNCE_SECONDS / 2
        signal.raise_signal(signal.SIGINT)
    assert told == [signal.SIGINT]


def test_a_second_signal_later_leaves_at_once(clock):
    """It means what it meant before."""
    with on_interrupt(lambda _: None, clock):
        signal.raise_signal(signal.SIGINT)
        clock.now += BOUNCE_SECONDS
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_handlers_of_before_are_back_at_the_end(clock):
    """Also those that the program had set itself, which stay in force meanwhile."""
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))
    try:
        with on_interrupt(lambda _: None, clock):
            signal.raise_signal(signal.SIGTERM)
        assert heard == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)


def test_in_another_thread_nothing_is_done(clock):
    """Python hands signals to the main thread only."""
    seen = []

    def body():
        with on_interrupt(seen.append, clock):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]
