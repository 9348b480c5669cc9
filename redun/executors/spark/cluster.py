"""The contract of what runs Spark jobs: a SparkContext, a Spark Connect server, or a stand-in of tests."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from redun.errors import ExecutorError
from redun.executors.spark.part import Place

_JAVA_FRAME = re.compile(r"^\s+at |^\s+\.\.\. \d+ more|^Driver stacktrace:|^JVM stacktrace:")
_PYTHON_ERROR = re.compile(r"\s*(?!org\.|java\.|Caused)[\w.]+(Error|Exception): \S")
_HINTS = {
    "SRE module mismatch": "option python names the Python of Spark's workers, which must be that of the scheduler",
    "No module named 'redun'": "install redun, of the same version, in the Python of Spark's workers",
    "No module named 'msgpack'": "install redun, of the same version, in the Python of Spark's workers",
    "PYTHON_VERSION_MISMATCH": "option python names the Python of Spark's workers, which must be that of the scheduler",
    "spark.rpc.message.maxSize": "option scratch names a place for large values",
    "spark.driver.maxResultSize": "option scratch names a place for large values",
}


class SparkFailed(ExecutorError):
    """Spark gave a job up, or cannot be reached."""

    def __init__(self, why: str, *, log: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(f"Spark: {why}", hint=hint)
        self.why = why
        self.log = list(log)
        """What Spark said, without the frames of its Java code."""


def explain(text: str) -> SparkFailed:
    """Make the error of what Spark said: its first sentence, and the rest without Java's frames as the log.

    Where that sentence only announces the traceback of a Python worker, the end of the traceback is added.
    """
    lines = [line for line in text.splitlines() if line.strip() and not _JAVA_FRAME.match(line)]
    first = lines[0].strip() if lines else "no reason was given"
    if first.endswith(":"):
        first += next((f" {line.strip()}" for line in lines if _PYTHON_ERROR.match(line)), "")
    hint = next((hint for sign, hint in _HINTS.items() if sign in text), "")
    return SparkFailed(first, log=lines[1:], hint=hint)


class Cluster(ABC):
    """Runs Spark jobs.  All of it may be called from any thread."""

    session: Any
    """The Spark session, for tasks that use Spark themselves."""
    is_local: bool
    """Whether the workers are processes of this machine that see its files."""

    @abstractmethod
    def count_slots(self) -> int:
        """Return how many parts can run at a time, as far as is known now; at least 1."""

    @abstractmethod
    def add_file(self, path: Path) -> None:
        """Bring a file to the workers, where they find it by its name.

        The file must stay until this process ends, and a name must stand for one content.
        """

    @abstractmethod
    def run(self, job: str, parts: Sequence[bytes], place: Place, deliver: Callable[[bytes], None]) -> None:
        """Run parts as one Spark job, and wait for its end.

        Args:
            job: a name, unique in this process.
            parts: what ``run_part`` takes; one Spark task each.
            place: for ``run_part``.
            deliver: gets what came of each part, in any order, from any thread, as it comes home.

        Raises:
            SparkFailed: Spark gave it up; what was delivered counts.
        """

    @abstractmethod
    def name_jobs(self, job: str) -> None:
        """Name the Spark jobs that this thread will start through ``session``, for ``cancel``."""

    @abstractmethod
    def cancel(self, job: str) -> None:
        """Have the Spark jobs of this name end soon.  One that has ended, or is not known, is passed over."""

    @abstractmethod
    def find_fault(self) -> tuple[str, bool] | None:
        """Return why nothing can run now, and whether that is for good; None when all is well."""
