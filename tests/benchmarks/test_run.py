"""The harness runs, and its figures have the shape that the page on performance shows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).with_name("run.py")
REDUN = Path(sys.executable).with_name("redun")
SIZES = {"fanout": 3, "chain": 3, "descent": 3, "tree": 2, "values": 1, "files": 2}


def _run(*arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, str(HARNESS), *arguments], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("workflow", "size"), SIZES.items(), ids=SIZES)
def test_each_workflow_runs_in_three_phases(workflow, size):
    """Each workflow of the benchmark runs cold, warm and after a change, and each phase has its figures."""
    name = f"{workflow}-{size}"
    rows = json.loads(_run("--redun", str(REDUN), "--case", name, "--repeat", "1", "--json"))
    samples = {row["phase"]: row["sample"] for row in rows if row["case"] == name and row["redun"] == str(REDUN)}
    assert list(samples) == ["cold", "warm", "leaf"]
    assert all(sample["cpu_seconds"] > 0 and sample["disk_bytes"] > 0 for sample in samples.values())
    assert all(sample["peak_bytes"] > 1_000_000 for sample in samples.values())


def test_a_table_compares_two_executables(tmp_path):
    """With two executables, the second one's rows show the ratio to the first one's."""
    other = tmp_path / "other"
    other.symlink_to(REDUN)
    lines = _run("--redun", str(REDUN), "--redun", str(other), "--case", "trivial", "--repeat", "1").splitlines()
    assert lines[0].split()[:3] == ["case", "phase", "redun"]
    ratios = [line.split()[-1] for line in lines if str(other) in line]
    assert len(ratios) == 4
    assert all(float(ratio) > 0 for ratio in ratios)
    assert len({len(line.rstrip()) for line in lines if str(other) in line}) == 1


def test_an_executable_that_fails_is_told(tmp_path):
    """A measured process that exits with an error ends the measurement with exit code 1."""
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\nexit 3\n")
    other.chmod(0o755)
    assert _run("--redun", str(other), "--case", "trivial", "--repeat", "1", code=1) == ""
