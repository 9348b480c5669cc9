"""Each of redun.functools once."""

from redun import task
from redun.functools import (
    apply_func,
    as_task,
    compose,
    const,
    delay,
    eval_,
    flat_map,
    flatten,
    force,
    identity,
    map_,
    starmap,
    zip_,
)

redun_namespace = "ft"


@task()
def inc(x):
    return x + 1


@task()
def dup(x):
    return [x, x]


@task()
def add(a, b):
    return a + b


@task()
def nums():
    return [1, 2, 3]


def plain(a, b=2):
    return a * b


@task()
def main():
    return {
        "map": map_(inc, [1, 2]),
        "maplazy": map_(inc, nums()),
        "mapmap": map_(inc, map_(inc, nums())),
        "starmap": starmap(add, [{"a": 1, "b": 2}, {"a": 3, "b": 4}]),
        "flat_map": flat_map(dup, nums()),
        "flatten": flatten([[1], [2, 3]]),
        "zip": zip_(nums(), [4, 5, 6]),
        "compose": compose(inc, inc)(1),
        "delay": force(delay(inc(1))),
        "identity": identity(inc(4)),
        "const": const(1, inc(5)),
        "apply": apply_func(plain, 3, b=inc(3)),
        "as_task": as_task(plain)(4, 5),
        "eval": eval_("a + b", a=inc(1), b=2),
        "evalpos": eval_("x * y", 3, inc(1), pos_args=["x", "y"]),
    }
