"""Measures the executor of Spark against bare Spark: ``python tests/benchmarks/spark.py [--jobs N] [--repeat N]``.

N trivial jobs on local[2], start-up excluded: wall time of a run that records each of them, and of the same function
mapped over an RDD and collected, in as many partitions as there are cores and in more.  All take turns in one process,
with one SparkContext.  Figures are medians; the first round, in which workers start, is not counted.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from measure import fresh_folder

from redun import Scheduler
from redun.executors.spark import SparkExecutor
from redun.glue import get_spark_context
from redun.store.repository import Repository

MASTER, N_CORES = "local[2]", 2


def main(argv: list[str] | None = None) -> int:
    """Measure, print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args(argv)
    logging.getLogger("redun").setLevel(logging.WARNING)
    with fresh_folder() as folder:
        seconds = measure_all(options.jobs, options.repeat, folder)
    redun, cpu = seconds.pop("redun")
    print(f"{options.jobs} trivial jobs on {MASTER}: {redun:.2f} s, {redun / options.jobs * 1e6:.0f} us each")
    print(f"CPU of the scheduler's process: {cpu / options.jobs * 1e6:.0f} us each")
    for name, (bare, _) in seconds.items():
        print(f"bare map, {name}: {bare:.2f} s; redun takes {redun / bare:.1f} times as long")
    return 0


def measure_all(n_jobs: int, n_repeats: int, folder: Path) -> dict[str, tuple[float, float]]:
    """Return the median seconds of each way to do the work: by the clock, and of CPU in this process."""
    sys.path.insert(0, str(Path(__file__).parent / "workflows"))
    import spark_jobs

    scheduler = Scheduler(backend=Repository.init(folder))
    scheduler.add_executor(SparkExecutor("spark", config={"master": MASTER, "spark.driver.memory": "1g"}))
    scheduler.run(spark_jobs.wide(1, -1))  # Spark starts
    context = get_spark_context()
    ways: dict[str, Callable[[int], Any]] = {"redun": lambda salt: scheduler.run(spark_jobs.wide(n_jobs, salt))}
    for n_parts in (N_CORES, n_jobs // 50, n_jobs // 10):
        ways[f"{n_parts} partitions"] = lambda _salt, n=n_parts: bare_map(context, spark_jobs.add_one, n_jobs, n)
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for repeat in range(n_repeats + 1):
        for name, way in ways.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            way(repeat)
            if repeat:
                samples[name].append((time.perf_counter() - start, time.process_time() - start_cpu))
    return {name: (median(one for one, _ in found), median(cpu for _, cpu in found)) for name, found in samples.items()}


def bare_map(context: Any, function: Callable[[int], int], n_calls: int, n_parts: int) -> int:
    """Call a function in Spark's workers, without any engine; return the sum of what it returned."""
    return sum(context.parallelize(range(n_calls), max(1, n_parts)).map(function).collect())


if __name__ == "__main__":
    sys.exit(main())
