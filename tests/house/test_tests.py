"""Tests state facts, check them, and lie where their subject lies."""

from __future__ import annotations

import ast
import re

CROSS_CUTTING = ("house", "golden", "stateful", "cli", "end_to_end", "compatibility", "benchmarks", "stress", "fuzz")
"""Folders of tests about more than one module."""

ABOUT_THE_WHOLE = {"tests/test_imports.py"}
CHECKERS = re.compile(r"^_?(assert|check|expect|judge|run_state_machine)")
RAISING = {"raises", "warns", "fail"}


def test_each_test_states_its_fact(modules, judge):
    """Each test function has a docstring; the suites that users subclass are tests too."""
    bare = [name for name, function in _iter_tests(modules) if not ast.get_docstring(function)]
    judge("test docstring", dict.fromkeys(bare, "has no docstring"))


def test_each_test_checks_something(modules, judge):
    """Each test function has an assertion, expects an error, or calls a function named as a check."""
    idle = [name for name, function in _iter_tests(modules) if not any(map(_checks, ast.walk(function)))]
    judge("test assertion", dict.fromkeys(idle, "has no assertion"))


def test_tests_lie_where_their_subject_lies(modules, judge):
    """tests/room/test_module.py tests redun/room/module.py: all of it, or one aspect named behind it."""
    sources = {module.path.removesuffix(".py").removesuffix("/__init__") for module in modules if module.in_library}
    offences = {}
    for path in _test_files(modules):
        room, _, name = path.removeprefix("tests/").removesuffix(".py").rpartition("/")
        subject = name.removeprefix("test_")
        if room.split("/")[0] in CROSS_CUTTING or path in ABOUT_THE_WHOLE:
            continue
        parts = subject.split("_")
        candidates = {"/".join(filter(None, ("redun", room, "_".join(parts[:n])))) for n in range(1, len(parts) + 1)}
        if not candidates & sources:
            offences[path] = f"there is no redun/{room}/{subject}.py"
    judge("mirror", offences)


def test_names_of_test_files_are_unique(modules):
    """No two test files share a name, so that a failure's file is found by name alone."""
    paths = _test_files(modules)
    names = [path.rpartition("/")[2] for path in paths]
    twice = sorted(path for path, name in zip(paths, names) if names.count(name) > 1)
    assert not twice, twice


def test_folders_of_tests_are_no_packages(modules):
    """Tests are found by path: there is no __init__.py among them."""
    packages = [module.path for module in modules if module.in_tests and module.path.endswith("__init__.py")]
    assert not packages, packages


def _test_files(modules):
    return [module.path for module in modules if re.match(r"tests/(.*/)?test_\w+\.py$", module.path)]


def _iter_tests(modules):
    """Yield (name, node) of each test function: of test files, and of the suites in redun/testing."""
    files = set(_test_files(modules))
    for module in modules:
        if module.path in files or module.path.startswith("redun/testing/"):
            for node in module.tree.body:
                owner = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
                for function in node.body if owner else [node]:
                    if isinstance(function, ast.FunctionDef) and function.name.startswith("test"):
                        yield f"{module.path}:{owner}{function.name}", function


def _checks(node):
    """Tell whether a node is an assertion, an expected error, or a call of something named as a check."""
    if isinstance(node, ast.Assert):
        return True
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        raises = any(word.arg == "check" and ast.unparse(word.value) == "True" for word in node.keywords)
        return raises or name in RAISING or bool(CHECKERS.match(name))
    return False
