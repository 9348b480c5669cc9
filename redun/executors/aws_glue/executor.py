"""The executor that runs each call as a job of AWS Glue: RemoteExecutor with a submitter of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from redun.executors.aws_glue.settings import GLUE_OPTIONS
from redun.executors.aws_glue.submitter import AWSGlueSubmitter
from redun.executors.base import Executor
from redun.executors.debug import DebugExecutor


class AWSGlueExecutor(DebugExecutor):
    """Runs work as jobs of AWS Glue, each a Spark cluster of its own."""

    def __init__(self, name: str, scheduler: Any = None, config: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Read the options; nothing is asked of AWS before there is work.

        Args:
            name: as tasks name it.
            scheduler: not used; results travel through a callback.
            config: the executor's section.

        Raises:
            BadOption: an option is unknown, missing or ill-typed.
        """
        values = GLUE_OPTIONS.read_section(name, config or {})
        super().__init__(name, values, AWSGlueSubmitter(values), table=GLUE_OPTIONS, scratch=values["s3_scratch"])

    def make_command(self, options: Mapping[str, Any], words: Sequence[str]) -> tuple[str, ...]:
        """Return the words alone: Glue's driver script is what calls redun."""
        del options
        return tuple(words)

    def make_local(self) -> Executor:
        """Make processes of this machine, in which Spark runs as well when it is installed."""
        from redun.executors.process import ProcessExecutor

        return ProcessExecutor(self.name)


def make_executor(name: str, section: Mapping[str, Any]) -> Executor:
    """Make an executor from its section of the config.  Raises BadOption."""
    return AWSGlueExecutor(name, config=section)
