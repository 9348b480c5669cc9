"""Runs jobs in processes of this machine: as many at once as there are cores, and a job that crashes crashes alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redun.errors import ExecutorError
from redun.executors.base import Executor, Report
from redun.store.blobs import Blobs

if TYPE_CHECKING:
    from redun.executors.pool.dispatch import Pool

DEFAULT_START_METHOD = "forkserver"
RUNNER = "redun.worker.run_parcel"


class ProcessExecutor(Executor):
    """A pool of worker processes, which live as long as the execution."""

    def __init__(
        self,
        name: str,
        *,
        max_workers: int | None = None,
        start_method: str = DEFAULT_START_METHOD,
        runner: str = RUNNER,
    ) -> None:
        """Make an executor; nothing is started or imported before there is work.

        Args:
            name: what tasks call it.
            max_workers: how many processes at most; None: as many as this process may use cores.
            start_method: ``forkserver``, ``fork`` or ``spawn``.
            runner: dotted name of what makes an outcome of a parcel in the workers.

        Raises:
            ExecutorError: ``max_workers`` is below 1.
        """
        if max_workers is not None and max_workers < 1:
            raise ExecutorError(f"executor {name!r} needs max_workers of at least 1, found {max_workers}")
        super().__init__(name)
        self.max_workers = max_workers or count_cores()
        self.start_method = start_method
        self._runner = runner
        self._contents: Blobs | None = None
        self._report: Report | None = None
        self._pool: Pool | None = None

    def use_contents(self, contents: Blobs | None) -> None:
        self._contents = contents

    def start(self, report: Report, thread_setup: Callable[[], None]) -> None:
        del thread_setup  # no thread of this process runs work
        self._report = report

    def submit(self, work: Any) -> None:
        if self._pool is None:
            self._pool = self._make_pool()
        self._pool.submit(work)

    def cancel_waiting(self) -> int:
        return 0 if self._pool is None else self._pool.cancel_waiting()

    def cancel_running(self) -> None:
        """End the processes that run work, and what they have started: first they are asked, then they are killed."""
        if self._pool is not None:
            self._pool.cancel_running()

    def abandon(self, work: Any) -> None:
        """End the process that runs this work; another takes its place at once."""
        if self._pool is not None:
            self._pool.abandon(work)

    def stop(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()

    def _make_pool(self) -> Pool:
        from redun.executors.pool.dispatch import Pool
        from redun.executors.pool.frames import WorkerSetup
        from redun.executors.pool.staff import PoolSettings
        from redun.file.statcache import get_stat_cache

        if self._report is None:
            raise ExecutorError(f"executor {self.name!r} was given work before it was started")
        contents = self._contents
        place = None if contents is None else str(Path(contents.location).resolve())
        known = get_stat_cache()
        known.save()  # what this process has read its workers need not read again
        cache = None if known.path is None else str(known.path.resolve())
        setup = WorkerSetup(self._runner, place, cache, list(sys.path), list(sys.argv))
        return Pool(PoolSettings(self.name, self.max_workers, self.start_method, setup, contents), self._report)


def count_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1
