"""Takes orders out of one sqlite database, works them up, and loads a report into another one."""

import csv
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from redun import File, task

redun_namespace = "redun.examples.etl"


class Order(NamedTuple):
    """One line of the orders."""

    day: str
    item: str
    pieces: int
    price: float


class Turnover(NamedTuple):
    """What came in for one item."""

    item: str
    pieces: int
    amount: float


@task()
def make_shop(orders: File, path: str) -> File:
    """Make the database of a shop: the source that a real workflow would find."""
    rows = [
        (row["day"], row["item"], int(row["pieces"]), float(row["price"])) for row in csv.DictReader(orders.readlines())
    ]
    return write_table(path, "orders", Order._fields, rows)


@task()
def extract(shop: File) -> list[Order]:
    """Read all orders."""
    with closing(sqlite3.connect(shop.path)) as database:
        return [Order(*row) for row in database.execute("SELECT day, item, pieces, price FROM orders ORDER BY rowid")]


@task()
def transform(item: str, orders: list[Order]) -> Turnover:
    """Add up the orders of one item."""
    amount = sum(order.pieces * order.price for order in orders)
    return Turnover(item, sum(order.pieces for order in orders), round(amount, 2))


@task()
def transform_all(orders: list[Order]) -> list[Turnover]:
    """Add up the orders of each item."""
    items = sorted({order.item for order in orders})
    return [transform(item, [order for order in orders if order.item == item]) for item in items]


@task()
def load(turnovers: list[Turnover], path: str) -> File:
    """Write the report into a database of its own."""
    return write_table(path, "turnovers", Turnover._fields, turnovers)


@task()
def main(orders: File = File("orders.csv")) -> File:
    """Make a report of all orders."""
    shop = make_shop(orders, "shop.db")
    return load(transform_all(extract(shop)), "report.db")


def write_table(path: str, table: str, columns: tuple[str, ...], rows: list) -> File:
    """Write a new database with one table; return its file."""
    Path(path).unlink(missing_ok=True)
    marks = ", ".join("?" for _ in columns)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
        database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    return File(path)
