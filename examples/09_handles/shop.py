"""Two databases, each a handle: orders are read from one and loaded into two tables of the other."""

import sqlite3

from redun import Handle, merge_handles, task

redun_namespace = "redun.examples.handles"

ORDERS = [("2026-03-01", "lamp", 2, 19.9), ("2026-03-01", "chair", 4, 45.0), ("2026-03-02", "lamp", 1, 19.9)]


class Database(Handle):
    """A connection to a sqlite database; what it has not itself is asked of the connection."""

    def __init__(self, name, path):
        super().__init__(name)
        self.instance = sqlite3.connect(path)

    def replace(self, table, columns, rows):
        """Make a table of just these rows."""
        places = ", ".join("?" * len(columns))
        with self.instance:
            self.execute(f"drop table if exists {table}")
            self.execute(f"create table {table} ({', '.join(columns)})")
            self.executemany(f"insert into {table} values ({places})", rows)


@task()
def fill(shop: Database):
    shop.replace("orders", ["day", "item", "pieces", "price"], ORDERS)
    return shop


@task()
def read_orders(shop: Database):
    return shop.execute("select day, item, pieces, price from orders").fetchall()


@task()
def load_items(report: Database, orders):
    turnover = {}
    for _, item, pieces, price in orders:
        turnover[item] = turnover.get(item, 0) + pieces * price
    report.replace("items", ["item", "turnover"], sorted(turnover.items()))
    return report


@task()
def load_days(report: Database, orders):
    pieces = {}
    for day, _, number, _ in orders:
        pieces[day] = pieces.get(day, 0) + number
    report.replace("days", ["day", "pieces"], sorted(pieces.items()))
    return report


@task()
def best(report: Database):
    item, turnover = report.execute("select item, turnover from items order by turnover desc").fetchone()
    day, pieces = report.execute("select day, pieces from days order by pieces desc").fetchone()
    return f"{item} for {turnover:.2f}, {pieces} pieces on {day}"


@task()
def main():
    orders = read_orders(fill(Database("shop", "shop.db")))
    report = Database("report", "report.db")
    return best(merge_handles([load_items(report, orders), load_days(report, orders)]))
