"""The settings that all tests share do what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[1] / "conftest.py"


@pytest.mark.parametrize(
    ("reason", "ci", "verdict"),
    [
        ("no such part", "true", "1 failed"),
        ("no such part", "", "1 skipped"),
        ("Python 3.10 cannot", "true", "1 skipped"),
    ],
    ids=["in CI", "by hand", "for a version in CI"],
)
def test_a_missing_part_is_skipped_by_hand_only(tmp_path, reason, ci, verdict):
    """A test whose part is missing is skipped by hand, and fails where CI is set, unless Python itself lacks it."""
    (tmp_path / "conftest.py").write_text(SHARED.read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(f"import pytest\n\n\ndef test_it():\n    pytest.skip({reason!r})\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", "-p", "no:cov"],
        cwd=tmp_path,
        env={**os.environ, "CI": ci, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert verdict in done.stdout, done.stdout + done.stderr


def test_the_command_line_is_the_installed_one(redun_command):
    """Tests that run redun run the one that is installed beside their Python."""
    assert redun_command("--version").stdout.startswith("redun")
