"""Remote executors that are made from a section of the config, as users and the registry make them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from redun.executors.options import OptionTable
from redun.executors.remote.executor import RemoteExecutor
from redun.executors.remote.submitter import Submitter


class ClusterExecutor(RemoteExecutor):
    """A type of executor: what derives from it says only what is its own.

    ::

        class SlurmExecutor(ClusterExecutor):
            options_of_type = SLURM_OPTIONS

            @classmethod
            def make_submitter(cls, name, values):
                return SlurmSubmitter(name, values)
    """

    options_of_type: ClassVar[OptionTable]
    """Holds at least ``common_options()``."""
    scratch_option: ClassVar[str] = "scratch"

    def __init__(
        self,
        name: str,
        scheduler: object = None,  # noqa: ARG002 - users of other executors give one
        config: Mapping[str, Any] | None = None,
    ) -> None:
        """Read the options; the cluster is not asked before there is work.

        Args:
            name: as tasks name it.
            scheduler: not used; results travel through a callback.
            config: its section, texts or Python values.

        Raises:
            BadOption: an option is unknown, missing, or not what it must be; two contradict each other.
        """
        values = self.options_of_type.read_section(name, config or {})
        submitter = self.make_submitter(name, values)
        super().__init__(name, values, submitter, table=self.options_of_type, scratch=values[self.scratch_option])

    @classmethod
    @abstractmethod
    def make_submitter(cls, name: str, values: dict[str, Any]) -> Submitter:
        """Make what talks to the cluster; asks nothing of it yet.

        Args:
            name: of the executor.
            values: the value of every option.  What follows from others is filled in here.

        Raises:
            BadOption: two options contradict each other.
        """
