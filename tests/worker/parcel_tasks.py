"""Tasks that tests run by way of parcels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from redun import File, Handle, get_context, task
from redun.scheduler import JobInfo

redun_namespace = "parcels"


@dataclass
class Point:
    x: int
    y: int


class Refused(Exception):
    """An error with a class of its own."""


@task()
def add(a: int, b: int = 2) -> int:
    return a + b


@task()
def total(size: int):
    return add(add(size, 1), b=sum_all([add(n, 0) for n in range(size)]))


@task()
def sum_all(values: list) -> int:
    return sum(values)


@task()
def move(point: Point, by: int) -> Point:
    return Point(point.x + by, point.y + by)


@task()
def refuse(why: str):
    detail = why.upper()
    raise Refused(detail)


@task()
def exit_task():
    raise SystemExit(3)


@task()
def make_unstorable():
    return (part for part in range(3))


@task()
def write(path: str, size: int) -> File:
    file = File(path)
    file.write("x" * size)
    return file


@task()
def read(file: File) -> str:
    return file.read()


@task()
def spoil(file: File, other: str) -> str:
    Path(other).write_text("changed by somebody else")
    return "done"


@task()
def echo(data: bytes) -> bytes:
    return data[::-1]


@task()
def build_and_drop() -> int:
    add(1, 1)
    return 5


@task(memory=7)
def tell(info: JobInfo = JobInfo()):
    return [info.job_id, info.eval_hash, info.options["memory"], info.options.get("vcpus")]


@task(script=True)
def shell(word: str):
    return f"echo hello {word}"


@task()
def ask_context(key: str = get_context("name", "nobody")) -> str:
    return key


@task(config_args=["where"])
def ignoring(value: int, where: str):
    return [value, where]


class Database(Handle):
    def __init__(self, name: str, path: str):
        self.path = path
        self.instance = self

    def add(self, row: str) -> None:
        with Path(self.path).open("a") as stream:
            stream.write(row + "\n")


@task()
def insert(database: Database, row: str) -> Database:
    database.add(row)
    return database


@task()
def fill(path: str):
    return insert(insert(Database("rows", path), "one"), "two")
