"""One repository serves every version of Python: no key tells which one computed it.

``REDUN_TEST_PYTHONS`` lists interpreters that have redun and its dependencies, separated as in ``PATH``.
"""

from __future__ import annotations

import os
import re
import subprocess

import pytest

PYTHONS = [path for path in os.environ.get("REDUN_TEST_PYTHONS", "").split(os.pathsep) if path]

pytestmark = pytest.mark.skipif(
    len(PYTHONS) < 2, reason="Python 3.10 to 3.13 are compared when REDUN_TEST_PYTHONS names two of them or more"
)
SORTS = """
import enum
import functools
import re
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from uuid import UUID

from redun import Dir, File, task

redun_namespace = "sorts"
Pair = namedtuple("Pair", "left right")
pick = {"a": lambda x: x + 1, "b": lambda x: x + 2}["b"]


class Color(enum.Flag):
    RED = 1
    BLUE = 2


class Point(NamedTuple):
    x: int
    y: float = 0.5


@dataclass(frozen=True)
class Box:
    at: Point
    tags: set = field(default_factory=set)


class Plain:
    def __init__(self, x):
        self.x = x
        self._hidden = {"b", "a"}


def wrapped(func):
    @functools.wraps(func)
    def inner(*args):
        return func(*args)

    return inner


@wrapped
def text(value):
    match value:
        case Plain(x=x):
            return f"plain {x!r:>4}"
        case _:
            return type(value).__name__


VALUES = [
    {"a": (1, 2.5, None, True), "b": b"bytes"},
    {"one", "two", "three"},
    frozenset({1, 2}),
    10**40,
    complex(1, -0.0),
    Color.RED | Color.BLUE,
    Box(Point(1), {"x", "y"}),
    Pair(1, [2]),
    Plain(3),
    [datetime(2020, 1, 2, tzinfo=timezone.utc), date(2020, 1, 2), time(3), timedelta(1)],
    [Decimal("1.50"), Fraction(1, 3), UUID(int=7), range(3)],
    [Path("a/b"), PurePosixPath("c")],
    [OrderedDict(a=1), defaultdict(list, a=[1]), deque([1]), Counter("aab")],
    [File("lib.c"), Dir("nothere")],
    [Point, len, text],
    Exception("of some sort", 1),
    re.compile("a+"),
    functools.partial(text, 1),
]


@task()
def show(value):
    return [text(value), pick(1), value]


@task()
def main():
    return [show(value)[0] for value in VALUES]
"""


def _run(python, example, environment, *arguments):
    """Run redun with an interpreter in an example's folder; return the names of the tasks that ran, and the result."""
    done = subprocess.run(
        [python, "-m", "redun", "run", *arguments],
        cwd=example.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{python}: {done.stdout}{done.stderr}"
    return re.findall(r"^\[redun\] Run    Job \S+  ([\w.]+)\(", done.stderr, re.MULTILINE), done.stdout


def test_what_one_python_computed_the_others_find(fresh, redun_environment):
    """One Python builds the example; no other runs a job, nor the first one after them."""
    first, *others = PYTHONS
    ran, result = _run(first, fresh, redun_environment, "make.py", "make")
    assert len(ran) == 8
    for python in [*others, first]:
        assert _run(python, fresh, redun_environment, "make.py", "make") == ([], result), python


def test_values_and_code_of_every_sort_have_one_name_in_every_python(fresh, redun_environment):
    """So it is with a workflow whose arguments are of many types, and whose task uses code in many ways."""
    first, *others = PYTHONS
    (fresh.folder / "sorts.py").write_text(SORTS)
    ran, result = _run(first, fresh, redun_environment, "sorts.py", "main")
    assert ran == ["sorts.main", *["sorts.show"] * 18]
    for python in [*others, first]:
        assert _run(python, fresh, redun_environment, "sorts.py", "main") == ([], result), python
