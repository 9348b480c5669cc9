"""Where redun's own tasks are defined."""

from __future__ import annotations

import subprocess
import sys

ALWAYS_LOADED = {"redun.root_task"}
"""Tasks that every run loads."""

WORKFLOW = """
import redun

redun_namespace = "own"


@redun.task()
def one(x):
    return x


@redun.task()
def main():
    return redun.cond(one(1), redun.script(["echo", "yes"]), one(3))
"""

LOAD_ALL = """
import pkgutil
from importlib import import_module
import redun
from redun.task import get_task_registry

for module in pkgutil.walk_packages(redun.__path__, "redun."):
    if not module.name.startswith(("redun.testing", "redun.pytest", "redun.__main__")):
        import_module(module.name)
print(*[task.fullname for task in get_task_registry()])
"""

LOAD_ON_DEMAND = """
import sys
from redun.task import get_task_registry

print(*[name for name in sys.argv[1:] if get_task_registry().get(name) is not None])
"""


def python(code, *arguments):
    """Run code in a process that has loaded nothing; return the words that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


def test_every_task_of_our_own_is_found_on_demand():
    """A process that has imported none of redun's tasks finds each that the package defines."""
    names = python(LOAD_ALL) - ALWAYS_LOADED
    assert {"redun.script", "redun.cond", "redun.tools.copy_file"} <= names
    assert python(LOAD_ON_DEMAND, *names) == names


def test_a_run_that_finds_the_caller_on_record_finds_our_tasks(tmp_path, redun_command):
    """The second run steps through main without running it: nothing but the record names cond and script."""
    workflow = tmp_path / "wf.py"
    workflow.write_text(WORKFLOW)
    assert redun_command("run", "wf.py", "main").stdout == "b'yes\\n'\n"
    workflow.write_text(WORKFLOW.replace("return x", "return x + 1"))
    done = redun_command("run", "wf.py", "main")
    assert done.stdout == "b'yes\\n'\n"
    assert "Cached Job" in done.stderr
    assert "redun.script" in done.stderr


def test_a_task_that_nobody_defines_is_not_found():
    """A name in our namespace that stands nowhere is unknown like any other."""
    assert python(LOAD_ON_DEMAND, "redun.no_such_task") == set()
