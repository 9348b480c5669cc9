"""The decorator, and its two-fold name: ``redun.task`` is a package and a function."""

from __future__ import annotations

import subprocess
import sys

import pytest

import redun
from redun import task
from redun.task import Task, get_task_registry

USE = "\n@task\ndef f(x): return x\nassert type(f).__name__ == 'Task' and f.fullname == 'f'\n"


def test_it_works_bare_and_called():
    """``@task`` and ``@task(...)`` both make and register a Task."""

    @task
    def bare():
        return 1

    @task(name="other", namespace="ns", memory=4)
    def called():
        return 2

    assert isinstance(bare, Task)
    assert get_task_registry().get("bare") is bare
    assert get_task_registry().get("ns.other") is called
    assert called.get_task_option("memory") == 4


@pytest.mark.parametrize(
    "imports",
    [
        "from redun import task",
        "import redun.task\nfrom redun import task",
        "from redun.task.task import Task\nfrom redun import task",
        "from redun.task import task",
        "from redun.task.task import Task\nfrom redun.task import task",
        "from redun import task\nimport redun.task\nassert redun.task.Task.__name__ == 'Task'\nfrom redun import task",
        "import redun\ntask = redun.task",
        "import redun.task.registry\nimport redun\ntask = redun.task",
        "import redun\nredun.task\nimport redun.task.task\ntask = redun.task\nassert task.CacheScope.CSE",
        "import redun.task as package\ntask = package\nassert package.Task",
        "from redun.task.decorator import task",
        "from redun import *",
    ],
)
def test_any_order_of_imports_gives_the_decorator(imports):
    """Whichever of the package and the decorator is imported first, both names work."""
    subprocess.run([sys.executable, "-c", imports + USE], check=True)


def test_an_unknown_name_of_the_package_is_an_attribute_error():
    """The callable package still is a module."""
    with pytest.raises(AttributeError, match="nothing"):
        redun.task.nothing  # noqa: B018


def test_importing_the_decorator_loads_no_heavy_package():
    """What every workflow imports stays cheap."""
    code = (
        "import sys; from redun import task; task(lambda: 1, name='f') if 0 else task(name='f')(lambda: 1).hash\n"
        "assert not {'asyncio', 'fsspec', 'numpy', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
