"""The ``gcp_batch`` type of executor: from its section of the config to Jobs at Google Batch."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from redun.executors.base import Executor
from redun.executors.debug import DebugExecutor
from redun.executors.gcp_batch.options import GCP_OPTIONS
from redun.executors.gcp_batch.submitter import GCPBatchSubmitter

_SHARED_WITH_DOCKER = (
    *("image", "vcpus", "memory", "timeout", "worker_command"),
    *("code_package", "code_includes", "code_excludes"),
)


class GCPBatchExecutor(DebugExecutor):
    """Runs each job as a Job of Google Batch, equal ones as one Job of many tasks."""

    handles = frozenset({"retries", "timeout"})

    def __init__(
        self,
        name: str,
        scheduler: object = None,  # noqa: ARG002 - users of other executors give one
        config: Mapping[str, Any] | None = None,
    ) -> None:
        """Make it; Google is not asked before there is work.

        Args:
            name: as tasks name it.
            scheduler: not used.
            config: its section, texts or Python values.

        Raises:
            BadOption: an option is unknown, missing, or not what it must be.
        """
        values = GCP_OPTIONS.read_section(name, config or {})
        super().__init__(
            name, values, GCPBatchSubmitter(name, values), table=GCP_OPTIONS, scratch=values["gcs_scratch"]
        )

    def allows_array(self, options: Mapping[str, Any]) -> bool:
        """Jobs that run several times side by side make no arrays: both are tasks of one Job."""
        return bool(options["task_count"] == 1)

    def make_command(self, options: Mapping[str, Any], words: Sequence[str]) -> tuple[str, ...]:
        """Of a job that runs several times side by side, number 0 alone leaves its outcome."""
        main = super().make_command(options, words)
        if options["task_count"] == 1:
            return main
        beside = super().make_command(options, [words[0], "--without-output", *words[1:]])
        script = f'if [ "$BATCH_TASK_INDEX" = 0 ]; then exec {shlex.join(main)}; else exec {shlex.join(beside)}; fi'
        return ("/bin/sh", "-c", script)

    def make_local(self) -> Executor:
        """Make containers of this machine, of the same image and size; jobs may say ``volumes`` and ``interactive``."""
        from redun.executors.docker.executor import DockerExecutor

        scratch = self.values["debug_scratch"] or str(Path(tempfile.gettempdir(), "redun"))
        section = {name: self.values[name] for name in _SHARED_WITH_DOCKER if self.values[name] is not None}
        section.update(scratch=scratch, command=self.values["debug_engine"])
        return DockerExecutor(self.name, config=section)


def make_executor(name: str, section: Mapping[str, Any]) -> Executor:
    """Make an executor of type ``gcp_batch``."""
    return GCPBatchExecutor(name, config=section)
