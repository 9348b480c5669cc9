"""Enums, dataclasses, named tuples, and calls within all of them."""

import enum
from dataclasses import dataclass, field
from typing import List, NamedTuple

from redun import task

redun_namespace = "en"


class C(enum.Enum):
    A = "a"
    B = "b"


@dataclass
class D:
    x: int
    ys: List[int] = field(default_factory=list)


class N(NamedTuple):
    a: object
    b: object


@task()
def v(c: C):
    return c.value


@task()
def dx(d: D):
    return d.x + sum(d.ys)


@task()
def one():
    return 1


@task()
def na(n: N):
    return (n.a, n.b)


@task()
def mk():
    return D(one(), [one(), 2])


@task()
def main():
    return [
        v(C.A),
        C.B,
        dx(D(1, [2])),
        dx(D(one(), [one()])),
        na(N(one(), 2)),
        N(one(), C.A),
        mk(),
        {one(): one()},
        {one(), 2},
        (one(),),
    ]
