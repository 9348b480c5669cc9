"""Types of tasks: checkers accept workflows that are right, and refuse wrong arguments and results."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

import redun

FOLDER = Path(__file__).parent / "typed"
ACCEPTED, REFUSED = FOLDER / "accepted.py", FOLDER / "refused.py"
ROOT = Path(redun.__file__).parent.parent


def check_with_mypy(path, folder):
    """Return the lines that mypy complains of, and all that it says."""
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file=",
        "--python-version=3.10",
        f"--cache-dir={folder}",
        str(path),
    ]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(
        [*command, "--follow-imports=silent"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode < 2, done.stdout + done.stderr
    return {int(number) for number in re.findall(r"py:(\d+): error", done.stdout)}, done.stdout


def check_with_pyright(path, folder):
    """Return the lines that pyright complains of, and all that it says."""
    shutil.copy(path, folder)  # pyright looks below its configuration only
    settings = {"include": [path.name], "extraPaths": [str(ROOT)], "pythonVersion": "3.10"}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--outputjson", "-p", str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    try:
        said = json.loads(done.stdout)
    except ValueError:
        pytest.skip(f"pyright cannot start here: {(done.stderr or done.stdout).strip()[-200:]}")
    assert said["summary"]["filesAnalyzed"] == 1, done.stdout
    errors = [item for item in said["generalDiagnostics"] if item["severity"] == "error"]
    return {item["range"]["start"]["line"] + 1 for item in errors}, done.stdout


def expected_lines(path):
    """Return the numbers of the lines that are marked as refused."""
    lines = path.read_text().splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("# refused")}


@pytest.fixture(params=["mypy", "pyright"], name="check")
def _check(request):
    if util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return {"mypy": check_with_mypy, "pyright": check_with_pyright}[request.param]


def test_a_right_workflow_is_accepted(check, tmp_path):
    """Calls have the type of their result, options and partials keep it, results may be arguments."""
    lines, said = check(ACCEPTED, tmp_path)
    assert not lines, said


def test_each_mistake_is_refused(check, tmp_path):
    """Wrong, missing and unknown arguments, and results taken for something else; and nothing but those."""
    lines, said = check(REFUSED, tmp_path)
    assert lines == expected_lines(REFUSED), said


def test_the_accepted_workflow_runs():
    """What the checkers accept is a workflow that works."""
    spec = util.spec_from_file_location("typed_accepted", ACCEPTED)
    module = util.module_from_spec(spec)
    sys.modules["typed_accepted"] = module
    try:
        spec.loader.exec_module(module)
        result, number, digits = module.run_all()
        assert module.run_at_once() == 2
    finally:
        del sys.modules["typed_accepted"]
    assert result == ["", "aaa", "a", "b", "a", "aa", "a"]
    assert (number, len(digits)) == (3, 64)


def test_the_package_says_that_it_is_typed():
    """Checkers look at the annotations of a package that ships py.typed."""
    assert (Path(redun.__file__).parent / "py.typed").exists()
