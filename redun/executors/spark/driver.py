"""Threads of this process for tasks that use Spark themselves.

The Spark jobs of each task have a name of their own: a run that stops ends those of its own tasks and no others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count
from typing import Any

from redun.executors.base import PortableWork, Report, Work
from redun.executors.spark.cluster import Cluster
from redun.executors.thread import ThreadExecutor

_numbers = count(1)


class DriverThreads:
    """A pool of threads that starts Spark before the first piece of work runs."""

    def __init__(self, name: str, max_workers: int, open_cluster: Callable[[], Cluster]) -> None:
        self._name = name
        self._pool = ThreadExecutor(f"{name}-driver", max_workers=max_workers)
        self._open_cluster = open_cluster
        self._opening = threading.Lock()
        self._works: dict[int, DriverWork] = {}  # by the id of the work in it

    def start(self, report: Report, thread_setup: Callable[[], None]) -> None:
        """Get ready."""

        def report_inner(work: Any) -> None:
            self._works.pop(id(work.inner), None)
            report(work.inner)

        self._pool.start(report_inner, thread_setup)

    def submit(self, work: Any) -> None:
        """Take one piece of work."""
        wrapped = self._works[id(work)] = DriverWork(work, f"redun-{self._name}-driver-{next(_numbers)}", self._open)
        self._pool.submit(wrapped)

    def cancel_waiting(self) -> int:
        """Drop what has not begun; return how many pieces that were."""
        return self._pool.cancel_waiting()

    def cancel_running(self) -> None:
        """End the Spark jobs of what runs, and what else of it can be ended."""
        self._pool.cancel_running()

    def abandon(self, work: Work) -> None:
        """Take back the place of work whose time is up, and end its Spark jobs."""
        wrapped = self._works.get(id(work))
        if wrapped is not None:
            if wrapped.cancel is not None:
                wrapped.cancel()
            self._pool.abandon(wrapped)

    def stop(self) -> None:
        """Let go of the threads once what runs has ended."""
        self._pool.stop()
        self._works = {}

    def _open(self) -> Cluster:
        with self._opening:
            return self._open_cluster()


class DriverWork:
    """Work that runs in a thread whose Spark jobs have a name."""

    def __init__(self, inner: PortableWork, job: str, open_cluster: Callable[[], Cluster]) -> None:
        self.inner = inner
        self.cancel: Callable[[], None] | None = None
        self._job = job
        self._open = open_cluster

    def run(self) -> None:
        """Run it once Spark is there.  Never raises."""
        try:
            cluster = self._open()
            cluster.name_jobs(self._job)
        except Exception as error:
            self.inner.fail(error)
            return

        def cancel() -> None:
            cluster.cancel(self._job)
            inner_cancel = getattr(self.inner, "cancel", None)
            if inner_cancel is not None:
                inner_cancel()

        self.cancel = cancel
        self.inner.run()
        self.cancel = None
