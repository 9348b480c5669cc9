"""An executor whose workers are machines of a cluster: all that is the same for every cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from redun.executors.base import Executor, Report, Work
from redun.executors.options import OptionTable
from redun.executors.remote.submitter import Submitter


class RemoteExecutor(Executor):
    """Runs work as jobs of a cluster.  See docs/internals/executors.md.

    Executors of a type derive from it and say only what is their own::

        class SlurmExecutor(RemoteExecutor):
            def __init__(self, name, scheduler=None, config=None):
                values = TABLE.read_section(name, config or {})
                super().__init__(name, values, SlurmSubmitter(values), table=TABLE, scratch=values["scratch"])
    """

    def __init__(
        self,
        name: str,
        values: Mapping[str, Any],
        submitter: Submitter,
        *,
        table: OptionTable,
        scratch: str,
        base: Path | None = None,
    ) -> None:
        """Make an executor; nothing is asked of the cluster, and nothing is written, before there is work.

        Args:
            name: as tasks name it.
            values: the value of every option, from ``table.read_section``.
            submitter: talks to the cluster.
            table: reads what tasks and calls say; holds at least ``common_options()``.
            scratch: path or URL of the scratch.
            base: where a relative scratch and a relative code package start, and what the code package holds; the
                working directory when None.
        """
        super().__init__(name)
        self.values = dict(values)
        self.submitter = submitter
        self.table = table
        self.scratch_url = scratch
        self.base = base

    def start(self, report: Report, thread_setup: Callable[[], None]) -> None:
        """Take note of whom to report to."""

    def submit(self, work: Work) -> None:
        """Take one piece of work."""

    def cancel_waiting(self) -> int:
        """Drop what was not submitted."""
        return 0

    def stop(self) -> None:
        """End the thread."""

    def launch(self, command: Sequence[str], options: Mapping[str, Any], *, name: str) -> str:
        """Start a command line as one job and leave it to itself; return its id at the cluster."""
        raise SystemError((command, options, name))
