"""A part of a Spark job: some calls as bytes, what came of them as bytes, and what Spark hands to its Python workers.

The other end is ``redun.worker.spark_part``.  It stands above the executors and is found by its name, in the workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any, NamedTuple, cast

import msgpack

WORKER_MODULE = "redun.worker.spark_part"
MAX_BYTES = 2**32 - 1  # of msgpack's lengths


class Done(NamedTuple):
    """What came of a call."""

    number: int
    seconds: float
    outcome: bytes


class Place(NamedTuple):
    """What a worker is told of where and how it works.  The same for all parts of a run."""

    run: str  # children of an earlier run, which may have imported older code, are replaced
    folder: str | None  # the working directory, where workers are on the scheduler's machine
    code: str | None  # the file of the code package, which Spark has brought
    scratch: str | None  # where contents of 1 MiB and more lie
    result_seconds: float


class PartResult(NamedTuple):
    """What came of a part."""

    done: list[Done]
    died: list[tuple[int, str]]  # number of a call, and of what the process died that ran it
    undone: list[int]  # numbers of calls that did not begin


def encode_part(calls: Iterable[tuple[int, bytes]]) -> bytes:
    """Return some calls, each a number and a parcel, as bytes."""
    data: bytes = msgpack.packb(list(calls))
    return data


def decode_result(data: bytes) -> PartResult:
    """Read what ``run_part`` returned."""
    done, died, undone = msgpack.unpackb(data, max_bin_len=MAX_BYTES, max_array_len=MAX_BYTES)
    return PartResult([Done(*one) for one in done], [(number, why) for number, why in died], undone)


class RddPart:
    """Runs the parts in a partition of an RDD, and adds what came of each to an accumulator, with the job's name."""

    def __init__(self, place: Place, job: str, sink: Any) -> None:
        self._place = place
        self._job = job
        self._sink = sink

    def __call__(self, parts: Iterable[bytes]) -> list[None]:
        run_part = _find_run_part()
        for part in parts:
            self._sink.add((self._job, run_part(part, self._place)))
        return []


class ArrowPart:
    """Runs the parts in the rows of Arrow batches; each becomes a row with what came of it."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        import pyarrow as pa

        run_part = _find_run_part()
        for batch in batches:
            for part in batch.column(0):
                yield pa.RecordBatch.from_arrays(
                    [pa.array([run_part(part.as_py(), self._place)], pa.binary())], ["part"]
                )


def _find_run_part() -> Callable[[bytes, Place], bytes]:
    return cast("Callable[[bytes, Place], bytes]", import_module(WORKER_MODULE).run_part)
