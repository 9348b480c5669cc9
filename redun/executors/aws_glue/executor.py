"""The ``aws_glue`` type of executor: from its section of the config to jobs of AWS Glue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from redun.executors.aws_glue.settings import GLUE_OPTIONS
from redun.executors.aws_glue.submitter import AWSGlueSubmitter
from redun.executors.base import Executor
from redun.executors.debug import DebugExecutor


class AWSGlueExecutor(DebugExecutor):
    """Runs work as jobs of AWS Glue, each a Spark cluster of its own."""

    options_of_type = GLUE_OPTIONS
    scratch_option = "s3_scratch"

    @classmethod
    def make_submitter(cls, name: str, values: dict[str, Any]) -> AWSGlueSubmitter:
        del name
        return AWSGlueSubmitter(values)

    def make_command(self, options: Mapping[str, Any], words: Sequence[str]) -> tuple[str, ...]:
        """Return the words alone: Glue's driver script is what calls redun."""
        del options
        return tuple(words)

    def make_local(self) -> Executor:
        """Make processes of this machine, in which Spark runs as well when it is installed."""
        from redun.executors.process import ProcessExecutor

        return ProcessExecutor(self.name)
