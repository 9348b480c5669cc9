"""Oids are the same for ever, under any hash seed, in any process and in any supported Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
OIDS = json.loads((HERE / "golden_oids.json").read_text())
NEEDS = "import msgpack, blake3, zoneinfo; zoneinfo.ZoneInfo('Europe/Berlin')"


def run(python, *arguments, seed="0"):
    path = os.pathsep.join([str(HERE), str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed}
    return subprocess.run([python, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_golden_oids_hold(golden):
    """Each golden value has the oid that was written down for it."""
    from redun.value import encode_value

    assert {name: encode_value(value).oid.hex() for name, value in golden.SAMPLES.items()} == OIDS


def test_golden_oids_are_all_different():
    """No two of the golden values are one."""
    assert len(set(OIDS.values())) == len(OIDS) > 40


def test_golden_oids_hold_in_other_processes():
    """Another process with another hash seed agrees, and so does each Python named in REDUN_TEST_PYTHONS that can."""
    others = os.environ.get("REDUN_TEST_PYTHONS", "").split(os.pathsep)
    able = [python for python in others if python and run(python, "-c", NEEDS).returncode == 0]
    for seed, python in enumerate([sys.executable, *able], start=101):
        done = run(python, "-m", "golden_values", seed=str(seed))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == OIDS, python


def test_golden_values_come_back(golden, round_trip):
    """Each golden value is read back as an equal one of the same type."""
    for name, value in golden.SAMPLES.items():
        again = round_trip(value)
        assert type(again) is type(value), name
        if name not in {"not a number", "decimal nan", "dataclass with a gap"}:
            assert again == value, name
