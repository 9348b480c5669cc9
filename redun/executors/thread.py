"""Runs work in threads of this process.

The pool is our own because of what it costs: `concurrent.futures` makes a Future with a condition variable for each
task, and nobody would wait on those futures: results travel through one queue (figures: docs/internals/performance.md).
Threads are made as they are needed, up to ``max_workers``, and are daemons: an interrupted run does not wait for a task
that sleeps.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from redun.errors import ExecutorError
from redun.executors.base import Executor, Report, Work

DEFAULT_MAX_WORKERS = 20
CANCEL_SECONDS = 2.0
"""How long a run that stops waits for the work that it ended."""
POLL_SECONDS = 0.01


class ThreadExecutor(Executor):
    """A pool of threads."""

    runs_coroutines = True

    def __init__(self, name: str, *, max_workers: int = DEFAULT_MAX_WORKERS) -> None:
        """Raises ExecutorError when ``max_workers`` is below 1."""
        if max_workers < 1:
            raise ExecutorError(f"executor {name!r} needs max_workers of at least 1, found {max_workers}")
        super().__init__(name)
        self.max_workers = max_workers
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._n_threads = 0
        self._idle = threading.Semaphore(0)
        self._report: Report | None = None
        self._thread_setup: Callable[[], None] | None = None
        self._working: dict[int, Work] = {}  # by thread
        # By id; the work is held, so that its id stays its own.
        self._abandoned: dict[int, Work] = {}

    def start(self, report: Report, thread_setup: Callable[[], None]) -> None:
        self._report = report
        self._thread_setup = thread_setup

    def submit(self, work: Work) -> None:
        self._queue.put(work)
        if self._n_threads < self.max_workers and not self._idle.acquire(blocking=False):
            self._add_thread()

    def cancel_waiting(self) -> int:
        n_dropped = 0
        while True:
            try:
                work = self._queue.get_nowait()
            except Empty:
                return n_dropped
            n_dropped += work is not None

    def cancel_running(self) -> None:
        deadline = time.monotonic() + CANCEL_SECONDS
        asked: set[int] = set()
        # Again and again: work that has just begun may get what can be ended a moment later.
        while running := [work for work in list(self._working.values()) if getattr(work, "cancel", None)]:
            for work in running:
                cancel = getattr(work, "cancel", None)
                if cancel is not None and id(work) not in asked:
                    asked.add(id(work))
                    cancel()
            if time.monotonic() > deadline:
                return
            time.sleep(POLL_SECONDS)

    def abandon(self, work: Work) -> None:
        """Let another thread take the place; the one that runs this work ends with it."""
        self._abandoned[id(work)] = work
        self._n_threads -= 1
        if not self._queue.empty():
            self._add_thread()

    def stop(self) -> None:
        self._queue.put(None)
        # Threads of this generation still serve the old queue; a later start gets a new one.
        self._queue = SimpleQueue()
        self._n_threads = 0
        self._abandoned = {}
        self._idle = threading.Semaphore(0)

    def _add_thread(self) -> None:
        self._n_threads += 1
        name = f"redun-{self.name}-{self._n_threads}"
        threading.Thread(target=self._serve, args=(self._queue,), name=name, daemon=True).start()

    def _serve(self, queue: SimpleQueue[Work | None]) -> None:
        report, idle, limit = self._report, self._idle, self.max_workers
        if report is None or self._thread_setup is None:
            raise ExecutorError(f"executor {self.name!r} was given work before it was started")
        self._thread_setup()
        me, working = threading.get_ident(), self._working
        while (work := queue.get()) is not None:
            working[me] = work
            work.run()
            del working[me]
            report(work)
            if self._abandoned and self._abandoned.pop(id(work), None) is not None:
                return
            del work
            # Once the pool is full nobody asks whether a thread is idle, and the semaphore need not be paid for.
            if self._n_threads < limit and queue.empty():
                idle.release()
        queue.put(None)  # for the next thread: one that outlived its abandoned work is not counted
