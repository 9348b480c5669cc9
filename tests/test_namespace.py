"""Names of tasks, and the current namespace."""

from __future__ import annotations

import subprocess
import sys

import pytest

import redun
from redun.namespace import (
    check_name,
    check_namespace,
    get_current_namespace,
    join_fullname,
    namespace,
    split_task_fullname,
)


@pytest.fixture(autouse=True)
def _no_namespace():
    yield
    namespace(None)


def test_the_current_namespace_lasts_until_it_is_ended():
    """``namespace("x")`` holds until another call; none or an empty name ends it."""
    namespace("a.b")
    assert get_current_namespace() == redun.get_current_namespace() == "a.b"
    namespace("")
    assert get_current_namespace() == ""


@pytest.mark.parametrize(
    "imports",
    [
        "from redun import namespace",
        "import redun.namespace\nfrom redun import namespace",
        "import redun.task.task\nfrom redun import namespace",
        "from redun.namespace import namespace",
        "import redun\nnamespace = redun.namespace",
    ],
)
def test_any_order_of_imports_gives_the_function(imports):
    """Importing the module of that name does not hide the function."""
    code = f"{imports}\nnamespace('x')\nimport redun\nassert redun.get_current_namespace() == 'x'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["a", "_a1", "A_b"])
def test_names_that_can_be(name):
    """Letters, digits and underscores, not a digit first."""
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "1a", "a.b", "a-b", "a b", "é", "a\n"])
def test_names_that_cannot_be(name):
    """Anything else would make full names ambiguous."""
    with pytest.raises(ValueError, match="expected a task name"):
        check_name(name)


@pytest.mark.parametrize("name", ["", "a", "a.b.c", "a.1", "my_lab.v2"])
def test_namespaces_that_can_be(name):
    """Names joined by dots, or nothing."""
    assert check_namespace(name) == name


@pytest.mark.parametrize("name", [".a", "a.", "a..b", "a-b", "a b"])
def test_namespaces_that_cannot_be(name):
    """No leading, trailing or double dot."""
    with pytest.raises(ValueError, match="expected a namespace"):
        namespace(name)


@pytest.mark.parametrize(("parts", "fullname"), [(("", "f"), "f"), (("a.b", "f"), "a.b.f")])
def test_full_names_split_and_join(parts, fullname):
    """Splitting a full name undoes joining it."""
    assert join_fullname(*parts) == fullname
    assert split_task_fullname(fullname) == parts
