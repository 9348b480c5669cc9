"""The figures of the executor of Spark can be measured."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).with_name("spark.py")


@pytest.mark.cluster
def test_jobs_are_measured_against_bare_spark(spark_home):
    """In one process, taking turns."""
    command = [sys.executable, "-W", "ignore", str(HARNESS), "--jobs", "200", "--repeat", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^200 trivial jobs on local\[2\]: \d+\.\d\d s, \d+ us each$", done.stdout, re.MULTILINE)
    assert len(re.findall(r"^bare map, \d+ partitions: ", done.stdout, re.MULTILINE)) == 3
