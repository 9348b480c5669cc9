"""Importing and starting redun loads what it needs and nothing else: a run pays for each module at every start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    *("asyncio", "concurrent.futures.process", "email", "http", "logging.config", "multiprocessing", "sqlite3", "ssl"),
    *("aiobotocore", "aiohttp", "boto3", "botocore", "fsspec", "numpy", "pandas", "pyarrow", "pyspark", "requests"),
    *("rich", "s3fs", "textual"),
}
"""What no command on local files loads.  For scale: fsspec costs 0.1 to 0.2 s, asyncio 0.1 s, rich 0.05 s."""

BARE_STDLIB = {
    *("__future__", "abc", "collections", "contextlib", "copyreg", "enum", "functools", "importlib", "itertools"),
    *("keyword", "operator", "re", "reprlib", "types", "typing", "warnings", "weakref"),
}
"""What ``import redun`` may load of the standard library, by first name; names that begin with _ are free."""

OURS = {"redun", "wf", "cython_runtime"}
"""The package, the workflow below, and what compiled modules share without a file of its own."""

WORKFLOW = """
from redun import File, task

redun_namespace = "imports"


@task()
def copy(source: File) -> File:
    target = File("out.txt")
    target.write(source.read())
    return target


@task()
def main() -> File:
    return copy(File("in.txt"))
"""


def load(code: str, folder: Path) -> set[str]:
    """Return the full names of the modules that running some code in a new interpreter adds to a bare one."""
    report = folder / "modules.json"
    lines = [
        "import sys, json; bare = set(sys.modules)",
        code,
        f"names = sorted(set(sys.modules) - bare); open({str(report)!r}, 'w').write(json.dumps(names))",
    ]
    # Coverage measures subprocesses through a hook of its own, which loads modules that redun does not.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("REDUN_", "COVERAGE_"))}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return set(json.loads(report.read_text()))


def third_party(names: set[str]) -> set[str]:
    """Return the first names of those modules that neither Python nor redun brings."""
    roots = {name.partition(".")[0] for name in names}
    return {root for root in roots - sys.stdlib_module_names - OURS if not root.startswith("_")}


def test_import_redun_loads_next_to_nothing(tmp_path):
    """``import redun`` loads its version and small modules of the standard library."""
    names = load("import redun", tmp_path)
    assert {name for name in names if name.startswith("redun")} == {"redun", "redun.version"}
    assert third_party(names) == set()
    roots = {name.partition(".")[0] for name in names}
    assert {root for root in roots if not root.startswith("_")} <= BARE_STDLIB | {"redun"}


def test_the_language_loads_codecs_only(tmp_path):
    """``from redun import task, File`` loads msgpack and BLAKE3, and nothing heavy."""
    names = load("from redun import task, File", tmp_path)
    assert third_party(names) <= {"blake3", "msgpack"}
    assert not names & HEAVY
    assert not {name for name in names if name.startswith(("redun.cli", "redun.scheduler", "redun.remotes"))}


def test_names_of_executors_load_no_library_of_a_cloud(tmp_path):
    """All names of the package can be imported; what an executor stands on is loaded when it has work."""
    names = load("from redun import *", tmp_path)
    assert third_party(names) <= {"blake3", "click", "msgpack", "zstandard"}


def test_help_loads_no_command(tmp_path):
    """``redun --help`` loads click and the table of commands, no command and no store."""
    names = load("from redun.cli.main import main; main(['--help'])", tmp_path)
    assert third_party(names) == {"click"}
    assert not names & HEAVY
    rooms = {name.split(".")[1] for name in names if name.startswith("redun.")}
    assert rooms <= {"cli", "config_dir", "errors", "version"}
    assert not {name for name in names if name.startswith("redun.cli.commands.")}


@pytest.mark.parametrize("times", [1, 2], ids=["cold", "warm"])
def test_a_run_on_local_files_loads_nothing_heavy(tmp_path, times):
    """``redun run`` on local files loads no file system, event loop or terminal library."""
    (tmp_path / "wf.py").write_text(WORKFLOW)
    (tmp_path / "in.txt").write_text("text")
    for _ in range(times):
        names = load("from redun.cli.main import main; assert main(['run', 'wf.py', 'main']) == 0", tmp_path)
    assert not names & HEAVY
    assert third_party(names) <= {"blake3", "click", "msgpack", "zstandard"}


def test_the_task_decorator_is_not_hidden_by_its_package(tmp_path):
    """``redun.task`` is the decorator, also after a module of the package ``redun.task`` has been imported."""
    code = (
        "import redun; import redun.task.task\nfrom redun import task\nassert callable(task) and callable(redun.task)"
    )
    assert "redun.task" in load(code, tmp_path)
