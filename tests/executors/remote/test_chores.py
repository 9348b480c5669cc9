"""Chores: one at a time, repeated while that may help."""

from __future__ import annotations

from redun.executors.remote.chores import Chores, Patience


class Recorder:
    """Chores that note what becomes of them."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.n_tried = 0
        self.given_up = None

    def step(self):
        self.n_tried += 1
        if self.errors:
            raise self.errors.pop(0)

    def give_up(self, error):
        self.given_up = error


def queue_of(*recorders, pauses=(1.0, 5.0)):
    chores = Chores(pauses)
    for recorder in recorders:
        chores.add(recorder.step, recorder.give_up)
    return chores


def test_chores_are_done_in_order():
    """One at each turn."""
    first, second = Recorder(), Recorder()
    chores = queue_of(first, second)
    assert chores.do_one(0.0)
    assert (first.n_tried, second.n_tried) == (1, 0)
    assert chores.do_one(0.0)
    assert not chores.do_one(0.0)
    assert (second.n_tried, chores.next_due()) == (1, None)


def test_what_may_pass_is_tried_again_later():
    """With growing pauses, in which the others wait."""
    busy, other = Recorder(OSError(), OSError()), Recorder()
    chores = queue_of(busy, other)
    assert chores.do_one(10.0)
    assert chores.next_due() == 11.0
    assert not chores.do_one(10.9)
    assert chores.do_one(11.0)
    assert not chores.do_one(15.9)
    assert chores.do_one(16.0)
    assert (busy.n_tried, busy.given_up, other.n_tried) == (3, None, 0)
    assert chores.do_one(16.0)
    assert other.n_tried == 1


def test_in_the_end_it_is_given_up():
    """With the last error; the next chore goes on."""
    last = TimeoutError("last")
    busy, other = Recorder(OSError(), OSError(), last), Recorder()
    chores = queue_of(busy, other)
    for now in (0.0, 1.0, 6.0, 6.0):
        chores.do_one(now)
    assert (busy.given_up, other.n_tried) == (last, 1)


def test_what_repeating_will_not_mend_is_given_up_at_once():
    """Whatever it is."""
    error = KeyError("odd")
    recorder = Recorder(error)
    queue_of(recorder).do_one(0.0)
    assert (recorder.n_tried, recorder.given_up) == (1, error)


def test_patience_begins_anew_after_a_success():
    """Failures are counted in a row."""
    patience = Patience((1.0, 2.0))
    assert [patience.fail(), patience.fail(), patience.fail()] == [1.0, 2.0, None]
    patience.succeed()
    assert patience.fail() == 1.0
