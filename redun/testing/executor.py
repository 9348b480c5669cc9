"""What every executor promises: subclass ``ExecutorSuite`` and give it an ``executor`` fixture."""

from __future__ import annotations

import threading
from queue import SimpleQueue

from redun.executors.base import Executor, Work

WAIT_SECONDS = 30.0


class RecordingWork:
    """Work that notes in which thread it ran, after waiting for a gate if it has one."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.gate = gate
        self.thread_name = ""
        self.n_runs = 0
        self.started = threading.Event()

    def run(self) -> None:
        """Run, and never raise."""
        self.started.set()
        if self.gate is not None:
            self.gate.wait(WAIT_SECONDS)
        self.n_runs += 1
        self.thread_name = threading.current_thread().name


class ExecutorSuite:
    """Conformance of an executor."""

    def _start(self, executor: Executor) -> SimpleQueue[Work]:
        reports: SimpleQueue[Work] = SimpleQueue()
        executor.start(reports.put, lambda: None)
        return reports

    def test_each_work_is_reported_once(self, executor: Executor) -> None:
        """What is submitted runs once and comes back once."""
        reports = self._start(executor)
        works = [RecordingWork() for _ in range(200)]
        for work in works:
            executor.submit(work)
        reported = [reports.get(timeout=WAIT_SECONDS) for _ in works]
        assert {id(work) for work in reported} == {id(work) for work in works}
        assert all(work.n_runs == 1 for work in works)
        assert reports.empty()
        executor.stop()

    def test_submit_does_not_wait(self, executor: Executor) -> None:
        """Submitting returns while the work is still going on."""
        reports = self._start(executor)
        gate = threading.Event()
        work = RecordingWork(gate)
        executor.submit(work)
        assert work.n_runs == 0
        gate.set()
        assert reports.get(timeout=WAIT_SECONDS) is work
        executor.stop()

    def test_an_executor_can_be_started_again(self, executor: Executor) -> None:
        """Stopping ends an execution, not the executor."""
        for _ in range(3):
            reports = self._start(executor)
            work = RecordingWork()
            executor.submit(work)
            assert reports.get(timeout=WAIT_SECONDS) is work
            executor.stop()
            executor.stop()

    def test_cancelled_work_is_dropped_unreported(self, executor: Executor) -> None:
        """Work that has not started can be taken back, and what runs still comes back."""
        reports = self._start(executor)
        gate = threading.Event()
        works = [RecordingWork(gate) for _ in range(500)]
        for work in works:
            executor.submit(work)
        works[0].started.wait(WAIT_SECONDS)
        n_dropped = executor.cancel_waiting()
        gate.set()
        for _ in range(len(works) - n_dropped):
            reports.get(timeout=WAIT_SECONDS)
        assert sum(work.n_runs for work in works) == len(works) - n_dropped
        assert reports.empty()
        executor.stop()
