"""n values of one MiB that do not compress, each passed on once.  A change replaces one of them."""

from random import Random

from redun import task

redun_namespace = "bench.values"


@task()
def make(seed: int) -> bytes:
    return Random(seed).randbytes(1 << 20)


@task()
def measure(value: bytes) -> int:
    return len(value)


@task()
def total(values: list) -> int:
    return sum(values)


@task()
def main(n: int = 200, changed: int = 0) -> int:
    return total([measure(make(-changed if i == 0 else i)) for i in range(n)])
