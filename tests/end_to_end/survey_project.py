"""The project that test_mutations_of_a_project.py edits: weather stations, read, cleaned, converted, summed up, ranked.

A dozen tasks, each of which uses the rest of the project in other ways.  ``FILES`` is the folder as it is checked out.
"""

from __future__ import annotations

WORKFLOW = '''\
"""The survey as a workflow."""

import settings
from cleaning import dedupe, parse_line
from cleaning.rules import *
from cleaning import units
from redun import File, cond, get_context, task
from reporting import Page, cite, heading, rows_of, signed
from settings import Station

redun_namespace = "survey"

SOURCES = [File("data/north.csv"), File("data/south.csv")]
RANKS = {"mean": lambda station: station.mean, "span": lambda station: station.span()}
seen = []


@task(limits=["disk"])
def read(source: File) -> list:
    """Read the lines of one file."""
    # The last field may be missing.
    with source.open() as lines:
        return [parse_line(line) for line in lines]


@task(memory=4)
def clean(readings, lowest=-40.0):
    kept = [reading for reading in dedupe(readings) if is_plausible(reading) and reading[1] > lowest]
    seen.append(len(kept))
    return sorted(kept, key=by_hour)


@task()
def convert(readings):
    return [(hour, units.convert(degrees, settings.SCALE)) for hour, degrees in readings]


@task()
def sum_up(name, readings):
    values = [value for _, value in readings]
    return Station(name, round(sum(values) / len(values), settings.DIGITS), min(values), max(values))


@task()
def survey(source: File):
    name = source.path.rpartition("/")[2].partition(".")[0]
    return sum_up(name, convert(clean(read(source))))


@task()
def rank(stations):
    return sort_by(stations, RANKS[settings.RANK])


def sort_by(things, key):
    if len(things) < 2:
        return list(things)
    first, *others = things
    return [
        *sort_by([one for one in others if key(one) > key(first)], key),
        first,
        *sort_by([one for one in others if key(one) <= key(first)], key),
    ]


@task()
def render(stations, title="Survey"):
    def line(station):
        return f"{station.name:<8}{station.mean:>6} {station.grade.label()}"

    page = Page(heading(title))
    for station in stations:
        page.add(line(station))
    return page.text + "\\n".join(rows_of(stations))


@task()
def publish(text: str):
    report = File("report.txt")
    report.write(signed(text))
    return report


@task(version="1", tags=[("kind", "note")])
def note(stations):
    return f"{len(stations)} stations"


@task(hash_includes=[settings.LICENSES])
def credit(names):
    return cite(names, count=2)


@task()
def greet(place=get_context("place", "nowhere")):
    return "from " + place


@task()
def warmest(stations):
    return cond(stations[0].mean > settings.WARM, stations[0].name, "none")


@task()
def main(sources: list[File] = SOURCES):
    """Run it all."""
    stations = rank([survey(source) for source in sources])
    names = [stations[0].name, stations[1].name]
    return [publish(render(stations)), stations, note(stations), credit(names), warmest(stations)]


@task()
def tour(sources: list[File] = SOURCES):
    return [main(sources), greet()]
'''

SETTINGS = '''\
"""What may be set, and the record that tasks hand to one another."""

import enum
from dataclasses import dataclass

DIGITS = 1
WARM = 100
RANK = "mean"
UNUSED = 5
LICENSES = ["CC0"]
LIMITS = {"degrees": (-60, 60), "hours": range(24)}


class Scale(enum.Enum):
    CELSIUS = "C"
    FAHRENHEIT = "F"


SCALE = Scale.FAHRENHEIT


class Grade(enum.Enum):
    COOL = 1
    HOT = 2

    def label(self):
        return self.name.lower()


@dataclass
class Station:
    name: str
    mean: float
    low: float
    high: float

    @property
    def grade(self):
        return Grade.HOT if self.mean > 50 else Grade.COOL

    def span(self):
        return self.high - self.low
'''

CLEANING = '''\
"""Cleaning of readings."""

from .rules import dedupe
from .units import parse_degrees


def parse_line(line):
    hour, _, degrees = line.partition(",")
    return int(hour), parse_degrees(degrees)
'''

RULES = '''\
"""Which readings count."""

import settings

LOWEST, HIGHEST = settings.LIMITS["degrees"]
MISSING = -99.0


def make_check(low, high):
    def is_within(value):
        return low <= value <= high

    return is_within


is_within_limits = make_check(LOWEST, HIGHEST)
by_hour = lambda reading: reading[0]


def is_plausible(reading):
    hour, degrees = reading
    return degrees != MISSING and is_within_limits(degrees) and hour in settings.LIMITS["hours"]


def dedupe(readings):
    known = set()
    for reading in readings:
        if reading not in known:
            known.add(reading)
            yield reading


def unused_rule(reading):
    return reading
'''

UNITS = '''\
"""Scales of temperature."""

from functools import lru_cache, partial

from settings import Scale

try:
    import fastunits as backend
except ImportError:
    from cleaning import slowunits as backend

OFFSETS = {"F": 32}


def scaled(factor, degrees):
    return degrees * factor


to_fahrenheit = partial(scaled, 1.8)


@lru_cache(maxsize=None)
def offset_of(symbol):
    return OFFSETS.get(symbol, 0)


def convert(degrees, scale):
    if scale is Scale.CELSIUS:
        return degrees
    return backend.tidy(to_fahrenheit(degrees) + offset_of(scale.value))


def parse_degrees(text):
    return float(text.strip() or "-99")
'''

SLOWUNITS = """\
def tidy(value):
    return round(value, 3)
"""

REPORTING = '''\
"""Pages of text."""

import functools


def framed(mark):
    def decorate(func):
        @functools.wraps(func)
        def framed_func(*args):
            return f"{mark} {func(*args)} {mark}\\n"

        return framed_func

    return decorate


@framed("==")
def heading(title):
    return title.upper()


class Sheet:
    margin = 1

    def indent(self, line):
        return " " * self.margin + line

    def unused_method(self):
        return 0


class Page(Sheet):
    ending = "\\n"

    def __init__(self, head):
        self._lines = [head]

    @property
    def text(self):
        return self.join(self._lines)

    @classmethod
    def join(cls, lines):
        return "".join(line.rstrip("\\n") + cls.ending for line in lines)

    @staticmethod
    def tidy(line):
        return line.rstrip()

    def add(self, line):
        self._lines.append(self.indent(self.tidy(line)))


def rows_of(stations):
    for station in stations:
        yield f"{station.low!r}..{station.high!r}"


def footer():
    return "end"


def signed(text):
    return text + "\\n" + footer()


def cite(names, *, count=1, mark="*"):
    return mark.join(names[:count])
'''

FILES = {
    "workflow.py": WORKFLOW,
    "settings.py": SETTINGS,
    "cleaning/__init__.py": CLEANING,
    "cleaning/rules.py": RULES,
    "cleaning/units.py": UNITS,
    "cleaning/slowunits.py": SLOWUNITS,
    "reporting.py": REPORTING,
    "data/north.csv": "0,-3.5\n6,-1.0\n12,4.5\n12,4.5\n18,\n",
    "data/south.csv": "0,13.5\n6,11.0\n12,24.5\n12,99.5\n18,19.0\n",
    ".redun/redun.ini": "[limits]\ndisk = 2\n",
}
