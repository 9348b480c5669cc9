"""The options of executors of type ``gcp_batch``.  For users: docs/guide/executors-google.md."""

from __future__ import annotations

from typing import Any

from redun.executors.options import FLAG, NUMBER, TABLE, TEXT, WORDS, Kind, Option, OptionTable
from redun.executors.remote.settings import COUNT, common_options

_OWN: dict[str, Any] = {"of_task": False}
MAX_PRIORITY, MAX_RETRIES = 99, 10


def _between(lowest: int, highest: int) -> Kind:
    def is_fit(value: Any) -> bool:
        return bool(COUNT.is_fit(value) and lowest <= value <= highest)

    def read(text: str) -> int:
        value = int(text)
        if not is_fit(value):
            raise ValueError(text)
        return value

    return Kind(f"a whole number from {lowest} to {highest}", read, is_fit)


GCP_OPTIONS = OptionTable(
    "gcp_batch",
    [
        *common_options(scratch="gcs_scratch", min_array_size=2, max_array_size=5000),
        Option("project", TEXT, "the project at Google that jobs belong to", is_required=True, **_OWN),
        Option("region", TEXT, "where jobs run: us-central1", is_required=True, **_OWN),
        Option("image", TEXT, "the image that jobs run in; it has redun installed", is_required=True),
        Option("machine_type", TEXT, "the machines that jobs run on", "e2-standard-4"),
        Option("vcpus", NUMBER, "how many cores a job gets, at most the machine's; without it, all"),
        Option("memory", NUMBER, "how many GiB of memory a job gets, at most the machine's; without it, all"),
        Option(
            "task_count", _between(1, 10_000), "how many times a job runs side by side; number 0 gives the result", 1
        ),
        Option("retries", _between(0, MAX_RETRIES), "how often Google starts a task again that failed", 2),
        Option("priority", _between(0, MAX_PRIORITY), "jobs of a higher one run first", 30),
        Option("service_account_email", TEXT, "whom jobs act as; without it, the account of Compute Engine"),
        Option("labels", TABLE, "labels of jobs and machines", {}),
        Option("debug", FLAG, "whether jobs run in containers of this machine instead", default=False),
        Option("debug_engine", WORDS, "the command line of their engine: docker, podman", ["docker"], **_OWN),
        Option("debug_scratch", TEXT, "their scratch; else a folder among the temporary files", **_OWN),
    ],
)
