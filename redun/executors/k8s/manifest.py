"""From a submission to the Job that Kubernetes is asked for, as the JSON of its API.  Pure.

Shapes: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/.  They are plain dicts,
which every version of the client library takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redun.executors.k8s.names import (
    EXECUTOR_LABEL,
    MANAGER,
    MANAGER_LABEL,
    NAME_ANNOTATION,
    RUN_LABEL,
    TASK_LABEL,
    label_value,
)
from redun.executors.remote.submitter import Submission

KEEP_SECONDS = 24 * 3600
"""How long Kubernetes keeps a job that ended and that nobody removed: a failed one, or one of a run that was killed."""


def build_job(submission: Submission, *, name: str, run: str, executor: str, secret: str | None) -> dict[str, Any]:
    """Return the Job.

    Args:
        submission: what is to run.
        name: of the job at the cluster.
        run: the submitter's label.
        executor: the name of the executor, for labels.
        secret: the Secret whose entries the command finds in its environment.
    """
    options = submission.options
    labels = _labels(submission, run=run, executor=executor)
    annotations = {**options["annotations"], NAME_ANNOTATION: submission.name}
    spec: dict[str, Any] = {
        "backoffLimit": options["retries"],
        "ttlSecondsAfterFinished": KEEP_SECONDS,
        "template": {"metadata": {"labels": labels, "annotations": annotations}, "spec": _pod(submission, secret)},
    }
    if submission.is_array:
        size = submission.size
        spec |= {"completionMode": "Indexed", "completions": size, "parallelism": size}
        # Each element fails by itself.  The limit of the whole is never met: it would end the elements that still run.
        spec |= {"backoffLimitPerIndex": options["retries"], "backoffLimit": size * (options["retries"] + 1)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels, "annotations": annotations},
        "spec": spec,
    }


def _labels(submission: Submission, *, run: str, executor: str) -> dict[str, str]:
    # By these redun finds its jobs again: they are there whatever the options say.
    own = {MANAGER_LABEL: MANAGER, RUN_LABEL: run}
    if submission.options["default_k8s_labels"]:
        own |= {EXECUTOR_LABEL: label_value(executor), TASK_LABEL: label_value(submission.task_name)}
    return {**{key: str(value) for key, value in submission.options["k8s_labels"].items()}, **own}


def _pod(submission: Submission, secret: str | None) -> dict[str, Any]:
    options = submission.options
    container: dict[str, Any] = {
        "name": "redun",
        "image": options["image"],
        "command": list(submission.command),
        "env": _environment(options["env"], submission.environment),
        "resources": _resources(options),
    }
    if secret is not None:
        container["envFrom"] = [{"secretRef": {"name": secret}}]
    if options["volume_mounts"]:
        container["volumeMounts"] = list(options["volume_mounts"])
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "serviceAccountName": options["service_account_name"],
        "containers": [container],
    }
    if options["timeout"] is not None:
        # Of the pod, which has it from the moment it is on a node: a job's counts from when it is made.
        pod["activeDeadlineSeconds"] = max(1, round(options["timeout"]))
    if options["volumes"]:
        pod["volumes"] = list(options["volumes"])
    if options["node_affinity"] is not None:
        pod["affinity"] = {"nodeAffinity": options["node_affinity"]}
    return pod


def _environment(said: Any, needed: Mapping[str, str]) -> list[dict[str, Any]]:
    rows = [{"name": name, "value": value} for name, value in said.items()] if isinstance(said, Mapping) else list(said)
    return rows + [{"name": name, "value": value} for name, value in needed.items()]


def _resources(options: Mapping[str, Any]) -> dict[str, Any]:
    amounts = {"cpu": f"{options['vcpus']:g}", "memory": _mebibytes(options["memory"])}
    if options["gpus"]:
        amounts["nvidia.com/gpu"] = str(options["gpus"])
    if options["ephemeral_storage"] is not None:
        amounts["ephemeral-storage"] = _mebibytes(options["ephemeral_storage"])
    # The same both times: what a pod uses beyond its request it may lose at any moment, by eviction.
    return {"requests": amounts, "limits": amounts}


def _mebibytes(gibibytes: float) -> str:
    return f"{max(1, round(gibibytes * 1024))}Mi"
