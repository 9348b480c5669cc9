"""The rooms of the library see each other only as the architecture says; the contracts stand in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WHAT_THE_SCHEDULER_KNOWS_OF_EXECUTORS = {
    *("redun.executors", "redun.executors.base", "redun.executors.registry"),
    "redun.executors.handed",  # no executor: jobs in the shape in which some executors hand them in
    "redun.executors.coroutines",  # no executor: the thread in which all coroutines of a run stand
}


def test_import_contracts_hold(redun_environment):
    """import-linter keeps all contracts, imports inside functions included."""
    code = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"],
        cwd=ROOT,
        env=redun_environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_the_scheduler_knows_no_concrete_executor(library, places, imports_of):
    """The scheduler imports the contract and the registry of executors, nothing else of them."""
    found = [
        f"{module.path}:{place.node.lineno}: {name}"
        for module in library
        if module.path.startswith("redun/scheduler/")
        for place in places(module)
        for name in imports_of(place.node)
        if name.startswith("redun.executors.")
        and not {name, name.rpartition(".")[0]} & WHAT_THE_SCHEDULER_KNOWS_OF_EXECUTORS
    ]
    assert not found, "\n".join(found)
