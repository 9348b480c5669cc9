"""What the house tests look at: every Python module and every text file of the project, parsed once.

A rule hands its offences to ``judge``, which holds them against ``allowed.txt``: an offence without an entry fails, and
so does an entry without an offence, so that the list never outlives its reasons.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = Path(__file__).with_name("allowed.txt")
FOLDERS = ("redun", "tests", "docs", "examples", ".ci")
GENERATED = {"__pycache__", ".redun", ".hypothesis", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
TEXT_ENDINGS = {".py", ".md", ".toml", ".txt", ".ini", ".c", ".h", ".css", ".js", ".html", ".sh", ".yml", ".json", ""}

Offences = dict[str, str]
"""What breaks a rule: subject (``path`` or ``path:qualified.name``) -> how."""


@dataclass(frozen=True, slots=True)
class Module:
    """One parsed Python file."""

    path: str  # from the root of the project, with slashes
    text: str = field(repr=False)
    tree: ast.Module = field(repr=False)

    @property
    def in_library(self) -> bool:
        """Whether it is part of what users install."""
        return self.path.startswith("redun/")

    @property
    def in_tests(self) -> bool:
        """Whether it is a test or a part of one."""
        return self.path.startswith("tests/")


@dataclass(frozen=True, slots=True)
class Place:
    """A node of a module's syntax tree, and where it stands."""

    node: ast.AST
    scope: str  # qualified name of the innermost function or class around it; "" at module level
    is_local: bool  # inside a function
    is_for_typing: bool  # under ``if TYPE_CHECKING``


def iter_places(module: Module) -> Iterator[Place]:
    """Yield all nodes of a module, outer ones first."""
    waiting = [Place(module.tree, "", is_local=False, is_for_typing=False)]
    while waiting:
        place = waiting.pop()
        yield place
        scope, is_local, is_for_typing = place.scope, place.is_local, place.is_for_typing
        if isinstance(place.node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            scope = f"{scope}.{place.node.name}".lstrip(".")
            is_local = is_local or not isinstance(place.node, ast.ClassDef)
        if isinstance(place.node, ast.If) and "TYPE_CHECKING" in ast.unparse(place.node.test):
            is_for_typing = True
        waiting += [
            Place(child, scope, is_local=is_local, is_for_typing=is_for_typing)
            for child in ast.iter_child_nodes(place.node)
        ]


def find_imports(node: ast.AST) -> list[str]:
    """Return the dotted names that an import statement brings in, an empty list for any other node."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def find_files() -> list[Path]:
    """Return the project's own text files, those of generated folders left out, in order of path."""
    found = [path for path in ROOT.iterdir() if path.is_file() and path.name != "LICENSE"]
    for folder in FOLDERS:
        for parent, folders, names in os.walk(ROOT / folder):
            folders[:] = [name for name in folders if name not in GENERATED]
            found += [Path(parent) / name for name in names]
    return sorted(path for path in found if path.suffix in TEXT_ENDINGS and not path.name.startswith(".coverage"))


@pytest.fixture(scope="session")
def places() -> Callable[[Module], Iterator[Place]]:
    """Walk a module's nodes together with where they stand."""
    return iter_places


@pytest.fixture(scope="session")
def imports_of() -> Callable[[ast.AST], list[str]]:
    """Read the dotted names that a node imports."""
    return find_imports


@pytest.fixture(scope="session")
def texts() -> dict[str, str]:
    """Each text file of the project by its path from the root."""
    found = {}
    for path in find_files():
        try:
            found[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):  # a binary without an ending; a file that just went
            continue
    return found


@pytest.fixture(scope="session")
def modules(texts: dict[str, str]) -> list[Module]:
    """Each Python module of the project."""
    return [Module(path, text, ast.parse(text, path)) for path, text in texts.items() if path.endswith(".py")]


@pytest.fixture(scope="session")
def library(modules: list[Module]) -> list[Module]:
    """Each module of the package that users install."""
    return [module for module in modules if module.in_library]


@pytest.fixture(scope="session")
def judge() -> Callable[[str, Offences], None]:
    """Hold the offences against one rule up to what is allowed."""
    allowed = read_allowed(ALLOWED.read_text(encoding="utf-8"))

    def judge(rule: str, offences: Offences) -> None:
        excused = {subject for a_rule, subject in allowed if a_rule == rule}
        accused = [f"{subject}: {how}" for subject, how in sorted(offences.items()) if subject not in excused]
        unused = [f"{subject}: allowed for {rule!r}, and no longer needs to be" for subject in excused - set(offences)]
        if accused or unused:
            pytest.fail("\n".join([f"against the rule {rule!r}:", *accused, *sorted(unused)]), pytrace=False)

    return judge


def read_allowed(text: str) -> dict[tuple[str, str], str]:
    """Read lines of ``rule | subject | reason``; empty lines and those that begin with # are skipped.

    Raises:
        ValueError: a line has another form, gives no reason, or repeats an entry.
    """
    allowed: dict[tuple[str, str], str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split("|")]
        if len(parts) != 3 or not all(parts):
            raise ValueError(f"allowed.txt, line {number}: expected `rule | subject | reason`, found {line!r}")
        rule, subject, reason = parts
        if (rule, subject) in allowed:
            raise ValueError(f"allowed.txt, line {number}: {rule} | {subject} stands here twice")
        allowed[rule, subject] = reason
    return allowed
