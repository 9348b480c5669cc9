"""Calls that are unpacked: by nout, by annotations, by an option."""

from typing import NamedTuple, Tuple

from redun import task

redun_namespace = "n"


class Pair(NamedTuple):
    a: int
    b: int


@task(nout=2)
def two():
    return [1, 2]


@task()
def tt() -> Tuple[int, str, int]:
    return (1, "x", 3)


@task()
def t2() -> tuple[int, int]:
    return (1, 2)


@task()
def np() -> Pair:
    return Pair(1, 2)


@task()
def inc(x):
    return x + 1


@task()
def main():
    a, b = two()
    c, d, e = tt()
    f, g = t2()
    h, i = np()
    return [inc(a), b, c, inc(e), d, inc(f), g, h, i, [inc(z) for z in two()], np().a, np()]


@task()
def short():
    a, b, c = two()
    return a


@task()
def three():
    x, y = two3()
    return [x, y]


@task(nout=2)
def two3():
    return [1, 2, 3]


@task()
def opt():
    a, b, c = two3.options(nout=3)()
    return [a, b, c]
