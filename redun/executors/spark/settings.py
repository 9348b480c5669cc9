"""The options of executors of type ``spark``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redun.executors.options import FLAG, NUMBER, TEXT, WHOLE, WORDS, BadOption, Option, OptionTable, choice

WORKER, DRIVER = "worker", "driver"
SPARK_PREFIX = "spark."

TABLE = OptionTable(
    "spark",
    [
        Option("master", TEXT, "the cluster: local[N], spark://host:port, yarn, k8s://...", of_task=False),
        Option("connect", TEXT, "the URL of a Spark Connect server, sc://host:port, in place of master", of_task=False),
        Option("app_name", TEXT, "what the application is called at the cluster", "redun", of_task=False),
        Option("mode", choice(WORKER, DRIVER), "where a task runs: in the cluster, or here, to use Spark", WORKER),
        Option("max_batch_size", WHOLE, "the most calls in one Spark job", 1000, of_task=False),
        Option("gather_seconds", NUMBER, "how long a call waits for others to go along with", 0.05, of_task=False),
        Option("result_seconds", NUMBER, "for how long results are gathered before they come home", 0.5, of_task=False),
        Option("cluster_timeout", NUMBER, "seconds without any executor until jobs fail", 120.0, of_task=False),
        Option("max_driver_threads", WHOLE, "the most tasks that use Spark at a time", 4, of_task=False),
        Option("python", TEXT, "the Python of the workers", of_task=False),
        Option("log_level", TEXT, "what Spark writes to standard error: ERROR, WARN, INFO...", "ERROR", of_task=False),
        Option("scratch", TEXT, "path or URL for contents of 1 MiB and more, for all machines", of_task=False),
        Option("code_package", FLAG, "whether the project's code is sent to a cluster", True, of_task=False),
        Option("code_includes", WORDS, "patterns of the files that are sent", ["**/*.py"], of_task=False),
        Option("code_excludes", WORDS, "patterns of files that are not sent", [], of_task=False),
    ],
    open_prefix=SPARK_PREFIX,
)


@dataclass(frozen=True, slots=True)
class SparkSettings:
    """What a section of type ``spark`` says."""

    executor: str  # its name, for messages
    values: Mapping[str, Any]  # by option, ``spark.*`` left out
    conf: Mapping[str, str]  # ``spark.*``

    @property
    def is_connect(self) -> bool:
        """Whether Spark is reached through Spark Connect."""
        return self.values["connect"] is not None


def read_settings(executor: str, section: Mapping[str, Any]) -> SparkSettings:
    """Read a section of the config.

    Raises:
        BadOption: an option is unknown, ill-typed, out of range, or contradicts another.
    """
    values = TABLE.read_section(executor, section)
    conf = {name: values.pop(name) for name in list(values) if name.startswith(SPARK_PREFIX)}
    for name, least in {"max_batch_size": 1, "max_driver_threads": 1}.items():
        if values[name] < least:
            raise BadOption(executor, name, f"expected option {name!r} to be at least {least}, found {values[name]}")
    for name in ("gather_seconds", "result_seconds", "cluster_timeout"):
        if values[name] < 0:
            raise BadOption(executor, name, f"expected option {name!r} to be at least 0, found {values[name]}")
    if values["connect"] is not None:
        if values["master"] is not None:
            raise BadOption(executor, "connect", "expected one of master and connect, found both")
        if not values["connect"].startswith("sc://"):
            why = f"expected option 'connect' to be sc://host:port, found {values['connect']!r}"
            raise BadOption(executor, "connect", why)
    return SparkSettings(executor, values, conf)
