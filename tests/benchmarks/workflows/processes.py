"""Trivial jobs, and a large array, on processes: ``python processes.py wide|array SIZE WORKERS``."""

import json
import resource
import sys
from pathlib import Path

from redun import Scheduler, task
from redun.store.repository import Repository

redun_namespace = "benchmark.processes"


@task()
def leaf(i: int) -> int:
    return i + 1


@task()
def total(numbers: list) -> int:
    return sum(numbers)


@task()
def make(mib: int):
    import numpy as np

    return np.arange(mib << 17, dtype=np.float64)


@task()
def double(array):
    return array * 2


@task()
def add_up(array) -> float:
    return float(array.sum())


def main(part: str, size: int, workers: int) -> None:
    config = {"executors.processes": {"type": "local", "mode": "process", "max_workers": workers}}
    with Repository.init(Path("repository")) as repository:
        scheduler = Scheduler(config, backend=repository)
        on = {"executor": "processes"}
        if part == "wide":
            call = total([leaf.options(**on)(i) for i in range(size)])
        else:
            call = add_up.options(**on)(double.options(**on)(make.options(**on)(size)))
        result = scheduler.run(call)
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"result": result, "peak_bytes": peak_bytes}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
