"""The options of executors of type ``k8s``.  For users: docs/guide/executors-kubernetes.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from redun.executors.options import FLAG, NUMBER, ROWS, TABLE, TEXT, WHOLE, WORDS, Kind, Option, OptionTable
from redun.executors.remote.settings import COUNT, common_options


def _read_env(text: str) -> Any:
    found = json.loads(text)
    if not _is_env(found):
        raise ValueError(text)
    return found


def _is_env(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and isinstance(text, str) for name, text in value.items())
    return isinstance(value, (list, tuple)) and all(isinstance(row, Mapping) and "name" in row for row in value)


ENV = Kind('{"NAME": "text"}, or a list of EnvVar objects', _read_env, _is_env)
_OWN: dict[str, Any] = {"of_task": False}

K8S_OPTIONS = OptionTable(
    "k8s",
    [
        *common_options(),
        Option("image", TEXT, "the image that jobs run in; it has redun installed", is_required=True),
        Option("context", TEXT, "a context of the kubeconfig; without it, the current one", **_OWN),
        Option("namespace", TEXT, "where jobs are made", "default", **_OWN),
        Option("create_namespace", FLAG, "make the namespace when it is not there", default=True, **_OWN),
        Option("secret_name", TEXT, "a Secret whose entries jobs find in their environment", **_OWN),
        Option(
            "import_aws_secrets",
            FLAG,
            "put the AWS credentials in force here into it; without it, if there are any",
            **_OWN,
        ),
        Option("secret_env_vars", WORDS, "variables of this process to be put into it", [], **_OWN),
        Option("vcpus", NUMBER, "how many cores a job gets, 0.5 being half of one", 1),
        Option("gpus", WHOLE, "how many GPUs a job gets (nvidia.com/gpu)", 0),
        Option("memory", NUMBER, "how many GiB of memory a job gets", 4),
        Option("ephemeral_storage", NUMBER, "how many GiB of the node's disk a job gets; without it, what there is"),
        Option("retries", COUNT, "how often Kubernetes starts a job again whose pod failed", 0),
        Option("service_account_name", TEXT, "the service account of pods", "default"),
        Option("annotations", TABLE, "annotations of jobs and pods", {}),
        Option("k8s_labels", TABLE, "labels of jobs and pods", {}),
        Option("default_k8s_labels", FLAG, "label jobs and pods with task, executor and who made them", default=True),
        Option("node_affinity", TABLE, "a NodeAffinity object: on which nodes pods may run"),
        Option("env", ENV, "what jobs find in their environment", {}),
        Option("volumes", ROWS, "Volume objects", []),
        Option("volume_mounts", ROWS, "VolumeMount objects: where the container has the volumes", []),
    ],
)
