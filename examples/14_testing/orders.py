"""Adds up orders: a workflow that is tested by test_orders.py."""

from redun import catch, task

redun_namespace = "redun.examples.testing"


@task()
def parse_line(line: str) -> tuple[str, int]:
    """Read `name amount`."""
    name, amount = line.split()
    return name, int(amount)


@task()
def skip_line(error: ValueError) -> None:
    """Stand for a line that cannot be read."""


@task()
def add_up(entries: list[tuple[str, int] | None]) -> dict[str, int]:
    """Return how much of each thing was ordered."""
    totals: dict[str, int] = {}
    for name, amount in filter(None, entries):
        totals[name] = totals.get(name, 0) + amount
    return totals


@task()
def main(lines: list[str]) -> dict[str, int]:
    """Add up lines of orders; leave out those that cannot be read."""
    return add_up([catch(parse_line(line), ValueError, skip_line) for line in lines])
