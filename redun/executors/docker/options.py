"""The options of executors of type ``docker``.  For users: docs/guide/executors-docker.md."""

from __future__ import annotations

from redun.executors.options import FLAG, NUMBER, ROWS, TEXT, WHOLE, WORDS, Option, OptionTable
from redun.executors.remote.settings import COUNT, common_options
from redun.executors.thread import DEFAULT_MAX_WORKERS

DOCKER_OPTIONS = OptionTable(
    "docker",
    [
        *common_options(job_monitor_interval=0.2, job_stale_time=0.0, min_array_size=0),
        Option("image", TEXT, "the image that jobs run in; it has redun installed", is_required=True),
        Option("command", WORDS, "the command line of the engine: docker, podman", ["docker"], of_task=False),
        Option("max_workers", COUNT, "how many containers run at once", DEFAULT_MAX_WORKERS, of_task=False),
        Option("vcpus", NUMBER, "how many cores a job may use, 0.5 being half of one", 1),
        Option("gpus", WHOLE, "how many GPUs a job gets", 0),
        Option("memory", NUMBER, "how many GiB of memory a job may use", 4),
        Option("shared_memory", NUMBER, "how many GiB /dev/shm holds; without it, what the engine gives"),
        Option("interactive", FLAG, "run jobs in this terminal, so that a debugger can be used in them", default=False),
        Option("volumes", ROWS, 'what else jobs see: [["/data", "/data"], "cache:/cache", "/ref:/ref:ro"]', []),
        Option(
            "include_aws_env",
            FLAG,
            "hand the AWS credentials in force here to jobs; without it, if the scratch is in S3",
        ),
    ],
)
