"""The ``aws_batch`` type of executor: from its section of the config to jobs of AWS Batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from redun.executors.aws_batch.settings import BATCH_OPTIONS
from redun.executors.aws_batch.submitter import AWSBatchSubmitter
from redun.executors.debug import DebugExecutor
from redun.executors.options import BadOption


class AWSBatchExecutor(DebugExecutor):
    """Runs work as jobs of AWS Batch."""

    options_of_type = BATCH_OPTIONS
    scratch_option = "s3_scratch"
    docker_options = (
        *("image", "vcpus", "gpus", "memory", "shared_memory", "timeout", "worker_command"),
        *("code_package", "code_includes", "code_excludes"),
    )
    docker_settings: ClassVar[Mapping[str, Any]] = {"include_aws_env": True}

    @classmethod
    def make_submitter(cls, name: str, values: dict[str, Any]) -> AWSBatchSubmitter:
        if not (values["autocreate_job_def"] or values["job_def_name"]):
            hint = "name a job definition of AWS, or set autocreate_job_def"
            why = "without autocreate_job_def it needs option 'job_def_name', found none"
            raise BadOption(name, "job_def_name", why, hint=hint)
        return AWSBatchSubmitter(values)

    def allows_array(self, options: Mapping[str, Any]) -> bool:
        """As AWS says, jobs of several nodes make no arrays."""
        return not options["num_nodes"]
