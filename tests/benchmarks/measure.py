"""Runs one process in one folder and reads what it cost from the kernel.

CPU is user and system time of the process and of all it waited for (``wait4``), so it hardly depends on what else the
machine does; wall time does.  Peak memory is the largest resident set of any one of those processes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cases import PHASES, Case

WORKFLOW_FAILED_TAIL = 15
"""How many lines of a failed run's messages are shown."""


class RunFailed(Exception):
    """A measured process did not exit with 0."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one process cost."""

    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int
    disk_bytes: int  # of .redun after it: the sum of file sizes
    disk_allocated_bytes: int  # the blocks that the file system gave for them


def measure(command: list[str], folder: Path) -> Sample:
    """Run a command in a folder and return its cost.

    Raises:
        RunFailed: it exits with anything but 0; the message ends with its last lines.
    """
    log = folder / "stderr.txt"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REDUN_")}
    with log.open("wb") as stderr, (folder / "stdout.txt").open("wb") as stdout:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=stdout, stderr=stderr)
        _, status, usage = os.wait4(process.pid, 0)
        wall_seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-WORKFLOW_FAILED_TAIL:])
        raise RunFailed(f"{' '.join(command)} exited with {process.returncode}\n{tail}")
    disk_bytes, disk_allocated_bytes = disk_usage(folder / ".redun")
    return Sample(
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        wall_seconds=wall_seconds,
        peak_bytes=usage.ru_maxrss * 1024,
        disk_bytes=disk_bytes,
        disk_allocated_bytes=disk_allocated_bytes,
    )


def disk_usage(folder: Path) -> tuple[int, int]:
    """Return (bytes by file size, bytes by allocated blocks) of a tree; zeros when it is not there."""
    apparent = allocated = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            status = (Path(parent) / name).lstat()
            apparent += status.st_size
            allocated += status.st_blocks * 512
    return apparent, allocated


def measure_case(redun: str, case: Case) -> dict[str, Sample]:
    """Run all phases of a case in a folder of its own; return one sample a phase."""
    with fresh_folder() as folder:
        case.prepare(folder)
        return {phase: measure([redun, *case.arguments(folder, phase)], folder) for phase in PHASES}


def measure_help(redun: str) -> Sample:
    """Return what printing the usage costs: the interpreter and the imports of the command line."""
    with fresh_folder() as folder:
        return measure([redun, "--help"], folder)


@contextmanager
def fresh_folder() -> Iterator[Path]:
    """Give an empty folder, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="redun-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
