"""The ``gcp_batch`` type of executor: from its section of the config to Jobs at Google Batch."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from redun.executors.debug import DebugExecutor
from redun.executors.gcp_batch.options import GCP_OPTIONS
from redun.executors.gcp_batch.submitter import GCPBatchSubmitter


class GCPBatchExecutor(DebugExecutor):
    """Runs each job as a Job of Google Batch, equal ones as one Job of many tasks."""

    handles = frozenset({"retries", "timeout"})
    options_of_type = GCP_OPTIONS
    scratch_option = "gcs_scratch"
    docker_options = (
        *("image", "vcpus", "memory", "timeout", "worker_command"),
        *("code_package", "code_includes", "code_excludes"),
    )

    @classmethod
    def make_submitter(cls, name: str, values: dict[str, Any]) -> GCPBatchSubmitter:
        return GCPBatchSubmitter(name, values)

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
