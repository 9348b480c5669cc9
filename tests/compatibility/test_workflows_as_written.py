"""Whole workflows, written as users of the language write them, give what those users know.

What each of ``workflows/`` prints and runs stands in ``workflows.toml``.  It was compared with what the engine that the
language comes from does with the very same file; a step that differs on purpose says why.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it

HERE = Path(__file__).parent
TABLE: dict[str, Any] = tomllib.loads((HERE / "workflows.toml").read_text())
RUN_LINE = re.compile(r"^\[redun\] Run    Job [0-9a-f]+:  ([\w.]+)\(", re.MULTILINE)
HASH = re.compile(r"hash=[0-9a-f]{8,}")


class Runner:
    """Runs command lines in forks of a process that has imported redun."""

    def __init__(self, environment: dict[str, str]) -> None:
        # Without bytecode on disk: an edit within the same second would leave some that looks fresh.
        self._process = subprocess.Popen(
            [sys.executable, str(HERE.parent / "end_to_end" / "forked_runs.py")],
            env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, folder: Path, words: list[str]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"folder": str(folder), "arguments": ["run", *words]}) + "\n")
        self._process.stdin.flush()
        done: dict[str, Any] = json.loads(self._process.stdout.readline())
        return done

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@pytest.fixture(scope="module")
def runner(redun_environment: dict[str, str]) -> Iterator[Runner]:
    made = Runner(redun_environment)
    yield made
    made.close()


def prepare(folder: Path, step: dict[str, Any]) -> None:
    """Change the project as a step says."""
    if "edit" in step:
        name, old, new = step["edit"]
        text = (folder / name).read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        (folder / name).write_text(text.replace(old, new))
    if "remove" in step:
        for path in sorted([folder / step["remove"], *(folder / step["remove"]).rglob("*")], reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()


def expected_runs(text: str) -> Counter[str]:
    """Read ``task other:3``."""
    return Counter({name: int(count or 1) for name, _, count in (word.partition(":") for word in text.split())})


@pytest.mark.parametrize("name", TABLE)
def test_a_workflow_prints_and_runs_what_its_users_know(name, runner, tmp_path):
    """First, again, and after each edit: what is printed, how it ends, and which functions run."""
    files = {"wf.py": (HERE / "workflows" / f"{name}.py").read_text(), **TABLE[name].get("files", {})}
    for file, text in files.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text)
    for number, step in enumerate(TABLE[name]["step"], 1):
        prepare(tmp_path, step)
        done = runner.run(tmp_path, step["run"].split())
        where = f"step {number}: {step['run']}\n{done['out']}\n{done['err']}"
        assert done["code"] == step.get("code", 0), where
        if done["code"]:
            assert f"redun: error: {step.get('error', '')}" in done["err"] or "error" not in step, where
        else:
            assert HASH.sub("hash=#", " ".join(done["out"].split())) == step.get("prints", ""), where
        assert Counter(RUN_LINE.findall(done["err"])) == expected_runs(step.get("runs", "")), where


def test_each_workflow_is_in_the_table():
    """And the other way round."""
    assert sorted(path.stem for path in (HERE / "workflows").glob("*.py")) == sorted(TABLE)
