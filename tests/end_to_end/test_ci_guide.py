"""The commands of docs/guide/ci.md, as a CI system runs them: one build after another, each in a fresh checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/guide/ci.md"
WORKFLOW = """
from redun import task

redun_namespace = "ci"


@task()
def double(n: int) -> int:
    return 2 * n


@task()
def main() -> list:
    return [double(n) for n in range(5)]
"""


def _recipes():
    """Return, for each YAML block of the page, its lines that are commands of redun."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    lines = [[line.strip().removeprefix("- ").removeprefix("run: ") for line in block.splitlines()] for block in blocks]
    commands = [[line for line in block if line.startswith(("redun ", "if ["))] for block in lines]
    return [block for block in commands if block]


RECIPES = _recipes()


def _build(checkout, commands, **variables):
    """Run the commands of a build; return what they said."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **variables}
    environment.pop("REDUN_CONFIG", None)
    done = subprocess.run(
        ["bash", "-euc", "\n".join(commands)],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_settings_of_the_checkout_are_enough(tmp_path):
    """Main's build pushes by itself, that of a pull request reads what main has and pushes nothing."""
    (section,) = re.findall(r"```ini\n(.*?)```", PAGE.read_text(), re.DOTALL)
    logs = []
    for number, may_push in enumerate(("false", "true", "false")):
        folder = tmp_path / f"checkout-{number}" / ".redun"
        folder.mkdir(parents=True)
        (folder / "redun.ini").write_text(section.replace("s3://my-bucket/results", str(tmp_path / "bucket")))
        (folder.parent / "workflow.py").write_text(WORKFLOW)
        logs.append(_build(folder.parent, ["redun run workflow.py main"], REDUN_PUSH=may_push))
    assert ["Pushed" in log for log in logs] == [False, True, False]
    assert ["Run    Job" in log for log in logs] == [True, True, False]


@pytest.mark.parametrize("place", range(4))
def test_the_second_build_computes_nothing(tmp_path, place):
    """Whatever way results are kept between builds, the second one finds all of them."""
    assert len(RECIPES) == 4
    recipe = [line.replace("s3://my-bucket/results", str(tmp_path / "bucket")) for line in RECIPES[place]]
    assert len(recipe) >= 3
    logs = []
    for number in range(2):
        checkout = tmp_path / f"checkout-{number}"
        checkout.mkdir()
        (checkout / "workflow.py").write_text(WORKFLOW)
        kept = tmp_path / "results.bundle"
        if kept.exists():
            kept.rename(checkout / "results.bundle")
        logs.append(_build(checkout, recipe, CI_COMMIT_BRANCH="main", CI_DEFAULT_BRANCH="main"))
        if (checkout / "results.bundle").exists():
            (checkout / "results.bundle").rename(kept)
    assert "Run    Job" in logs[0]
    assert "Run    Job" not in logs[1]
    assert "Cached Job" in logs[1]
