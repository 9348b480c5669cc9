"""The options of AWS Glue: names, defaults and what they must be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redun.executors.options import FLAG, TEXT, WHOLE, WORDS, Option, OptionTable
from redun.executors.remote.settings import SECONDS, common_options

DEFAULT_ROLE = "AWSGlueServiceRole"
"""The name that Glue's own set-up proposes."""
SECONDS_PER_MINUTE = 60


class GlueOptionTable(OptionTable):
    """Reads ``timeout`` in minutes, as Glue counts; jobs have it in seconds, as all executors do."""

    def read_task(self, executor: str, values: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        merged = super().read_task(executor, values, options)
        merged["timeout"] *= SECONDS_PER_MINUTE
        return merged


GLUE_OPTIONS = GlueOptionTable(
    "aws_glue",
    [
        # Each call is a Spark cluster of its own, so there are no arrays and nothing to wait for.
        *common_options(scratch="s3_scratch", job_monitor_interval=10.0, job_stale_time=0.0, min_array_size=0),
        Option("aws_region", TEXT, "the region; else what the environment says", of_task=False),
        Option("role", TEXT, "the name or ARN of the role that jobs run as", DEFAULT_ROLE, of_task=False),
        Option("workers", WHOLE, "machines of a job, the driver's included", 10),
        Option("worker_type", TEXT, "kind of machine: G.1X, G.2X, G.4X, G.8X, G.025X, Z.2X", "G.1X"),
        Option("glue_version", TEXT, "version of Glue, which decides those of Spark and Python", "5.0", of_task=False),
        Option("glue_job_prefix", TEXT, "what the name of redun's job at Glue begins with", "redun", of_task=False),
        Option("spark_history_dir", TEXT, "the s3:// folder for Spark's event logs; else one in the scratch"),
        Option("enable_metrics", FLAG, "whether Glue keeps metrics of jobs", default=False),
        Option(
            "job_retry_interval", SECONDS, "seconds until a job is offered again when Glue is full", 60.0, of_task=False
        ),
        Option("timeout", SECONDS, "minutes that a job may run", 2880),
        Option("debug", FLAG, "whether jobs run in processes of this machine instead", default=False),
        Option("additional_libs", WORDS, "packages that Glue installs with pip: pandas==2.2.3", []),
        Option("extra_files", WORDS, "files that lie in the folder where jobs run: paths or s3:// URLs", []),
        Option("extra_py_files", WORDS, "modules and zip files that jobs can import: paths or s3:// URLs", []),
    ],
)
