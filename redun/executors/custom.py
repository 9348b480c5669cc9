"""Executors of users, written to the shape that the language has elsewhere, put under our contract.

Such a class has ``submit(job)`` and ``submit_script(job)``, may have ``start()`` and ``stop()`` without arguments, and
hands in results by ``self._scheduler.done_job``, ``reject_job`` and ``add_job_tags``.  ``CustomExecutor`` speaks for
one.  The invariant: each job counts once, however often it is handed in, and not at all after its run has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from redun.errors import ExecutorError
from redun.executors.base import Executor, Report
from redun.executors.handed import Era, HandedJob


class CustomExecutor(Executor):
    """Speaks for an executor of the older shape."""

    def __init__(self, inner: Executor) -> None:
        super().__init__(inner.name)
        self.inner = inner
        self._report: Report | None = None
        self._era = Era()

    @property
    def runs_coroutines(self) -> bool:  # type: ignore[override]
        """Whether it says that it supports async tasks.  Those run beside it, in this process."""
        return bool(self.inner.supports_async())

    @property
    def handles(self) -> frozenset[str]:  # type: ignore[override]
        """What the class says that it sees to."""
        return frozenset(self.inner.handles)

    @property
    def option_names(self) -> frozenset[str]:  # type: ignore[override]
        """What the class says that it reads."""
        return frozenset(self.inner.option_names)

    def start(self, report: Report, thread_setup: Callable[[], None]) -> None:
        """Start the inner one, which knows the scheduler already."""
        if self._report is None:
            self._era = Era(thread_setup)
            self.inner.start()
        self._report = report

    def submit(self, work: Any) -> None:
        """Hand the job on.  Its time counts from here: nothing tells when the function begins."""
        report = self._report
        if report is None:
            raise ExecutorError(f"executor {self.name!r} was given work before it was started")
        work.begin()
        job = HandedJob(work, self._era)
        try:
            (self.inner.submit_script if work.task.script else self.inner.submit)(job)
        except Exception as error:
            if job.take_back() is None:
                raise
            work.fail(error)
            report(work)

    def stop(self) -> None:
        if self._report is not None:
            self._report = None
            self._era.is_over = True  # whatever is handed in from now on is dropped
            self._era.outstanding.clear()
            self.inner.stop()

    def scratch_root(self) -> str:
        return self.inner.scratch_root()
