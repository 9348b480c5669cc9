"""Counts a stock: a value with a validity of its own, and a class of somebody else's that is stored as it should be."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from redun import task
from redun.value import ProxyValue, Value

redun_namespace = "redun.examples.custom_values"


class Tally:
    """How often each thing was counted.  A plain class, as a library might have it, that knows nothing of redun."""

    def __init__(self, counts: dict[str, int]) -> None:
        self.counts = counts

    def __repr__(self) -> str:
        return " ".join(f"{name}={count}" for name, count in sorted(self.counts.items()))


class TallyValue(ProxyValue):
    """How a Tally is stored: as lines of text, in order, so that equal tallies are equal values."""

    type = Tally
    type_name = "redun.examples.Tally"

    def serialize(self) -> bytes:
        lines = (f"{name} {count}" for name, count in sorted(self.instance.counts.items()))
        return "\n".join(lines).encode()

    @classmethod
    def deserialize(cls, raw_type: type, data: bytes) -> Tally:
        pairs = (line.rsplit(" ", 1) for line in data.decode().splitlines())
        return Tally({name: int(count) for name, count in pairs})


class Season(Value):
    """A season of the year, which is over when the file `closed.txt` says so."""

    type_name = "redun.examples.Season"

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Season({self.name})"

    def is_valid(self) -> bool:
        closed = Path("closed.txt")
        return not closed.exists() or self.name not in closed.read_text()

    @classmethod
    def parse_arg(cls, raw_type: type, arg: str) -> "Season":
        month = date.fromisoformat(arg).month
        return cls(["winter", "spring", "summer", "autumn"][month % 12 // 3])


@task()
def count(things: list[str]) -> Tally:
    """Count how often each thing occurs."""
    return tally(things)


def tally(things: Iterable[str]) -> Tally:
    """Count, as a plain function."""
    counts: dict[str, int] = {}
    for thing in things:
        counts[thing] = counts.get(thing, 0) + 1
    return Tally(counts)


@task()
def report(stock: Tally, season: Season) -> str:
    """Say what there is."""
    return f"{season.name}: {stock}"


@task()
def current(season: Season) -> Season:
    """Return the season, looked up in the calendar."""
    return season


@task()
def main(things: list[str] = ["pear", "fig", "pear"], day: Season = Season("autumn")) -> str:
    """Count a stock on a day."""
    return report(count(things), current(day))
