"""n calls that depend on nothing, and one that sums them.  A change reaches one of them."""

from redun import task

redun_namespace = "bench.fanout"


@task()
def leaf(i: int) -> int:
    return i + 1


@task()
def total(values: list) -> int:
    return sum(values)


@task()
def main(n: int = 1000, changed: int = 0) -> int:
    return total([leaf(-changed if i == 0 else i) for i in range(n)])
