"""The pool of threads."""

from __future__ import annotations

import threading
from queue import SimpleQueue

import pytest

from redun.errors import ExecutorError
from redun.executors.thread import ThreadExecutor
from redun.testing.executor import WAIT_SECONDS, ExecutorSuite, RecordingWork, WorkflowExecutorSuite


class TestThreadExecutor(ExecutorSuite):
    """It keeps the contract of executors."""

    @pytest.fixture
    def executor(self):
        """A pool of the default size."""
        return ThreadExecutor("default")


class TestWorkflowsOnThreads(WorkflowExecutorSuite):
    """Workflows run on it as on any other."""

    is_separate = False

    @pytest.fixture
    def executor(self):
        """A pool of a few threads."""
        return ThreadExecutor("tested", max_workers=4)


def test_a_blocked_thread_does_not_hold_up_the_rest():
    """Work that waits for other work gets it done: idle threads are found, and made where there are none."""
    executor = ThreadExecutor("default", max_workers=4)
    reports = SimpleQueue()
    executor.start(reports.put, lambda: None)
    for _ in range(50):
        gate = threading.Event()
        blocked = RecordingWork(gate)
        executor.submit(blocked)
        quick = RecordingWork()
        executor.submit(quick)
        assert reports.get(timeout=WAIT_SECONDS) is quick
        gate.set()
        assert reports.get(timeout=WAIT_SECONDS) is blocked
    executor.stop()


def test_threads_are_made_up_to_max_workers_only():
    """The pool is bounded, however much is submitted."""
    executor = ThreadExecutor("small", max_workers=3)
    reports = SimpleQueue()
    executor.start(reports.put, lambda: None)
    gate = threading.Event()
    works = [RecordingWork(gate) for _ in range(50)]
    for work in works:
        executor.submit(work)
    gate.set()
    for _ in works:
        reports.get(timeout=WAIT_SECONDS)
    assert {work.thread_name for work in works} <= {"redun-small-1", "redun-small-2", "redun-small-3"}
    executor.stop()


def test_each_thread_is_set_up_once():
    """The set-up given to start runs once in every thread that works."""
    executor = ThreadExecutor("default", max_workers=2)
    reports, names = SimpleQueue(), []
    executor.start(reports.put, lambda: names.append(threading.current_thread().name))
    works = [RecordingWork() for _ in range(20)]
    for work in works:
        executor.submit(work)
        reports.get(timeout=WAIT_SECONDS)
    assert len(names) == len(set(names))
    assert {work.thread_name for work in works} <= set(names)
    executor.stop()


def test_max_workers_below_one_is_refused():
    """A pool that could run nothing is a mistake."""
    with pytest.raises(ExecutorError, match="at least 1, found 0"):
        ThreadExecutor("default", max_workers=0)


def test_an_abandoned_work_gives_its_place_to_other_work():
    """The pool keeps its size: a thread is made for what waits, and the other one ends with its work."""
    executor = ThreadExecutor("one", max_workers=1)
    reports = SimpleQueue()
    executor.start(reports.put, lambda: None)
    gate = threading.Event()
    hanging, waiting = RecordingWork(gate), RecordingWork()
    executor.submit(hanging)
    assert hanging.started.wait(WAIT_SECONDS)
    (thread,) = [thread for thread in threading.enumerate() if thread.name.startswith("redun-one-")]
    executor.submit(waiting)
    executor.abandon(hanging)
    assert reports.get(timeout=WAIT_SECONDS) is waiting
    gate.set()
    assert reports.get(timeout=WAIT_SECONDS) is hanging
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()
    executor.stop()


def test_stopping_ends_every_thread():
    """Also one whose work was abandoned just after it had ended."""
    executor = ThreadExecutor("ending", max_workers=2)
    reports = SimpleQueue()
    executor.start(reports.put, lambda: None)
    work = RecordingWork()
    executor.submit(work)
    assert reports.get(timeout=WAIT_SECONDS) is work
    executor.abandon(work)
    gate = threading.Event()
    for _ in range(2):
        executor.submit(RecordingWork(gate))
    executor.stop()
    gate.set()
    for thread in threading.enumerate():
        if thread.name.startswith("redun-ending-"):
            thread.join(WAIT_SECONDS)
            assert not thread.is_alive()


class EndableWork(RecordingWork):
    """Work that waits for a gate, which is opened by cancelling it."""

    def __init__(self):
        super().__init__(threading.Event())
        self.cancel = None
        self.n_cancels = 0

    def run(self):
        """Run, and be cancellable meanwhile."""
        self.cancel = self._cancel
        super().run()
        self.cancel = None

    def _cancel(self):
        self.n_cancels += 1
        self.gate.set()


def test_running_work_is_ended_where_it_says_how():
    """Work that can be cancelled is, once; it comes back as ever, and what cannot be is not waited for."""
    executor = ThreadExecutor("default")
    reports = SimpleQueue()
    executor.start(reports.put, lambda: None)
    endable, other = [EndableWork(), EndableWork()], RecordingWork(threading.Event())
    for work in [*endable, other]:
        executor.submit(work)
        assert work.started.wait(WAIT_SECONDS)
    executor.cancel_running()
    assert [work.n_cancels for work in endable] == [1, 1]
    assert {id(reports.get(timeout=WAIT_SECONDS)) for _ in endable} == {id(work) for work in endable}
    assert other.n_runs == 0
    other.gate.set()
    executor.stop()


def test_nothing_is_cancelled_when_nothing_runs():
    """A run that ended well has nothing to wait for."""
    executor = ThreadExecutor("default")
    reports = SimpleQueue()
    executor.start(reports.put, lambda: None)
    work = EndableWork()
    work.gate.set()
    executor.submit(work)
    reports.get(timeout=WAIT_SECONDS)
    executor.cancel_running()
    assert work.n_cancels == 0
    executor.stop()
