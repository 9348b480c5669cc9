"""From a submission to the Job that Google Batch is asked for, as the fields of its messages.  Pure.

Shapes: https://cloud.google.com/batch/docs/reference/rest/v1/projects.locations.jobs, with names as in Python.
"""

from __future__ import annotations

import re
from typing import Any

from redun.executors.gcp_batch.machines import fit
from redun.executors.remote.submitter import Submission

MANAGER_LABEL, RUN_LABEL, TASK_LABEL, ARRAY_LABEL = "redun", "redun_run", "redun_task", "redun_array"
"""Without hyphens, which would have to be quoted in filters."""
NAME_VARIABLE = "REDUN_JOB_NAME"
"""Holds the whole name of a job: labels have at most 63 characters, and no capitals."""
_N_LABEL = 63


def build_job(submission: Submission, *, run: str) -> dict[str, Any]:
    """Return the Job.  ``run``: the submitter's label."""
    options = submission.options
    labels = {str(key): str(value) for key, value in options["labels"].items()}
    labels |= {MANAGER_LABEL: "true", RUN_LABEL: run, TASK_LABEL: label_value(submission.task_name)}
    if submission.is_array:
        labels[ARRAY_LABEL] = "true"
    if submission.is_array:
        labels[ARRAY_LABEL] = "true"
    count = submission.size if submission.is_array else options["task_count"]
    allocation: dict[str, Any] = {
        "instances": [{"policy": {"machine_type": options["machine_type"]}}],
        "labels": labels,
    }
    if options["service_account_email"]:
        allocation["service_account"] = {"email": options["service_account_email"]}
    return {
        "priority": options["priority"],
        "task_groups": [{"task_spec": _task(submission), "task_count": count, "parallelism": count}],
        "allocation_policy": allocation,
        "labels": labels,
        "logs_policy": {"destination": "CLOUD_LOGGING"},
    }


def _task(submission: Submission) -> dict[str, Any]:
    options = submission.options
    program, *arguments = submission.command
    container = {"image_uri": options["image"], "entrypoint": program, "commands": arguments}
    cores, memory_gib = fit(options["machine_type"], options["vcpus"], options["memory"])
    resource: dict[str, Any] = {}
    if cores is not None:
        resource["cpu_milli"] = round(cores * 1000)
    if memory_gib is not None:
        resource["memory_mib"] = round(memory_gib * 1024)
    task: dict[str, Any] = {
        "runnables": [{"container": container}],
        "environment": {"variables": {**submission.environment, NAME_VARIABLE: submission.name}},
        "compute_resource": resource,
        "max_retry_count": options["retries"],
    }
    if options["timeout"]:
        # Of a task from its start on a machine; Google ends with it what redun no longer waits for.
        task["max_run_duration"] = {"seconds": max(1, round(options["timeout"]))}
    return task


def label_value(text: str) -> str:
    """Return a text as the value of a label may be: small letters, digits, ``-`` and ``_``, at most 63."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower())[:_N_LABEL]
