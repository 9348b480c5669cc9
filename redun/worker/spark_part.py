"""One part of a Spark job, which is some calls, one after another, in a Python worker of the cluster.

The calls run in a child of the worker (``spark_child.py``), so the death of one costs nothing else: the worker lives to
tell of what its child died, which Spark would not, and goes on with the next call in another one.  Spark has no part in
it and repeats nothing.

A part comes home as a whole, when its Spark task has ended.  So it ends early: once its time is up it hands back
the calls that it has not begun, and the executor, which by then knows how long such calls take, sends them in smaller
parts.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import suppress
from pathlib import Path

import msgpack

from redun.executors.remote.code_package import unpack_code
from redun.executors.spark.part import MAX_BYTES, Done, Place
from redun.worker.spark_child import Child, ChildDied, Request


def run_part(data: bytes, place: Place) -> bytes:
    """Run the calls of a part until all are done or its time is up; return what came of it."""
    todo = [(number, parcel) for number, parcel in msgpack.unpackb(data, max_bin_len=MAX_BYTES)]
    done: list[Done] = []
    died: list[tuple[int, str]] = []
    folder = place.folder if place.code is None else _unpacked(place.code)
    deadline = time.monotonic() + place.result_seconds
    while todo and (not (done or died) or time.monotonic() < deadline):
        before = len(done)
        request = Request(folder, place.scratch, max(0.0, deadline - time.monotonic()), todo)
        try:
            _child_of(place.run).ask(request, done.append)
        except ChildDied as death:
            _forget_child()
            n_done = len(done) - before
            died.append((todo[n_done][0], str(death)))
            todo = todo[n_done + 1 :]
        else:
            todo = todo[len(done) - before :]
    result: bytes = msgpack.packb([done, died, [number for number, _ in todo]])
    return result


_child: Child | None = None  # of this worker, which Spark uses for one task after another


def _child_of(run: str) -> Child:
    global _child
    if _child is not None and _child.run != run:
        _forget_child()
    if _child is None:
        _child = Child(run)
    return _child


def _forget_child() -> None:
    global _child
    if _child is not None:
        _child.close()
    _child = None


def _unpacked(name: str) -> str:
    """Return the folder with what is in a code package, beside the package: made by the first worker of an executor."""
    from pyspark import SparkFiles

    package = Path(SparkFiles.get(name))
    folder = package.with_name(name.partition(".")[0])
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(prefix=".redun-code-", dir=package.parent) as draft:
            code = Path(draft, "code")
            code.mkdir()
            unpack_code(package.read_bytes(), code)
            with suppress(OSError):  # another worker was first
                code.rename(folder)
    return str(folder)
