"""The figures of the executor of processes can be measured, and a large array stays out of the scheduler."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

HARNESS = Path(__file__).with_name("processes.py")
ARRAY_MIB = 160
PEAK_MIB = 100


def test_a_large_array_is_never_in_the_scheduler():
    """Three jobs make, change and read it; the scheduler's memory is that of any run."""
    command = [sys.executable, str(HARNESS), "--jobs", "20", "--mib", str(ARRAY_MIB), "--workers", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^20 trivial jobs, 1 workers: -?\d+ us each", done.stdout)
    peak = re.search(r"scheduler (\d+) MiB$", done.stdout, re.MULTILINE)
    assert int(peak[1]) < PEAK_MIB
