"""The options of AWS Batch: names, defaults and what they must be."""

from __future__ import annotations

from redun.executors.options import FLAG, NUMBER, TABLE, TEXT, WHOLE, WORDS, Option, OptionTable
from redun.executors.remote.settings import COUNT, SECONDS, common_options

MAX_ARRAY_SIZE = 10_000
"""The most elements that AWS gives an array."""
MIN_TIMEOUT_SECONDS = 60
"""The shortest time limit that AWS takes."""

BATCH_OPTIONS = OptionTable(
    "aws_batch",
    [
        *common_options(scratch="s3_scratch"),
        Option("image", TEXT, "the container image that jobs run in", is_required=True),
        Option("queue", TEXT, "the job queue, by name or ARN", is_required=True),
        Option("aws_region", TEXT, "the region of the queue; else what the environment says", of_task=False),
        Option("role", TEXT, "the ARN of the role that jobs run as; none: that of their machine"),
        Option("vcpus", NUMBER, "cores of a job", 1),
        Option("gpus", WHOLE, "GPUs of a job", 0),
        Option("memory", NUMBER, "memory of a job in GiB", 4),
        Option("shared_memory", NUMBER, "size of /dev/shm in GiB"),
        Option("retries", WHOLE, "how often AWS starts a job that fails, the first time included: 1 to 10", 1),
        Option("timeout", SECONDS, "seconds that an attempt may take, at least 60"),
        Option("privileged", FLAG, "whether containers are given the rights of their machine's root", default=False),
        Option("autocreate_job_def", FLAG, "whether job definitions are registered as they are needed", default=True),
        Option("job_def_name", TEXT, "the job definition to use, or to register under"),
        Option("job_def_extra", TABLE, "what is laid over the job definition, as RegisterJobDefinition takes it"),
        Option("batch_tags", TABLE, "tags of the jobs at AWS"),
        Option("default_batch_tags", FLAG, "whether jobs are tagged with task, job, execution, project and user", True),
        Option("num_nodes", COUNT, "nodes of a multi-node parallel job; the main node's result counts"),
        Option("share_id", TEXT, "the share of a queue with a fair-share policy"),
        Option("scheduling_priority_override", WHOLE, "priority within the share, 0 to 9999"),
        Option("debug", FLAG, "whether jobs run in containers of this machine instead", default=False),
        Option(
            "debug_engine", WORDS, "the command line of the container engine: docker, podman", ["docker"], of_task=False
        ),
        Option("debug_scratch", TEXT, "their scratch; else a folder among the temporary files", of_task=False),
    ],
)
