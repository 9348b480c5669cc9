"""Spark by way of a SparkContext in this process, and RDDs.

Each part's result comes home when its Spark task has ended, through an accumulator: Spark sends the accumulators of a
task along with its end, applies them once though it may have repeated the task, and has the driver's process add them
up.  Adding, here, is handing on.  (Rejected: ``collect``, which gives nothing before the last task has ended; a Spark
job for each part, which costs 30 ms and a thread each; a socket from the workers to here, which firewalls forbid.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from redun.executors.spark.cluster import Cluster, SparkFailed, explain
from redun.executors.spark.part import Place, RddPart

GONE = "its Java process has ended"


class ClassicCluster(Cluster):
    """A SparkContext."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self._context = session.sparkContext
        self.is_local = self._context.master.startswith("local")
        self._takers: dict[str, Callable[[bytes], None]] = {}  # by job
        self._sink = self._context.accumulator([], Sink(self._deliver))

    def count_slots(self) -> int:
        try:
            return max(1, int(self._context.defaultParallelism))
        except Exception as error:
            fault = self.find_fault()
            raise SparkFailed(str(error) if fault is None else fault[0]) from None

    def add_file(self, path: Path) -> None:
        self._context.addFile(str(path))

    def run(self, job: str, parts: Sequence[bytes], place: Place, deliver: Callable[[bytes], None]) -> None:
        from py4j.protocol import Py4JError, Py4JJavaError
        from pyspark.errors import PySparkException

        context = self._context
        self._takers[job] = deliver
        try:
            context.setJobGroup(job, f"redun: {len(parts)} parts", True)
            context.runJob(context.parallelize(parts, len(parts)), RddPart(place, job, self._sink))
        except Py4JJavaError as error:
            raise explain(str(error.java_exception.getMessage() or error)) from None
        except PySparkException as error:  # of a worker, as a rule: a function of redun cannot be imported there
            raise explain(str(error)) from None
        except (Py4JError, OSError, EOFError) as error:
            raise SparkFailed(GONE if not self._is_answering() else str(error)) from None
        finally:
            self._takers.pop(job, None)

    def name_jobs(self, job: str) -> None:
        self._context.setJobGroup(job, "redun: a task", True)

    def cancel(self, job: str) -> None:
        with suppress(Exception):  # the context has stopped, and its jobs with it
            self._context.cancelJobGroup(job)

    def find_fault(self) -> tuple[str, bool] | None:
        try:
            scala = self._context._jsc.sc()
            if scala.isStopped():
                return "its SparkContext has stopped", True
            if not self.is_local and scala.getExecutorMemoryStatus().size() <= 1:  # the driver counts as one
                return f"the cluster {self._context.master} has no executor for this application", False
        except Exception:
            return GONE, True
        return None

    def _is_answering(self) -> bool:
        fault = self.find_fault()
        return fault is None or fault[0] != GONE

    def _deliver(self, job: str, result: bytes) -> None:
        taker = self._takers.get(job)
        if taker is not None:
            taker(result)


class Sink:
    """Makes an accumulator hand on what is added to it: pyspark's ``AccumulatorParam``, by its shape.

    In a worker it gathers; in this process it gets what a worker gathered.
    """

    def __init__(self, deliver: Callable[[str, bytes], None] | None = None) -> None:
        """``deliver`` gets a job and what came of one of its parts; None in a worker."""
        self._deliver = deliver

    def zero(self, _value: Any) -> list[Any]:
        """Return what a task's sum begins with."""
        return []

    def addInPlace(self, gathered: list[Any], added: Any) -> list[Any]:  # noqa: N802 - pyspark's name
        """Note one more result, or hand on those of a task."""
        if self._deliver is None:
            gathered.append(added)
        else:
            for job, result in added:
                self._deliver(job, result)
        return gathered

    def __reduce__(self) -> tuple[type[Sink], tuple[()]]:
        return Sink, ()
