"""How many jobs of each task are where: the table that a run prints."""

from __future__ import annotations

import sys
from enum import IntEnum
from time import localtime, strftime


class Column(IntEnum):
    """Where a job stands."""

    PENDING = 0  # it waits for a limit or for an executor
    RUNNING = 1  # its function runs, or calls that it made are being reduced
    FAILED = 2
    CACHED = 3
    DONE = 4


def is_debugged() -> bool:
    """Tell whether somebody steps through this program: a table would fall between what they type."""
    tracer = getattr(sys.gettrace(), "__self__", None)
    return "pydevd" in sys.modules or any(base.__module__ == "bdb" for base in type(tracer).__mro__)


class StatusCounts:
    """Counts of jobs by task and column."""

    def __init__(self) -> None:
        self._by_task: dict[str, list[int]] = {}

    def add(self, task: str, column: Column) -> None:
        """Count a job that is new in a column."""
        counts = self._by_task.get(task)
        if counts is None:
            counts = self._by_task[task] = [0] * len(Column)
        counts[column] += 1

    def move(self, task: str, source: Column, target: Column) -> None:
        """Count a job in another column than before."""
        counts = self._by_task[task]
        counts[source] -= 1
        counts[target] += 1

    def total(self, column: Column) -> int:
        """Return how many jobs of all tasks stand in a column."""
        return sum(counts[column] for counts in self._by_task.values())

    def lines(self, now_us: int) -> list[str]:
        """Return the lines of the table, tasks by name."""
        rows = [("ALL", [self.total(column) for column in Column])]
        rows += sorted(self._by_task.items())
        width = max(len("TASK"), *(len(name) for name, _ in rows))
        header = " ".join(f"{column.name:>7}" for column in Column)
        time = strftime("%Y/%m/%d %H:%M:%S", localtime(now_us / 1e6))
        lines = ["", f"| JOB STATUS {time}", f"| {'TASK':<{width}} {header} {'TOTAL':>7}", "| "]
        for name, counts in rows:
            cells = " ".join(f"{count:7}" for count in [*counts, sum(counts)])
            lines.append(f"| {name:<{width}} {cells}")
        return [*lines, ""]
