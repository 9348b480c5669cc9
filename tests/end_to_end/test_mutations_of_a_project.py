"""Edits of a small project, each with exactly the tasks that must run again after it: nothing stale, nothing needless.

After each edit the project runs in the repository that the unedited one left; then again; then, for comparison, in a
repository of its own; then once more with the edit undone.  A row of ``EXCEPTIONS`` is one where redun does not do what
it should; docs/shortcomings.md names it.  tests/task/test_mutations.py has more edits, at the level of one hash.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Union

import pytest

HERE = Path(__file__).parent
FILES: dict[str, str] = runpy.run_path(str(HERE / "survey_project.py"))["FILES"]
SHORTCOMINGS = HERE.parents[1] / "docs" / "shortcomings.md"
JOB_LINE = re.compile(r"^\[redun\] Run    Job [0-9a-f]{8}:  (?:\w+\.)*(\w+)\(", re.MULTILINE)
AN_HOUR_AGO = time.time() - 3600
PYTHONS = [path for path in os.environ.get("REDUN_TEST_PYTHONS", "").split(os.pathsep) if path]
MAIN = ("run", "workflow.py", "tour")

WF, SET, RULES, UNITS, REP = "workflow.py", "settings.py", "cleaning/rules.py", "cleaning/units.py", "reporting.py"
EVERYTHING = "tour main survey:2 read:2 clean:2 convert:2 sum_up:2 rank render publish note credit greet warmest"
STATIONS = "rank render note warmest"
"""What is given the stations."""

Change = Union[tuple[str, str, str], Callable[[Path], object]]
"""File, old text (it occurs once), new text; or what to do in the folder."""


class Edit(NamedTuple):
    """An edit, and the tasks that must run after it with how often, as in ``clean:2 rank``."""

    name: str
    runs: str
    changes: tuple[Change, ...]
    arguments: tuple[str, ...] = MAIN
    documented: str = ""  # of an exception: words of docs/shortcomings.md
    is_stale: bool = False  # of an exception: the result is not what a fresh run gives


def edit(name: str, runs: str, *changes: Change, **more: Any) -> Edit:
    return Edit(name, runs, changes, **more)


def everywhere(change: Callable[[str], str], ending: str = ".py") -> Change:
    """Change the text of every file of a kind."""

    def apply(folder: Path) -> None:
        for path in [path for path in folder.rglob(f"*{ending}") if ".redun" not in path.parts]:
            path.write_bytes(change(path.read_text()).encode())

    return apply


def moved(file: str, text: str, to: str, before: str) -> tuple[Change, ...]:
    """Move a piece of text to another file, before another piece."""
    return (file, text, ""), (to, before, text + before)


def same_size_and_times(name: str, old: bytes, new: bytes) -> Change:
    """Change bytes of a file such that neither its size nor its time of change tells."""

    def apply(folder: Path) -> None:
        path = folder / name
        status, content = path.stat(), path.read_bytes()
        assert len(old) == len(new)
        assert content.count(old) == 1
        path.write_bytes(content.replace(old, new))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    return apply


def swapped(one: str, other: str) -> Change:
    """Give two files each other's names."""

    def apply(folder: Path) -> None:
        (folder / one).rename(folder / "between")
        (folder / other).rename(folder / one)
        (folder / "between").rename(folder / other)

    return apply


DEDUPE = FILES[RULES][FILES[RULES].index("def dedupe") : FILES[RULES].index("def unused_rule")]
FOOTER = FILES[REP][FILES[REP].index("def footer") : FILES[REP].index("def signed")]
CREDIT = FILES[WF][FILES[WF].index("@task(hash_includes") : FILES[WF].index("@task()\ndef greet")]

NOTHING_RUNS = [
    edit("comment in a task", "", (WF, "# The last field", "# Sometimes the last field")),
    edit("comments everywhere", "", everywhere(lambda text: "# A licence.\n" + text + "\n# The end.\n")),
    edit("docstring of a module", "", (SET, "What may be set", "What one may set")),
    edit("docstring of a task", "", (WF, "Read the lines of one file.", "Read.")),
    edit("docstring of a helper added", "", (REP, '    return "end"', '    """Say it."""\n    return "end"')),
    edit(
        "docstring of a class of arguments added",
        "",
        (SET, "class Grade(enum.Enum):", 'class Grade(enum.Enum):\n    """How."""\n'),
    ),
    edit("blank lines", "", everywhere(lambda text: text.replace("\n\n\n", "\n\n\n\n\n"))),
    edit("indentation by tabs", "", everywhere(lambda text: text.replace("    ", "\t"))),
    edit("line endings of Windows", "", everywhere(lambda text: text.replace("\n", "\r\n"))),
    edit("byte order mark", "", everywhere(lambda text: "\ufeff" + text)),
    edit("declared encoding", "", everywhere(lambda text: "# -*- coding: utf-8 -*-\n" + text)),
    edit("no newline at the end", "", everywhere(str.rstrip)),
    edit("quotes", "", (REP, 'return "end"', "return 'end'")),
    edit(
        "parentheses and layout",
        "",
        (
            WF,
            "return sorted(kept, key=by_hour)",
            "return (\n        sorted(kept,\n               key=(by_hour))\n    )",
        ),
    ),
    edit(
        "trailing commas", "", (WF, "units.convert(degrees, settings.SCALE)", "units.convert(degrees, settings.SCALE,)")
    ),
    edit("spelling of a number", "", (SET, "WARM = 100", "WARM = 0x64")),
    edit("constant worked out otherwise", "", (SET, "WARM = 100", "WARM = sum([90, 10])")),
    edit("texts joined by the compiler", "", (REP, 'ending = "\\n"', 'ending = "" "\\n"')),
    edit("functions of a module in another order", "", *moved(REP, FOOTER, REP, "def rows_of")),
    edit("tasks in another order", "", *moved(WF, CREDIT, WF, "@task()\ndef greet")),
    edit(
        "task beside it added",
        "",
        (WF, "@task()\ndef greet", "@task()\ndef further():\n    return 1\n\n\n@task()\ndef greet"),
    ),
    edit("unused constant", "", (SET, "UNUSED = 5", "UNUSED = 6")),
    edit(
        "unused helper",
        "",
        (RULES, "def unused_rule(reading):\n    return reading", "def unused_rule(reading):\n    return None"),
    ),
    edit("unused module added", "", lambda folder: (folder / "further.py").write_text("x = 1\n")),
    edit("unused import", "", (WF, "import settings\n", "import settings\nimport json\n")),
    edit(
        "imports in another order",
        "",
        (
            WF,
            "import settings\nfrom cleaning import dedupe, parse_line\n",
            "from cleaning import parse_line, dedupe\nimport settings\n",
        ),
    ),
    edit(
        "import past the package's re-export",
        "",
        (
            WF,
            "from cleaning import dedupe, parse_line",
            "from cleaning import parse_line\nfrom cleaning.rules import dedupe",
        ),
    ),
    edit(
        "names in place of a star import",
        "",
        (WF, "from cleaning.rules import *", "from cleaning.rules import by_hour, is_plausible"),
    ),
    edit("absolute in place of relative imports", "", ("cleaning/__init__.py", "from .rules", "from cleaning.rules")),
    edit(
        "import inside a block",
        "",
        (UNITS, "from settings import Scale\n", "if True:\n    from settings import Scale\n"),
    ),
    edit(
        "module that cannot be imported, another one", "", (UNITS, "import fastunits as", "import nowhere.fastunits as")
    ),
    edit("executor of a task", "", (WF, "@task(memory=4)", '@task(executor="default")')),
    edit("memory of a task", "", (WF, "@task(memory=4)", "@task(memory=8, vcpus=2)")),
    edit("limit of a task", "", (WF, '@task(limits=["disk"])', '@task(limits={"disk": 2})')),
    edit("tags of a task", "", (WF, 'tags=[("kind", "note")]', 'tags=[("kind", "text"), ("n", 1)]')),
    edit("options left out", "", (WF, "@task(memory=4)", "@task")),
    edit(
        "default of a task that is always given",
        "",
        (WF, "def main(sources: list[File] = SOURCES", "def main(sources: list[File] = ()"),
    ),
    edit("setting of a limit", "", (".redun/redun.ini", "disk = 2", "disk = 1")),
    edit(
        "setting of tags and context of others",
        "",
        (".redun/redun.ini", "[limits]", '[scheduler]\ncontext = {"other": 1}\n[tags]\nteam = "x"\n[limits]'),
    ),
    edit("touched sources", "", everywhere(lambda text: text), everywhere(lambda text: text, ".csv")),
    edit("deleted output", "", lambda folder: (folder / "report.txt").unlink()),
    edit("data beside", "", lambda folder: (folder / "data" / "east.csv").write_text("1,2\n")),
    edit("bytecode deleted", "", lambda folder: [shutil.rmtree(path) for path in [*folder.rglob("__pycache__")]]),
    edit(
        "bytecode kept apart",
        "",
        lambda folder: [path.rename(path.with_name("old")) for path in [*folder.rglob("__pycache__")]],
    ),
]

SOME_RUN = [
    # the function's own code
    edit(
        "body of a task, same result",
        "read:2",
        (WF, "return [parse_line(line) for line in lines]", "return list(map(parse_line, lines))"),
    ),
    edit(
        "body of a task",
        f"sum_up:2 {STATIONS} publish",
        (WF, "round(sum(values) / len(values)", "round(max(values) / len(values)"),
    ),
    edit(
        "body of the main task",
        "main",
        (WF, "return [publish(render(stations)), ", "return [publish(render(stations)), 1, "),
    ),
    edit(
        "body of a task that only calls",
        "survey:2 sum_up:2 rank render note warmest publish credit",
        (WF, 'rpartition("/")[2].', 'rpartition("/")[2][:4].'),
    ),
    edit("local function of a task", "render publish", (WF, "{station.name:<8}", "{station.name:<9}")),
    edit("conversion in an f-string", "render publish", (REP, "{station.low!r}", "{station.low!s:>6}")),
    edit(
        "order of statements",
        "clean:2",
        (
            WF,
            "    seen.append(len(kept))\n    return sorted(kept, key=by_hour)",
            "    kept = sorted(kept, key=by_hour)\n    seen.append(len(kept))\n    return kept",
        ),
    ),
    edit(
        "a task made recursive",
        "greet",
        (WF, 'return "from " + place', 'return "from " + place if place else greet("x")'),
    ),
    edit(
        "a task that makes another call",
        "greet note",
        (WF, 'return "from " + place', "return note([1, 2])"),
    ),
    # helpers
    edit(
        "helper",
        f"read:2 clean:2 convert:2 sum_up:2 {STATIONS} publish",
        (UNITS, 'return float(text.strip() or "-99")', 'return float(text.strip() or "-99") + 1'),
    ),
    edit("helper, same result", "read:2", (UNITS, 'text.strip() or "-99"', 'text.strip() or "-99.0"')),
    edit("helper of a helper", "publish", (REP, 'return "end"', 'return "the end"')),
    edit("default of a helper", "credit", (REP, 'mark="*"', 'mark="+"')),
    edit("default of a helper that is always given", "credit", (REP, "count=1", "count=3")),
    edit(
        "recursive helper",
        f"rank {STATIONS.replace('rank ', '')} publish credit",
        (WF, "key(one) > key(first)], key),\n        first,", "key(one) < key(first)], key),\n        first,"),
        (WF, "key(one) <= key(first)], key),\n    ]", "key(one) >= key(first)], key),\n    ]"),
    ),
    edit(
        "generator",
        "clean:2 convert sum_up rank render note warmest publish",
        (RULES, "known.add(reading)\n", "pass\n"),
    ),
    edit("generator of texts", "render publish", (REP, "{station.low!r}..", "{station.low!r}--")),
    edit("lambda", "clean:2 convert:2 sum_up:2", (RULES, "lambda reading: reading[0]", "lambda reading: -reading[0]")),
    edit(
        "lambda made a function",
        "clean:2",
        (RULES, "by_hour = lambda reading: reading[0]", "def by_hour(reading):\n    return reading[0]"),
    ),
    edit("partial", f"convert:2 sum_up:2 {STATIONS} publish", (UNITS, "partial(scaled, 1.8)", "partial(scaled, 1.9)")),
    edit("function of a partial", "convert:2", (UNITS, "return degrees * factor", "return factor * degrees")),
    edit("cached function", "convert:2", (UNITS, "OFFSETS.get(symbol, 0)", "OFFSETS.get(symbol, 1)")),
    edit(
        "closure's cell",
        "clean:2 convert sum_up rank render note warmest publish",
        (RULES, "make_check(LOWEST, HIGHEST)", "make_check(0, HIGHEST)"),
    ),
    edit("closure's function", "clean:2", (RULES, "low <= value <= high", "low <= value and value <= high")),
    edit("decorator", "render publish", (REP, "{mark} {func(*args)} {mark}\\n", "{mark} {func(*args)}\\n")),
    edit("decorator's argument", "render publish", (REP, '@framed("==")', '@framed("--")')),
    edit("decorator taken away", "render publish", (REP, '@framed("==")\n', "")),
    edit(
        "decorator of a task",
        "convert:2",
        (
            WF,
            "@task()\ndef convert",
            "def once(func):\n    return lambda *args: func(*args)\n\n\n@task(name='convert')\n@once\ndef convert",
        ),
    ),
    edit(
        "helper that hides an import",
        f"read:2 clean:2 convert:2 sum_up:2 {STATIONS} publish",
        (WF, "redun_namespace", "def parse_line(line):\n    return 1, float(len(line))\n\n\nredun_namespace"),
    ),
    edit(
        "helper that hides a builtin",
        f"sum_up:2 {STATIONS} publish",
        (WF, "redun_namespace", "def max(values):\n    return 1.5\n\n\nredun_namespace"),
    ),
    edit(
        "names exchanged by imports",
        "clean:2 convert sum_up rank render note warmest publish",
        (
            RULES,
            "def unused_rule(reading):\n    return reading",
            "def unused_rule(readings):\n    return list(readings)",
        ),
        (
            WF,
            "from cleaning import dedupe, parse_line",
            "from cleaning import parse_line\nfrom cleaning.rules import unused_rule as dedupe",
        ),
        (WF, "from cleaning.rules import *", "from cleaning.rules import by_hour, is_plausible"),
    ),
    edit(
        "name taken over by a later star import",
        "clean:2",
        ("more.py", "", "def by_hour(reading):\n    return reading[0], 1\n"),
        (WF, "from cleaning import units\n", "from cleaning import units\nfrom more import *\n"),
    ),
    edit(
        "function exchanged by another module",
        "publish",
        ("patch.py", "", "import reporting\n\nreporting.footer = lambda: 'patched'\n"),
        (WF, "import settings\n", "import settings\nimport patch\n"),
    ),
    edit(
        "conditional import that now works",
        "convert:2",
        ("fastunits.py", "", "def tidy(value):\n    return round(value, 4)\n"),
    ),
    edit(
        "module behind a conditional import",
        f"convert:2 sum_up:2 {STATIONS} publish",
        ("cleaning/slowunits.py", "round(value, 3)", "round(value)"),
    ),
    # constants
    edit("constant of a module", f"sum_up:2 {STATIONS} publish", (SET, "DIGITS = 1", "DIGITS = 0")),
    edit("constant of the same value and another type", "warmest", (SET, "WARM = 100", "WARM = 100.0")),
    edit("constant bound again", "warmest", (SET, "UNUSED = 5", "UNUSED = 5\nWARM = 50")),
    edit("constant that chooses a function", "rank", (SET, 'RANK = "mean"', 'RANK = "span"')),
    edit("function in a table", "rank", (WF, "lambda station: station.mean,", "lambda station: 2 * station.mean,")),
    edit(
        "table of constants",
        "convert:2 sum_up:2 rank render note warmest publish",
        (UNITS, 'OFFSETS = {"F": 32}', 'OFFSETS = {"F": 33}'),
    ),
    edit(
        "table changed by a later statement",
        "convert:2 sum_up:2 rank render note warmest publish",
        (UNITS, 'OFFSETS = {"F": 32}', 'OFFSETS = {"F": 32}\nOFFSETS["F"] += 1'),
    ),
    edit(
        "nested constant of two tasks' helpers",
        "clean:2 convert:2 sum_up:2 rank render note warmest publish",
        (SET, '"hours": range(24)', '"hours": range(12)'),
    ),
    edit("mutable global", "clean:2", (WF, "seen = []", "seen = [0]")),
    edit(
        "enum member's value", f"convert:2 sum_up:2 {STATIONS} publish", (SET, 'FAHRENHEIT = "F"', 'FAHRENHEIT = "N"')
    ),
    edit("enum member added", "convert:2", (SET, 'FAHRENHEIT = "F"', 'FAHRENHEIT = "F"\n    KELVIN = "K"')),
    edit(
        "constant that is an enum member",
        f"convert:2 sum_up:2 {STATIONS} publish",
        (SET, "SCALE = Scale.FAHRENHEIT", "SCALE = Scale.CELSIUS"),
    ),
    # classes
    edit(
        "method",
        "render publish",
        (REP, "self._lines.append(self.indent", "self._lines.append(self.indent(' ') + self.indent"),
    ),
    edit("property", "render publish", (REP, "return self.join(self._lines)", "return self.join(self._lines[1:])")),
    edit("class method", "render publish", (REP, "+ cls.ending", "+ cls.ending + cls.ending")),
    edit("static method", "render", (REP, "return line.rstrip()", "return line.strip()")),
    edit("class attribute", "render publish", (REP, 'ending = "\\n"', 'ending = ";\\n"')),
    edit("base class", "render publish", (REP, "margin = 1", "margin = 3")),
    edit(
        "base class exchanged",
        "render publish",
        (REP, "class Page(Sheet):", "class Wide(Sheet):\n    margin = 9\n\n\nclass Page(Wide):"),
    ),
    edit(
        "method of arguments' class",
        "sum_up:2 rank render warmest",
        (SET, "return self.high - self.low", "return self.low - self.high"),
    ),
    edit(
        "property of arguments' class",
        "sum_up:2 rank render warmest publish",
        (SET, "self.mean > 50", "self.mean > 20"),
    ),
    edit(
        "method of an enum that arguments lead to",
        "sum_up:2 rank render warmest publish",
        (SET, "return self.name.lower()", "return self.name"),
    ),
    edit(
        "field of a dataclass",
        f"sum_up:2 {STATIONS}",
        (SET, "    high: float\n", "    high: float\n    wind: float = 0.0\n"),
    ),
    edit(
        "field of a dataclass renamed",
        f"sum_up:2 {STATIONS}",
        (SET, "    low: float\n", "    least: float\n"),
        (SET, "self.high - self.low", "self.high - self.least"),
        (REP, "station.low", "station.least"),
    ),
    edit(
        "dataclass that compares otherwise", "sum_up:2 rank render warmest", (SET, "@dataclass", "@dataclass(eq=False)")
    ),
    # what a task declares
    edit("default of a task", "clean:2", (WF, "lowest=-40.0", "lowest=-41.0")),
    edit(
        "default of a task that counts",
        "clean:2 convert sum_up rank render note warmest publish",
        (WF, "lowest=-40.0", "lowest=-2.0"),
    ),
    edit(
        "default that reads the context",
        "greet",
        (WF, 'get_context("place", "nowhere")', 'get_context("place", "somewhere")'),
    ),
    edit("version", "note", (WF, 'version="1"', 'version="2"')),
    edit("version taken away", "note", (WF, 'version="1", ', "")),
    edit("what a hash includes", "credit", (SET, 'LICENSES = ["CC0"]', 'LICENSES = ["MIT"]')),
    edit("task renamed", "tour welcome", (WF, "@task()\ndef greet", '@task(name="welcome")\ndef greet')),
    edit("namespace", EVERYTHING, (WF, 'redun_namespace = "survey"', 'redun_namespace = "polls"')),
    edit("cache switched off", "render", (WF, "@task()\ndef render", "@task(cache=False)\ndef render")),
    edit("parameter with a default added", "credit", (WF, "def credit(names):", "def credit(names, more=1):")),
    # data
    edit(
        "data of equal size and times",
        "tour main survey read clean convert sum_up rank render note warmest publish",
        same_size_and_times("data/north.csv", b"4.5\n12", b"9.5\n12"),
    ),
    edit("data that cleaning makes equal", "tour main survey read clean", ("data/south.csv", "99.5", "77.5")),
    edit(
        "line added to data",
        "tour main survey read clean convert sum_up rank render note warmest publish",
        ("data/north.csv", "18,\n", "18,7\n"),
    ),
    edit(
        "data files swapped",
        "tour main survey:2 read:2 sum_up:2 rank render note warmest publish credit",
        swapped("data/north.csv", "data/south.csv"),
    ),
    edit(
        "data file renamed",
        "tour main survey read sum_up rank render note warmest publish credit",
        lambda folder: (folder / "data/north.csv").rename(folder / "data/norge.csv"),
        (WF, "data/north.csv", "data/norge.csv"),
    ),
    edit(
        "data file added",
        "tour main survey read clean convert sum_up rank render note warmest publish credit",
        lambda folder: (folder / "data/east.csv").write_text("1,2\n"),
        (WF, 'File("data/south.csv")]', 'File("data/south.csv"), File("data/east.csv")]'),
    ),
    edit(
        "data file listed twice",
        "tour main rank render note warmest publish credit",
        (WF, 'SOURCES = [File("data/north.csv"), ', 'SOURCES = [File("data/south.csv"), '),
    ),
    edit("output overwritten", "publish", ("report.txt", "end", "fin")),
    # settings
    edit(
        "context that a task reads",
        "greet",
        (".redun/redun.ini", "[limits]", '[scheduler]\ncontext = {"place": "here"}\n[limits]'),
    ),
    edit("context on the command line", "greet", arguments=("run", "--context", "place=there", "workflow.py", "tour")),
    edit(
        "argument on the command line",
        "tour main rank",
        arguments=("run", "workflow.py", "tour", "--sources", "data/south.csv", "data/north.csv"),
    ),
    edit(
        "rule of hashes",
        EVERYTHING.replace(" note", "").replace(" greet", ""),
        (".redun/redun.ini", "[limits]", "[scheduler]\ncode_hash = function\n[limits]"),
    ),
    edit("no cache", EVERYTHING, arguments=("run", "--no-cache", "workflow.py", "tour")),
]

EXCEPTIONS = [
    edit(
        "body of a versioned task",
        "",
        (WF, 'f"{len(stations)} stations"', 'f"{len(stations)} of them"'),
        documented="`version=`",
        is_stale=True,
    ),
    edit(
        "class changed by another module",
        "",
        ("patch.py", "", "import reporting\n\nreporting.Page.ending = ';\\n'\n"),
        (WF, "import settings\n", "import settings\nimport patch\n"),
        documented="one module makes to a class of another",
        is_stale=True,
    ),
    edit(
        "local variable renamed",
        "clean:2",
        (WF, "    kept = [", "    left = ["),
        (WF, "len(kept)", "len(left)"),
        (WF, "sorted(kept", "sorted(left"),
        documented="the new name of a local variable",
    ),
    edit(
        "helper renamed",
        "publish",
        (REP, "def footer", "def ending"),
        (REP, "footer()", "ending()"),
        documented="of a helper",
    ),
    edit(
        "annotation of a helper",
        "publish",
        (REP, "def footer():", "def footer() -> str:"),
        documented="of an annotation",
    ),
    edit(
        "annotation of a task", "clean:2", (WF, "lowest=-40.0", "lowest: float = -40.0"), documented="of an annotation"
    ),
    edit(
        "method that is never called",
        "render",
        (REP, "return 0", "return 1"),
        documented="in a method that it never calls",
    ),
    edit(
        "helper moved to another module",
        "clean:2",
        *moved(RULES, DEDUPE, UNITS, "OFFSETS = {"),
        ("cleaning/__init__.py", "from .rules import dedupe\nfrom .units import", "from .units import dedupe,"),
        documented="moved to another module",
    ),
    edit(
        "attribute of a module imported by name",
        "warmest",
        (WF, "settings.WARM", "WARM"),
        (WF, "from settings import Station", "from settings import WARM, Station"),
        documented="imported under another name",
    ),
    edit(
        "module imported under another name",
        "convert:2",
        (WF, "from cleaning import units", "from cleaning import units as scales"),
        (WF, "units.convert", "scales.convert"),
        documented="imported under another name",
    ),
]


class Runs(NamedTuple):
    """What one run did."""

    tasks: Counter[str]
    out: str
    report: bytes


class Runner:
    """Runs the project in any folder."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "forked_runs.py")],
            env={**environment, "PYTHONDONTWRITEBYTECODE": ""},  # as its users have it
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, folder: Path, arguments: tuple[str, ...] = MAIN) -> Runs:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"folder": str(folder), "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        done = json.loads(self._process.stdout.readline())
        assert done["code"] == 0, done["out"] + done["err"]
        return ran(folder, done["out"], done["err"])

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def ran(folder: Path, out: str, err: str) -> Runs:
    return Runs(Counter(JOB_LINE.findall(err)), out, (folder / "report.txt").read_bytes())


def expected(runs: str) -> Counter[str]:
    return Counter({name: int(count or 1) for name, _, count in (word.partition(":") for word in runs.split())})


def write_project(folder: Path) -> Path:
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(
            path, (AN_HOUR_AGO, AN_HOUR_AGO)
        )  # an edit within the same second would leave bytecode that looks fresh
    return folder


def apply(changes: tuple[Change, ...], folder: Path) -> None:
    for change in changes:
        if callable(change):
            change(folder)
            continue
        name, old, new = change
        path = folder / name
        text = path.read_text() if path.exists() else ""
        assert not old or text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        path.write_text(text.replace(old, new) if old else new)


@pytest.fixture(scope="module")
def runner(redun_environment: dict[str, str]) -> Iterator[Runner]:
    made = Runner(redun_environment)
    yield made
    made.close()


@pytest.fixture(scope="module")
def base(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Runs]:
    """The project after its first run, and what that did."""
    folder = write_project(tmp_path_factory.mktemp("base") / "project")
    return folder, runner.run(folder)


@pytest.fixture
def folder(base: tuple[Path, Runs], tmp_path: Path) -> Path:
    return Path(shutil.copytree(base[0], tmp_path / "project", symlinks=True))


def test_there_are_enough_edits():
    """Each under a name of its own."""
    names = [edit.name for edit in (*NOTHING_RUNS, *SOME_RUN, *EXCEPTIONS)]
    assert len(set(names)) == len(names) > 100


def test_the_first_run_runs_everything(base):
    """Each task as often as it is called."""
    assert base[1].tasks == expected(EVERYTHING)


@pytest.mark.parametrize("edit", NOTHING_RUNS, ids=lambda edit: edit.name)
def test_an_edit_that_changes_nothing_runs_nothing(runner, base, folder, edit):
    """And a fresh run agrees that the result is the same."""
    assert edit.runs == ""
    check(runner, base[1], folder, edit)


@pytest.mark.parametrize("edit", SOME_RUN, ids=lambda edit: edit.name)
def test_an_edit_runs_what_it_touches(runner, base, folder, edit):
    """And no more: the result is that of a fresh run."""
    assert edit.runs
    check(runner, base[1], folder, edit)


@pytest.mark.parametrize("edit", EXCEPTIONS, ids=lambda edit: edit.name)
def test_an_exception_is_as_documented(runner, base, folder, edit):
    """A row that is not needed any more fails."""
    assert edit.documented in " ".join(SHORTCOMINGS.read_text().split())
    check(runner, base[1], folder, edit)


def test_other_processes_agree(base, folder, redun_command):
    """A real command line, whatever its hash seed, in the checkout, in one moved, or through a link to it."""
    elsewhere = folder.rename(folder.with_name("elsewhere"))
    link = folder.with_name("link")
    link.symlink_to(elsewhere)
    for number, place in enumerate([elsewhere, link, elsewhere]):
        done = redun_command(*MAIN, cwd=place, PYTHONHASHSEED=str(number))
        assert ran(place, done.stdout, done.stderr) == Runs(Counter(), *base[1][1:])


def test_bytecode_that_python_takes_for_fresh_counts_as_what_it_does(runner, base, folder):
    """Python tells stale bytecode by size and time; what runs is the old code, and then, by itself, the new."""
    apply((same_size_and_times(REP, b'"end"', b'"fin"'),), folder)
    assert runner.run(folder)[1:] == base[1][1:]
    for cache in folder.rglob("__pycache__"):
        shutil.rmtree(cache)
    after = runner.run(folder)
    assert after.tasks == expected("publish")
    assert after.report.endswith(b"fin")
    assert not runner.run(folder).tasks


@pytest.mark.skipif(
    len(PYTHONS) < 2, reason="Python 3.10 to 3.13 are compared when REDUN_TEST_PYTHONS names two of them or more"
)
def test_other_versions_of_python_agree(base, folder, redun_environment):
    """None of them runs a job that another one has run."""
    for python in PYTHONS:
        command = [python, "-m", "redun", *MAIN]
        done = subprocess.run(command, cwd=folder, env=redun_environment, capture_output=True, text=True, check=True)
        assert ran(folder, done.stdout, done.stderr) == Runs(Counter(), *base[1][1:]), python


def check(runner: Runner, before: Runs, folder: Path, edit: Edit) -> None:
    """Compare the runs after an edit with the row, with a fresh run, and with one after it is undone."""
    apart = folder.with_name("apart")
    kept = shutil.copytree(folder, folder.with_name("kept"))
    apply(edit.changes, folder)
    shutil.copytree(folder, apart)
    shutil.rmtree(apart / ".redun")
    (apart / ".redun").mkdir()
    shutil.copy(folder / ".redun" / "redun.ini", apart / ".redun")
    first = runner.run(folder, edit.arguments)
    again = runner.run(folder, edit.arguments)
    fresh = runner.run(apart, edit.arguments)
    assert first.tasks == expected(edit.runs)
    assert (first[1:] == fresh[1:]) is not edit.is_stale
    assert again[1:] == first[1:]
    assert not again.tasks or "cache" in edit.name
    for name in FILES:
        shutil.copy2(kept / name, folder / name)
    undone = runner.run(folder)
    assert undone[1:] == before[1:]
    assert not undone.tasks
