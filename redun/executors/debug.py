"""Executors of a cluster whose jobs can be run on this machine instead, by the option ``debug``: to look into them.

The invariant: a piece of work is handed to one of the two, and stays there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from redun.errors import RedunError
from redun.executors.base import Executor, Report
from redun.executors.remote.cluster import ClusterExecutor
from redun.store.blobs import Blobs


class DebugExecutor(ClusterExecutor):
    """A remote executor with another beside it for the jobs that are debugged; its table has an option ``debug``."""

    _local: Executor | None = None
    _thread_setup: Callable[[], None]
    _contents: Blobs | None = None

    docker_options: ClassVar[tuple[str, ...]] = ()
    """The options that mean the same to containers of this machine."""
    docker_settings: ClassVar[Mapping[str, Any]] = {}
    """Further options of those."""

    def make_local(self) -> Executor:
        """Make the executor that debugged jobs go to.  Raises RedunError.

        As a rule containers of this machine, of the same image and size; jobs may say ``volumes`` and ``interactive``.
        """
        from redun.executors.docker.executor import DockerExecutor

        scratch = self.values["debug_scratch"] or str(Path(tempfile.gettempdir(), "redun"))
        section = {name: self.values[name] for name in self.docker_options if self.values[name] is not None}
        section.update(self.docker_settings, scratch=scratch, command=self.values["debug_engine"])
        return DockerExecutor(self.name, config=section)

    def use_contents(self, contents: Blobs | None) -> None:
        self._contents = contents

    def start(self, report: Report, thread_setup: Callable[[], None]) -> None:
        super().start(report, thread_setup)
        if self._local is not None:
            self._start_local(self._local, report)

    def submit(self, work: Any) -> None:
        if not self._is_debugged(work):
            super().submit(work)
            return
        assert self._report is not None, "it was started"
        if self._local is None:
            try:
                local = self.make_local()
            except RedunError as error:
                work.fail(error)
                self._report(work)
                return
            self._start_local(local, self._report)
            self._local = local
        self._local.submit(work)

    def cancel_waiting(self) -> int:
        return super().cancel_waiting() + (0 if self._local is None else self._local.cancel_waiting())

    def cancel_running(self) -> None:
        super().cancel_running()
        if self._local is not None:
            self._local.cancel_running()

    def abandon(self, work: Any) -> None:
        if self._local is not None and self._is_debugged(work):
            self._local.abandon(work)
        else:
            super().abandon(work)

    def stop(self) -> None:
        super().stop()
        if self._local is not None:
            self._local.stop()

    def _start_local(self, local: Executor, report: Report) -> None:
        local.use_contents(self._contents)
        local.start(report, self._thread_setup)

    def _is_debugged(self, work: Any) -> bool:
        said = work.get_options().get("debug")
        return bool(self.values["debug"] if said is None else said)
