"""The ``k8s`` type of executor: from its section of the config to Jobs at a Kubernetes cluster."""

from __future__ import annotations

from typing import Any

from redun.executors.k8s.options import K8S_OPTIONS
from redun.executors.k8s.submitter import K8SSubmitter
from redun.executors.remote.cluster import ClusterExecutor


class K8SExecutor(ClusterExecutor):
    """Runs each job as a Job of a Kubernetes cluster, equal ones as an Indexed Job."""

    handles = frozenset({"retries", "timeout"})
    options_of_type = K8S_OPTIONS

    @classmethod
    def make_submitter(cls, name: str, values: dict[str, Any]) -> K8SSubmitter:
        return K8SSubmitter(name, values)
