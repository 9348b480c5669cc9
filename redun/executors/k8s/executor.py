"""The ``k8s`` type of executor: from its section of the config to Jobs at a Kubernetes cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redun.executors.base import Executor
from redun.executors.k8s.options import K8S_OPTIONS
from redun.executors.k8s.submitter import K8SSubmitter
from redun.executors.remote.executor import RemoteExecutor


class K8SExecutor(RemoteExecutor):
    """Runs each job as a Job of a Kubernetes cluster, equal ones as an Indexed Job."""

    handles = frozenset({"retries", "timeout"})

    def __init__(
        self,
        name: str,
        scheduler: object = None,  # noqa: ARG002 - users of other executors give one
        config: Mapping[str, Any] | None = None,
    ) -> None:
        """Make it; the cluster is not asked before there is work.

        Args:
            name: as tasks name it.
            scheduler: not used.
            config: its section, texts or Python values.

        Raises:
            BadOption: an option is unknown, missing, or not what it must be.
        """
        values = K8S_OPTIONS.read_section(name, config or {})
        super().__init__(name, values, K8SSubmitter(name, values), table=K8S_OPTIONS, scratch=values["scratch"])


def make_executor(name: str, section: Mapping[str, Any]) -> Executor:
    """Make an executor of type ``k8s``."""
    return K8SExecutor(name, config=section)
