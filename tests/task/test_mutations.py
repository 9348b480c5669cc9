"""Edits of a project, each with whether the hash of its main task must change."""

from __future__ import annotations

from typing import NamedTuple

import pytest

WF = '''\
"""A workflow."""

import enum
import functools
import json
import logging
import math
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import helpers
from helpers import scale as rescale, shift
from pkg import deep
from redun import task

redun_namespace = "demo"

HERE = Path(__file__).parent
DATA = HERE / "data.csv"
LIMIT = 10
WEIGHTS = [1, 2, 3]
TABLE = {"a": 1, "b": {"c": (2, 3)}}
UNUSED = 5
log = logging.getLogger("wf")
Pair = namedtuple("Pair", "left right")
double = lambda x: x * 2
pick = {"a": lambda x: x + 11, "b": lambda x: x + 22}["b"]
thrice = functools.partial(helpers.times, 3)
HANDLERS = {"up": helpers.up, "down": helpers.down}

try:
    import notthere as fast
except ImportError:
    import helpers as fast


class Base:
    offset = 1

    def base(self):
        return self.offset


class Model(Base):
    """A model."""

    factor = 2

    def __init__(self, size):
        self.size = size

    def run(self, x):
        return inner_helper(x) * self.factor

    @property
    def wide(self):
        return self.size > 3

    @staticmethod
    def static(x):
        return x + 100


@dataclass
class Settings:
    depth: int = 3

    def doubled(self):
        return self.depth * 2


class Color(enum.Enum):
    RED = 1
    BLUE = 2


model = Model(4)
settings = Settings()


def traced(label):
    def decorate(func):
        @functools.wraps(func)
        def wrapper(*args):
            return (label, func(*args))

        return wrapper

    return decorate


def make_adder(n):
    def add(x):
        return x + n

    return add


add_one = make_adder(1)
add_two = make_adder(2)


def inner_helper(x, step=3):
    """Help."""
    return x + step


def middle(x):
    return inner_helper(x)


def even(n):
    return n == 0 or odd(n - 1)


def odd(n):
    return n != 0 and even(n - 1)


def unused(x):
    return x


@functools.lru_cache(maxsize=None)
def memo(x):
    return x - 1


@traced("deco")
def decorated(x):
    return x


@task(executor="default")
def other(x):
    return x + 1


@task(limits=["db"])
def main(x: int = 1, color: Color = Color.RED, *, flag: Optional[bool] = None) -> list[Settings]:
    """Run it all."""
    from pkg.late import finish

    # a comment
    def nested(y):
        return y * 3

    parts = [value + 1 for value in WEIGHTS if value < LIMIT]
    log.info("parts: %s", parts)
    text = f"{x:>4} and {len(parts)!r}"
    total = rescale(x) + shift(x) + helpers.CONST + deep.dig(x) + fast.quick(x) + finish(x)
    total += middle(x) + nested(x) + double(x) + thrice(x) + pick(x)
    total += add_one(x) + add_two(x) + memo(x) + decorated(x)[1]
    total += model.run(x) + settings.doubled() + TABLE["a"] + math.floor(1.5) + Pair(1, 2).left
    if even(4) and DATA.name:
        total += HANDLERS["up"](x) + (lambda z: z + 7)(x)
    return json.dumps([text, total, other(x)])
'''

HELPERS = """\
CONST = 7


def scale(x):
    return x * 2


def shift(x):
    return x + 2


def times(a, b):
    return a * b


def up(x):
    return x + 1


def down(x):
    return x - 1


def quick(x):
    return x


def stray(x):
    return x
"""

DEEP = """\
from . import constants


def dig(x):
    return x + constants.DEPTH
"""

LATE = """\
def finish(x):
    return x // 2


def start(x):
    return x
"""

FILES = {
    "wf.py": WF,
    "helpers.py": HELPERS,
    "pkg/__init__.py": "",
    "pkg/deep.py": DEEP,
    "pkg/constants.py": "DEPTH = 12\nOTHER = 1\n",
    "pkg/late.py": LATE,
}


class Edit(NamedTuple):
    name: str
    file: str
    old: str
    new: str


SAME = [
    Edit("comment in the body", "wf.py", "# a comment", "# another comment, quite another one"),
    Edit("docstring of the task", "wf.py", "Run it all.", "Run all of it."),
    Edit("docstring of a helper", "wf.py", '    """Help."""\n', ""),
    Edit("docstring of a class", "wf.py", "A model.", "The model."),
    Edit("docstring of the module", "wf.py", "A workflow.", "The workflow."),
    Edit("blank lines at the top", "wf.py", "LIMIT = 10", "\n\n\nLIMIT = 10"),
    Edit("quotes", "wf.py", 'log.info("parts: %s", parts)', "log.info('parts: %s', parts)"),
    Edit("parentheses", "wf.py", "return inner_helper(x) * self.factor", "return (inner_helper(x)) * (self.factor)"),
    Edit("layout", "wf.py", "other(x)])", "other(\n        x,\n    )])"),
    Edit("spelling of a number", "wf.py", "LIMIT = 10", "LIMIT = 0xA"),
    Edit("a constant worked out otherwise", "wf.py", "WEIGHTS = [1, 2, 3]", "WEIGHTS = list(range(1, 4))"),
    Edit("helper moved", "helpers.py", "def scale(x):\n    return x * 2\n\n\n", ""),
    Edit("unused helper of the module", "wf.py", "def unused(x):\n    return x", "def unused(x):\n    return x * 9"),
    Edit("unused helper of another module", "helpers.py", "def stray(x):\n    return x", "def stray(x):\n    return 0"),
    Edit("unused constant", "wf.py", "UNUSED = 5", "UNUSED = 6"),
    Edit("unused constant of another module", "pkg/constants.py", "OTHER = 1", "OTHER = 2"),
    Edit("unused function of a module imported late", "pkg/late.py", "def start(x):\n    return x", "def start(x): 0"),
    Edit("body of another task", "wf.py", "def other(x):\n    return x + 1", "def other(x):\n    return x + 2"),
    Edit("option of another task", "wf.py", 'executor="default"', 'executor="batch"'),
    Edit("option of the task", "wf.py", '@task(limits=["db"])', "@task(memory=4, cache=False)"),
    Edit("decorator of the task without options", "wf.py", '@task(limits=["db"])', "@task"),
    Edit("default of the task", "wf.py", "def main(x: int = 1,", "def main(x: int = 2,"),
    Edit("keyword default of the task", "wf.py", "flag: Optional[bool] = None", "flag: Optional[bool] = True"),
    Edit(
        "standard library import moved", "wf.py", "import enum\nimport functools\n", "import functools\nimport enum\n"
    ),
    Edit("new task beside it", "wf.py", "def unused(x):", "@task\ndef third():\n    return 3\n\n\ndef unused(x):"),
    Edit("branch of a conditional import that fails", "wf.py", "import notthere", "import neverthere"),
    Edit("other lambda of the line", "wf.py", "x + 11", "x + 12"),
    Edit("type comment", "wf.py", "UNUSED = 5", "UNUSED = 5  # type: int"),
]

CHANGED = [
    Edit("body of the task", "wf.py", "value + 1 for", "value + 2 for"),
    Edit("local variable renamed", "wf.py", "for value in WEIGHTS if value < LIMIT", "for v in WEIGHTS if v < LIMIT"),
    Edit("name of the task", "wf.py", 'limits=["db"]', 'name="renamed"'),
    Edit("namespace", "wf.py", 'redun_namespace = "demo"', 'redun_namespace = "other"'),
    Edit("helper of another module", "helpers.py", "return x * 2", "return x * 3"),
    Edit("helper of a helper", "wf.py", "return x + step", "return x - step"),
    Edit("default of a helper", "wf.py", "step=3", "step=4"),
    Edit("integer constant", "wf.py", "LIMIT = 10", "LIMIT = 11"),
    Edit("type of a constant", "wf.py", "LIMIT = 10", "LIMIT = 10.0"),
    Edit("constant bound again", "wf.py", "UNUSED = 5", "UNUSED = 5\nLIMIT = 12"),
    Edit("list constant", "wf.py", "[1, 2, 3]", "[1, 2, 4]"),
    Edit("nested dict constant", "wf.py", "(2, 3)", "(2, 4)"),
    Edit("constant of another module", "helpers.py", "CONST = 7", "CONST = 8"),
    Edit("constant two modules away", "pkg/constants.py", "DEPTH = 12", "DEPTH = 13"),
    Edit("function of a submodule", "pkg/deep.py", "return x +", "return x -"),
    Edit("function imported inside the task", "pkg/late.py", "x // 2", "x // 3"),
    Edit("method", "wf.py", "* self.factor", "/ self.factor"),
    Edit("class attribute", "wf.py", "factor = 2", "factor = 3"),
    Edit("static method", "wf.py", "return x + 100", "return x + 101"),
    Edit("property", "wf.py", "self.size > 3", "self.size > 4"),
    Edit("base class", "wf.py", "offset = 1", "offset = 2"),
    Edit("argument of an instance", "wf.py", "model = Model(4)", "model = Model(5)"),
    Edit("method of a dataclass constant", "wf.py", "self.depth * 2", "self.depth * 3"),
    Edit("field of a dataclass constant", "wf.py", "settings = Settings()", "settings = Settings(4)"),
    Edit("class named by an annotation", "wf.py", "BLUE = 2", "BLUE = 3"),
    Edit("annotation", "wf.py", "-> list[Settings]", "-> list[int]"),
    Edit("named tuple", "wf.py", '"left right"', '"left right top"'),
    Edit("value in a closure cell", "wf.py", "make_adder(1)", "make_adder(3)"),
    Edit(
        "two closures swapped",
        "wf.py",
        "make_adder(1)\nadd_two = make_adder(2)",
        "make_adder(2)\nadd_two = make_adder(1)",
    ),
    Edit("function that made a closure", "wf.py", "return x + n", "return n + x"),
    Edit("lambda", "wf.py", "lambda x: x * 2", "lambda x: x * 3"),
    Edit("one lambda of a line", "wf.py", "x + 22", "x + 23"),
    Edit("lambda in the body", "wf.py", "z + 7", "z + 8"),
    Edit("nested function", "wf.py", "return y * 3", "return y * 4"),
    Edit("format specification", "wf.py", "{x:>4}", "{x:>5}"),
    Edit("conversion in an f-string", "wf.py", "{len(parts)!r}", "{len(parts)!s}"),
    Edit("partial's argument", "wf.py", "partial(helpers.times, 3)", "partial(helpers.times, 4)"),
    Edit("partial's function", "helpers.py", "return a * b", "return b * a"),
    Edit("cached helper", "wf.py", "return x - 1", "return x - 2"),
    Edit("decorated helper", "wf.py", "def decorated(x):\n    return x", "def decorated(x):\n    return -x"),
    Edit("body of a decorator", "wf.py", "return (label, func(*args))", "return (label, func(*args), 1)"),
    Edit("argument of a decorator", "wf.py", '@traced("deco")', '@traced("other")'),
    Edit("decorator of the task", "wf.py", '@task(limits=["db"])\n', '@task\n@traced("x")\n'),
    Edit("mutual recursion", "wf.py", "n != 0 and", "n > 0 and"),
    Edit("function in a dispatch table", "helpers.py", "def up(x):\n    return x + 1", "def up(x):\n    return x + 2"),
    Edit("dispatch table", "wf.py", '"up": helpers.up, "down": helpers.down', '"up": helpers.down, "down": helpers.up'),
    Edit(
        "what an imported name stands for",
        "wf.py",
        "import scale as rescale, shift",
        "import shift as rescale, scale as shift",
    ),
    Edit("other function imported under the name", "wf.py", "import scale as rescale", "import quick as rescale"),
    Edit(
        "function behind a conditional import",
        "helpers.py",
        "def quick(x):\n    return x",
        "def quick(x):\n    return -x",
    ),
    Edit("module imported under the name", "wf.py", "import json\n", "import pickle as json\n"),
    Edit("logger", "wf.py", 'getLogger("wf")', 'getLogger("wf2")'),
    Edit("path below the file", "wf.py", '"data.csv"', '"data2.csv"'),
    Edit("async", "wf.py", '@task(limits=["db"])\ndef main', "@task(cache=False)\nasync def main"),
    Edit("parameter's name", "wf.py", "color: Color", "colour: Color"),
    Edit("function imported inside the task, another one", "wf.py", "import finish", "import start as finish"),
]


def apply(edit: Edit) -> dict[str, str]:
    text = FILES[edit.file]
    assert edit.old in text, f"nothing to edit for {edit.name}"
    edited = text.replace(edit.old, edit.new)
    if edit.name == "helper moved":
        edited += "\n\n" + edit.old
    return {**FILES, edit.file: edited}


def test_the_unedited_project_has_one_hash_in_any_folder(project):
    """The folder that a project lies in takes no part in the hash."""
    assert project.load(FILES).main.hash == project.load(FILES).main.hash


def test_the_unedited_project_has_one_hash_in_any_python(project):
    """Whoever computes it: a change here makes all recorded results of the users' tasks useless."""
    assert project.load(FILES).main.hash == "52653d2d154a934370d270095a752bb20f9335d33d43b343d4a36b559b40c082"


@pytest.mark.parametrize("edit", SAME, ids=[edit.name for edit in SAME])
def test_an_edit_that_cannot_matter_keeps_the_hash(project, edit):
    """What does not run does not count."""
    assert project.load(apply(edit)).main.hash == project.load(FILES).main.hash


@pytest.mark.parametrize("edit", CHANGED, ids=[edit.name for edit in CHANGED])
def test_an_edit_that_may_matter_changes_the_hash(project, edit):
    """Whatever the task uses counts, however it comes to it."""
    assert project.load(apply(edit)).main.hash != project.load(FILES).main.hash
