"""Measures the executor of processes: ``python tests/benchmarks/processes.py [--jobs N] [--mib N] [--workers N]``.

Two figures.  *Overhead*: N trivial jobs, all cores busy with them; wall time over that of a run of one job, and CPU of
the scheduler and its workers together.  *Array*: one array made by one job, doubled by the next and summed by a third;
what the scheduler itself held in memory at most.  Each is a process of its own in a fresh folder.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from measure import RunFailed, fresh_folder

WORKFLOW = Path(__file__).parent / "workflows" / "processes.py"
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class ProcessSample:
    """What one run cost."""

    wall_seconds: float
    cpu_seconds: float  # of the scheduler, the workers, and what started them
    scheduler_peak_bytes: int  # the largest resident set of the scheduler alone


def main(argv: list[str] | None = None) -> int:
    """Measure, print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--mib", type=int, default=1024, help="size of the array")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args(argv)
    one = measure_run("wide", 1, options.workers)
    wide = measure_run("wide", options.jobs, options.workers)
    array = measure_run("array", options.mib, options.workers)
    wall_us = (wide.wall_seconds - one.wall_seconds) / options.jobs * 1e6
    cpu_us = (wide.cpu_seconds - one.cpu_seconds) / options.jobs * 1e6
    print(f"{options.jobs} trivial jobs, {options.workers} workers: {wall_us:.0f} us each, {cpu_us:.0f} us of CPU")
    print(f"one job: {one.wall_seconds:.2f} s, of which nearly all is to start")
    peak_mib = array.scheduler_peak_bytes / (1 << 20)
    print(f"array of {options.mib} MiB through three jobs: {array.wall_seconds:.1f} s, scheduler {peak_mib:.0f} MiB")
    return 0


def measure_run(part: str, size: int, workers: int) -> ProcessSample:
    """Run a part of the workflow and return what it cost.

    Raises:
        RunFailed: it exits with anything but 0.
    """
    # Workers that outlive the scheduler by a moment become children of this process, so that their CPU is counted.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with fresh_folder() as folder:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        command = [sys.executable, str(WORKFLOW), part, str(size), str(workers)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        wall_seconds = time.perf_counter() - start
        if done.returncode:
            raise RunFailed(f"{' '.join(command)} exited with {done.returncode}\n{done.stderr}")
        wait_for_children()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return ProcessSample(wall_seconds, cpu_seconds, json.loads(done.stdout)["peak_bytes"])


def wait_for_children() -> None:
    """Wait for every child there is."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


if __name__ == "__main__":
    sys.exit(main())
