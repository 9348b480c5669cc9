"""Which scheduler runs in a thread."""

from __future__ import annotations

import threading

import pytest

from redun import Scheduler, get_current_scheduler, set_current_scheduler, task
from redun.executors.thread import ThreadExecutor
from redun.scheduler.current import find_running_job
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


SEEN: list = []


@task(namespace="test_current", version="1")
def look(x):
    """Note the job that runs here."""
    SEEN.append((find_running_job(), threading.current_thread()))
    return x


class Looking(ThreadExecutor):
    """Looks, in the thread that ran the work, at the job that is left there."""

    def start(self, report, thread_setup):
        """Report to the scheduler after a look."""

        def look_and_report(work):
            SEEN.append((find_running_job(), threading.current_thread()))
            report(work)

        super().start(look_and_report, thread_setup)


def test_a_thread_that_is_done_with_a_job_lets_go_of_it():
    """It would keep alive all that waits for the job: of a wide fan-out, every call."""
    SEEN.clear()
    assert Scheduler(executor=Looking("default", max_workers=1)).run(look(1)) == 1
    (within, thread), (after, same_thread) = SEEN
    assert within.task.fullname == "test_current.look"
    assert after is None
    assert same_thread is thread
