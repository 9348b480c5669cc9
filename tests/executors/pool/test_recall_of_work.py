"""A request to give work back: each piece is counted by whoever asked, or handed on, never both."""

from __future__ import annotations

import threading

from redun.executors.pool.recall import Recall


def test_what_is_given_back_in_time_is_counted():
    """With what was dropped at once."""
    recall = Recall()
    recall.begin(3, {1, 2})
    answers = [recall.take(1, 4, is_all=True), recall.take(2, 0, is_all=True)]
    assert answers == [True, True]
    assert recall.wait(0) == 7


def test_an_answer_to_an_earlier_request_is_not_the_last():
    """What it brings is dropped too, and more is waited for."""
    recall = Recall()
    recall.begin(0, {1})
    answers = [recall.take(1, 4, is_all=False), recall.take(1, 3, is_all=True), recall.take(1, 9, is_all=True)]
    assert answers == [True, True, False]
    assert recall.wait(60) == 7


def test_nobody_to_ask_is_no_wait():
    """The answer is there at once."""
    recall = Recall()
    recall.begin(3, set())
    assert recall.wait(60) == 3


def test_what_comes_late_is_not_taken():
    """Whoever asked has gone on with another count, so it must be run."""
    recall = Recall()
    recall.begin(0, {1})
    assert recall.wait(0) == 0
    assert not recall.take(1, 4, is_all=True)


def test_what_was_not_asked_for_is_not_taken():
    """A worker may give work back for another reason."""
    recall = Recall()
    recall.begin(0, {1})
    assert not recall.take(2, 4, is_all=True)


def test_a_worker_that_ends_is_not_waited_for():
    """Its work is taken care of elsewhere."""
    recall = Recall()
    recall.begin(1, {1})
    threading.Timer(0, recall.forget, [1]).start()
    assert recall.wait(60) == 1
