"""What belongs to the user's project."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import msgpack
import pytest

import redun.task
from redun.task.project import is_project_file, is_project_module, is_project_name, module_name


@pytest.mark.parametrize("module", [json, sys, msgpack, redun.task, redun])
def test_what_is_installed_is_not_the_project(module):
    """The standard library, builtin modules, installed packages and redun itself are not followed."""
    assert not is_project_module(module)
    assert not is_project_name(module.__name__ + ".inner")


def test_what_lies_anywhere_else_is_the_project(project, tmp_path):
    """A module, a package and a folder without ``__init__`` alike."""
    project.load({"wf.py": "import flat.inner, pkg", "flat/inner.py": "", "pkg/__init__.py": ""})
    assert all(is_project_module(sys.modules[name]) for name in ("wf", "flat", "flat.inner", "pkg"))
    assert is_project_file(str(tmp_path / "x.py"))
    assert not is_project_file(str(tmp_path / "lib" / "site-packages" / "x.py"))


def test_a_package_not_imported_yet_is_found_without_importing_it(project):
    """Whether a name is the project's can be told from where its package lies."""
    project.load({"wf.py": "", "late_pkg/__init__.py": "raise RuntimeError"})
    assert is_project_name("late_pkg.inner")
    assert not is_project_name("unheard_of_pkg")


def test_code_typed_in_is_the_project():
    """Only frozen modules have no file and are not."""
    assert is_project_file("<stdin>")
    assert not is_project_file("<frozen importlib._bootstrap>")
    assert is_project_module(ModuleType("typed_in_somewhere"))


@pytest.mark.parametrize(
    ("namespace", "name"),
    [
        ({"__name__": "pkg.wf"}, "pkg.wf"),
        ({"__name__": "__main__", "__file__": "/a/wf.py", "__spec__": None}, "wf"),
        ({"__name__": "__main__", "__spec__": json.__spec__}, "json"),
        ({"__name__": "__main__"}, "__main__"),
    ],
)
def test_a_script_goes_by_its_own_name(namespace, name):
    """Run or imported, a file has one name."""
    assert module_name(namespace) == name


def test_what_an_installer_put_on_the_import_path_is_not_the_project(tmp_path, monkeypatch):
    """A folder of ``PYTHONPATH`` with ``.dist-info`` in it; one without is the user's own."""
    for name in ("installed", "own"):
        (tmp_path / name / "pkg").mkdir(parents=True)
        monkeypatch.syspath_prepend(str(tmp_path / name))
    (tmp_path / "installed" / "pkg-1.0.dist-info").mkdir()
    assert not is_project_file(str(tmp_path / "installed" / "pkg" / "inner.py"))
    assert is_project_file(str(tmp_path / "own" / "pkg" / "inner.py"))
