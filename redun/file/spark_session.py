"""The Spark session of this process: one, shared by executors, datasets and the functions of ``redun.glue``.

pyspark is imported when somebody asks for the session.  A session over Spark Connect is not found by pyspark from
another thread than the one that made it, so who makes one says so here.
"""

from __future__ import annotations

from typing import Any

from redun.errors import ConfigError

_own: Any = None


class SparkMissing(ConfigError):
    """pyspark is not installed."""


class NoSparkHere(ConfigError):
    """Spark is asked for inside one of its own workers, which have none."""

    def __init__(self) -> None:
        super().__init__(
            "there is no Spark session in a worker of Spark",
            hint='a task that uses Spark itself runs beside it: @task(executor=..., mode="driver")',
        )


def set_session(session: Any) -> None:
    """Note the session that this process uses; None: whichever pyspark finds."""
    global _own
    _own = session


def get_session() -> Any:
    """Return the session of this process: the one noted, else the active one, else a new one with Spark's own settings.

    Raises:
        SparkMissing: pyspark is not installed.
        NoSparkHere: this is a worker of Spark.
    """
    if _own is not None:
        return _own
    try:
        from pyspark import TaskContext
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise SparkMissing(f"Spark is not here: {error}", hint="`pip install 'redun[spark]'`") from error
    if TaskContext.get() is not None:
        raise NoSparkHere
    return SparkSession.getActiveSession() or SparkSession.builder.getOrCreate()
