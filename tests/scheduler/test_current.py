"""Which scheduler runs in a thread."""

from __future__ import annotations

import threading

import pytest

from redun import Scheduler, get_current_scheduler, set_current_scheduler, task
from redun.scheduler.errors import NoCurrentScheduler


@pytest.fixture(autouse=True)
def forget():
    """Leave no scheduler behind."""
    yield
    set_current_scheduler(None)


def test_without_a_scheduler_asking_for_one_is_an_error():
    """Unless it need not be there."""
    with pytest.raises(NoCurrentScheduler):
        get_current_scheduler()
    assert get_current_scheduler(required=False) is None


def test_each_thread_has_its_own():
    """What one thread sets another does not see."""
    scheduler = Scheduler()
    set_current_scheduler(scheduler)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(get_current_scheduler(required=False)))
    thread.start()
    thread.join()
    assert seen == [None]
    assert get_current_scheduler() is scheduler


def test_a_task_finds_the_scheduler_that_runs_it():
    """In whatever thread its function is called."""

    @task(namespace="test_current")
    def who():
        return id(get_current_scheduler())

    scheduler = Scheduler()
    assert scheduler.run(who()) == id(scheduler)
