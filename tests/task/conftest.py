"""A project of a few modules, written, imported and hashed in a folder of its own each time."""

from __future__ import annotations

import importlib
import itertools
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from redun.task.closure import forget_units
from redun.task.registry import get_task_registry


class Project:
    """Imports versions of a project, each in another folder, and leaves no trace of the one before."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._numbers = itertools.count()
        self._names: set[str] = set()

    def write(self, files: dict[str, str]) -> Path:
        folder = self._root / f"version{next(self._numbers)}"
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))
            self._names.add(name.partition("/")[0].removesuffix(".py"))
        return folder

    def load(self, files: dict[str, str], module: str = "wf"):
        """Import a module of a new version of the project."""
        self.forget()
        sys.path[0] = str(self.write(files))
        importlib.invalidate_caches()
        return importlib.import_module(module)

    def task(self, text: str, name: str = "main", **files: str):
        """Return a task of ``wf.py``, given its text and that of further modules by name."""
        others = {f"{module}.py": content for module, content in files.items()}
        return getattr(self.load({"wf.py": "from redun import task\n" + dedent(text), **others}), name)

    def hash(self, text: str, name: str = "main", **files: str) -> str:
        return self.task(text, name, **files).hash

    def units(self, text: str, name: str = "main", **files: str) -> dict[str, str]:
        """Return the kind of each unit that a task uses, by name."""
        return {unit.record.name: unit.record.unit_kind for unit in self.task(text, name, **files).units()}

    def forget(self) -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] in self._names]:
            del sys.modules[name]
        forget_units()


@pytest.fixture
def project(tmp_path):
    sys.path.insert(0, str(tmp_path))
    made = Project(tmp_path)
    with get_task_registry().isolated():
        yield made
    made.forget()
    del sys.path[0]
    importlib.invalidate_caches()


@pytest.fixture(autouse=True)
def _isolated_registry():
    with get_task_registry().isolated():
        yield
