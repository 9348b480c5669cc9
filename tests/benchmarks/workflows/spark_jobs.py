"""Trivial jobs on an executor named ``spark``."""

from redun import task

redun_namespace = "benchmark.spark"


def add_one(number: int) -> int:
    return number + 1


@task(executor="spark")
def leaf(number: int, salt: int) -> int:
    del salt
    return add_one(number)


@task()
def total(numbers: list[int]) -> int:
    return sum(numbers)


@task()
def wide(n: int, salt: int) -> int:
    """Make n jobs that no earlier run has made."""
    return total([leaf(number, salt) for number in range(n)])
