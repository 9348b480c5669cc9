"""Spark by way of Spark Connect: a client without Java, and DataFrames only.

Parts are rows of a table of one column, each row a partition of its own, mapped by ``mapInArrow``.  The server sends
the results of partitions as they end, but in order: one that takes long holds up those behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from redun.executors.spark.cluster import Cluster, SparkFailed, explain
from redun.executors.spark.part import ArrowPart, Place

ROWS_APART = 1 << 20
"""In how many partitions Spark may put a table that it is sent: one for each row, as there are fewer of them."""
_UNREACHABLE = ("StatusCode.UNAVAILABLE", "RETRIES_EXCEEDED", "SESSION_NOT_FOUND", "SESSION_CHANGED", "SESSION_CLOSED")
_DETAILS = re.compile(r'details = "(.*?)"\n')
_SLOTS_SAMPLED = 1 << 16


class ConnectCluster(Cluster):
    """A Spark Connect server."""

    is_local = False

    def __init__(self, jobs_session: Any) -> None:
        """``jobs_session``: a session whose settings are for the parts; ``session`` is set by who makes another one."""
        self._jobs = jobs_session
        self._jobs.conf.set("spark.sql.leafNodeDefaultParallelism", str(ROWS_APART))
        self._slots = 0
        self._fault: str | None = None

    def count_slots(self) -> int:
        if not self._slots:
            from pyspark.sql.connect import functions

            # A table gets as many partitions as the cluster has cores; over Connect nobody tells that number.
            try:
                table = self.session.range(_SLOTS_SAMPLED).select(functions.spark_partition_id())
                self._slots = max(1, table.distinct().count())
            except Exception as error:
                raise self._failure(error) from None
        return self._slots

    def add_file(self, path: Path) -> None:
        self._jobs.addArtifacts(str(path), file=True)

    def run(self, job: str, parts: Sequence[bytes], place: Place, deliver: Callable[[bytes], None]) -> None:
        import pyarrow as pa

        spark = self._jobs
        spark.addTag(job)
        try:
            table = spark.createDataFrame(pa.table({"part": pa.array(parts, pa.binary())}))
            for row in table.mapInArrow(ArrowPart(place), "part binary").toLocalIterator():
                deliver(bytes(row[0]))
        except Exception as error:
            raise self._failure(error) from None
        finally:
            with suppress(Exception):
                spark.removeTag(job)

    def name_jobs(self, job: str) -> None:
        self.session.clearTags()
        self.session.addTag(job)

    def cancel(self, job: str) -> None:
        for session in (self._jobs, self.session):
            with suppress(Exception):  # the server is gone, and its jobs with it
                session.interruptTag(job)

    def _failure(self, error: Exception) -> SparkFailed:
        if not is_unreachable(error):
            return explain(str(error))
        self._fault = f"the Spark Connect server cannot be reached: {words_of(error)}"
        return SparkFailed(self._fault)

    def find_fault(self) -> tuple[str, bool] | None:
        return None if self._fault is None else (self._fault, True)


def is_unreachable(error: Exception) -> bool:
    """Tell whether an error says that there is no server, or none that knows this session."""
    return any(sign in str(error) for sign in _UNREACHABLE)


def words_of(error: Exception) -> str:
    """Return the first line of what an error says, without what gRPC wraps around it."""
    text = str(error)
    details = _DETAILS.search(text)
    return details[1] if details is not None else next(iter(text.strip().splitlines()), type(error).__name__)
