"""The executor that runs jobs on AWS Batch: RemoteExecutor with a submitter of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from redun.executors.aws_batch.settings import BATCH_OPTIONS
from redun.executors.aws_batch.submitter import AWSBatchSubmitter
from redun.executors.base import Executor
from redun.executors.debug import DebugExecutor
from redun.executors.options import BadOption

_SHARED_WITH_DOCKER = (
    *("image", "vcpus", "gpus", "memory", "shared_memory", "timeout", "worker_command"),
    *("code_package", "code_includes", "code_excludes"),
)


class AWSBatchExecutor(DebugExecutor):
    """Runs work as jobs of AWS Batch."""

    def __init__(self, name: str, scheduler: Any = None, config: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Read the options; nothing is asked of AWS before there is work.

        Args:
            name: as tasks name it.
            scheduler: not used; results travel through a callback.
            config: the executor's section.

        Raises:
            BadOption: an option is unknown, missing or ill-typed.
        """
        values = BATCH_OPTIONS.read_section(name, config or {})
        if not (values["autocreate_job_def"] or values["job_def_name"]):
            hint = "name a job definition of AWS, or set autocreate_job_def"
            why = "without autocreate_job_def it needs option 'job_def_name', found none"
            raise BadOption(name, "job_def_name", why, hint=hint)
        super().__init__(name, values, AWSBatchSubmitter(values), table=BATCH_OPTIONS, scratch=values["s3_scratch"])

    def allows_array(self, options: Mapping[str, Any]) -> bool:
        """As AWS says, jobs of several nodes make no arrays."""
        return not options["num_nodes"]

    def make_local(self) -> Executor:
        """Make containers of this machine, of the same image and size; jobs may say ``volumes`` and ``interactive``."""
        from redun.executors.docker.executor import DockerExecutor

        scratch = self.values["debug_scratch"] or str(Path(tempfile.gettempdir(), "redun"))
        section = {name: self.values[name] for name in _SHARED_WITH_DOCKER if self.values[name] is not None}
        section.update(scratch=scratch, command=self.values["debug_engine"], include_aws_env=True)
        return DockerExecutor(self.name, config=section)


def make_executor(name: str, section: Mapping[str, Any]) -> Executor:
    """Make an executor from its section of the config.  Raises BadOption."""
    return AWSBatchExecutor(name, config=section)
