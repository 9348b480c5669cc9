"""One call on its way through Spark, and the Spark job that some of them make up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from redun.executors.base import PortableWork
from redun.executors.spark.cluster import Cluster, SparkFailed
from redun.executors.spark.part import Place, encode_part


class Piece:
    """A call."""

    __slots__ = ("has_time_limit", "is_suspect", "number", "parcel", "task_name", "work")

    def __init__(self, work: PortableWork, number: int, *, has_time_limit: bool) -> None:
        self.work = work
        self.number = number
        self.task_name = work.task_name
        self.has_time_limit = has_time_limit
        self.parcel = b""
        self.is_suspect = False  # it was in a Spark job that Spark gave up: the next one is its own

    @property
    def goes_alone(self) -> bool:
        """Whether it makes up a Spark job of its own: one that can be cancelled, and fails nobody else."""
        return self.has_time_limit or self.is_suspect


Deliver = Callable[["Batch", bytes], None]
End = Callable[["Batch", "SparkFailed | None"], None]


class Batch:
    """The calls of one Spark job, in parts.  As work of a thread: it runs the job and waits for its end."""

    def __init__(self, job: str, parts: Sequence[Sequence[Piece]]) -> None:
        self.job = job
        self.left = {piece.number: piece for part in parts for piece in part}
        """What has not come home."""
        self.n_parts_left = len(parts)
        self.is_cancelled = False
        self._parts = parts
        self._run: Callable[[], None] | None = None

    def prepare(self, cluster: Cluster, place: Place, deliver: Deliver, end: End) -> None:
        """Say where it will run, and who gets its results."""

        def run() -> None:
            parts = [encode_part([(piece.number, piece.parcel) for piece in part]) for part in self._parts]
            self._parts = ()
            failure: SparkFailed | None = None
            try:
                if self.is_cancelled:
                    raise SparkFailed("the job was cancelled before it began")
                cluster.run(self.job, parts, place, lambda result: deliver(self, result))
            except SparkFailed as error:
                failure = error
            except BaseException as error:
                failure = SparkFailed(f"{type(error).__name__}: {error}")
            end(self, failure)

        self._run = run

    def run(self) -> None:
        """Run the Spark job, and wait for its end."""
        assert self._run is not None
        self._run()
