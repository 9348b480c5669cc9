"""What all tests share: how Hypothesis searches, and the real command line in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: one example may wait for a busy machine, and a test that hangs meets the timeout of pytest-timeout.
settings.register_profile("redun", deadline=None, print_blob=True)
settings.load_profile("redun")

COMMAND_SECONDS = 60

RedunCommand = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail in CI what would be skipped: there, a part that is missing is a mistake of the set-up.

    What one version of Python cannot do is skipped there too: ``reason="Python 3.10 ..."``.
    """
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not reason.startswith("Skipped: Python 3."):
            report.outcome = "failed"
            report.longrepr = f"CI allows no skip. {reason}"
    return report


@pytest.fixture(scope="session")
def redun_environment() -> dict[str, str]:
    """The environment without settings of redun's own, wide enough that no line of output is cut."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REDUN_")}
    return {**kept, "COLUMNS": "200", "NO_COLOR": "1"}


@pytest.fixture
def redun_command(tmp_path: Path, redun_environment: dict[str, str]) -> RedunCommand:
    """Run the installed ``redun`` in ``cwd`` (default: ``tmp_path``), and expect ``code`` as its exit code."""

    def run(
        *arguments: str, cwd: Path = tmp_path, code: int = 0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("redun")), *arguments],
            cwd=cwd,
            env={**redun_environment, **environment},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        shown = f"redun {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == code, shown
        return done

    return run
