"""The ``local`` type of executor: threads of this process, or processes of this machine, as the section or a task says.

The invariant: an executor that is made and not used costs nothing, since every scheduler has two of them.  Options are
read by their table only where there are some, and processes are imported with the first job for one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from redun.errors import ExecutorError
from redun.executors.base import Executor, Report
from redun.executors.thread import DEFAULT_MAX_WORKERS, ThreadExecutor
from redun.store.blobs import Blobs

if TYPE_CHECKING:
    from redun.executors.options import OptionTable
    from redun.executors.process import ProcessExecutor

THREAD, PROCESS = "thread", "process"
DEFAULT_SCRATCH = f"{os.sep}tmp{os.sep}redun"  # as users know it


class LocalExecutor(ThreadExecutor):
    """Runs jobs on this machine.  Both kinds of worker are made as work for them comes, and end with the execution."""

    option_names = frozenset({"mode"})

    def __init__(
        self,
        name: str,
        scheduler: Any = None,
        config: Mapping[str, Any] | None = None,
        *,
        mode: str | None = None,
    ) -> None:
        """Make an executor.

        Args:
            name: what tasks call it.
            scheduler: whose it is.
            config: its section: ``mode``, ``max_workers``, ``start_method``, ``scratch``.
            mode: ``thread`` or ``process``, over what the section says.

        Raises:
            BadOption: an option is unknown or does not fit.
            ExecutorError: ``max_workers`` is below 1.
        """
        section = dict(config or {}) if mode is None else {**(config or {}), "mode": mode}
        is_plain = section.keys() <= {"mode"} and section.get("mode", THREAD) in {THREAD, PROCESS}
        values = section if is_plain else _table().read_section(name, section)
        max_workers = values.get("max_workers")
        super().__init__(name, max_workers=DEFAULT_MAX_WORKERS if max_workers is None else max_workers)
        self.set_scheduler(scheduler)
        self.mode: str = values.get("mode", THREAD)
        self._max_processes = max_workers
        self._start_method = values.get("start_method")
        self._scratch = values.get("scratch", DEFAULT_SCRATCH)
        self._contents: Blobs | None = None
        self._processes: ProcessExecutor | None = None

    @property
    def runs_coroutines(self) -> bool:  # type: ignore[override]
        """Whether async tasks may name this executor: one of threads."""
        return self.mode == THREAD

    def scratch_root(self) -> str:
        return str(self._scratch)

    def use_contents(self, contents: Blobs | None) -> None:
        self._contents = contents
        if self._processes is not None:
            self._processes.use_contents(contents)

    def start(self, report: Report, thread_setup: Callable[[], None]) -> None:
        super().start(report, thread_setup)
        if self._processes is not None:
            self._processes.start(report, thread_setup)

    def submit(self, work: Any) -> None:
        mode = self._mode_of(work)
        if mode == THREAD:
            super().submit(work)
        elif mode == PROCESS:
            if self._processes is None:
                self._processes = self._make_processes()
            self._processes.submit(work)
        else:
            work.fail(_misfit(self.name, mode))
            self._started()(work)

    def cancel_waiting(self) -> int:
        n_dropped = super().cancel_waiting()
        return n_dropped if self._processes is None else n_dropped + self._processes.cancel_waiting()

    def cancel_running(self) -> None:
        if self._processes is not None:
            self._processes.cancel_running()
        super().cancel_running()

    def abandon(self, work: Any) -> None:
        if self._processes is not None and self._mode_of(work) == PROCESS:
            self._processes.abandon(work)
        else:
            super().abandon(work)

    def stop(self) -> None:
        super().stop()
        if self._processes is not None:
            self._processes.stop()

    def _mode_of(self, work: Any) -> Any:
        get_option = getattr(work, "get_option", None)
        mode = None if get_option is None else get_option("mode")
        return self.mode if mode is None else mode

    def _make_processes(self) -> ProcessExecutor:
        from redun.executors.process import DEFAULT_START_METHOD, ProcessExecutor

        method = self._start_method or DEFAULT_START_METHOD
        made = ProcessExecutor(self.name, max_workers=self._max_processes, start_method=method)
        made.use_contents(self._contents)
        made.start(self._started(), lambda: None)
        return made

    def _started(self) -> Report:
        if self._report is None:
            raise ExecutorError(f"executor {self.name!r} was given work before it was started")
        return self._report


def make_executor(name: str, options: Mapping[str, Any]) -> Executor:
    """Make an executor from its section of the config.  Raises as ``LocalExecutor`` does."""
    return LocalExecutor(name, config=options)


def _table() -> OptionTable:
    """Return the options there are, and what they must be."""
    from redun.executors.options import TEXT, WHOLE, Option, OptionTable, choice

    return OptionTable(
        "local",
        [
            Option("mode", choice(THREAD, PROCESS), "what runs jobs: threads of this process, or processes", THREAD),
            Option(
                "max_workers", WHOLE, "how many jobs at once; 20 threads, or as many processes as cores", of_task=False
            ),
            Option(
                "start_method",
                choice("forkserver", "fork", "spawn"),
                "how processes are started",
                "forkserver",
                of_task=False,
            ),
            Option("scratch", TEXT, "a folder for what jobs leave", DEFAULT_SCRATCH, of_task=False),
        ],
    )


def _misfit(name: str, mode: Any) -> Exception:
    """Return what is wrong with the mode that a task asks for."""
    from redun.executors.options import BadOption

    try:
        _table().read_task(name, {}, {"mode": mode})
    except BadOption as error:
        return error
    raise AssertionError(f"expected a mode that is none, found {mode!r}")
