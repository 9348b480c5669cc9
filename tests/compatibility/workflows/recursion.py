"""cond with elif, seq, and tasks that call themselves below a cond."""

from redun import cond, task
from redun.functools import seq

redun_namespace = "cs"


@task()
def f(x):
    return x


@task()
def fact(n):
    return cond(n <= 1, 1, mul(n, fact(n - 1)))


@task()
def mul(a, b):
    return a * b


@task()
def fib(n: int):
    return cond(lt(n, 2), n, add(fib(n - 1), fib(n - 2)))


@task()
def lt(a, b):
    return a < b


@task()
def add(a, b):
    return a + b


@task()
def main():
    return [
        cond(f(True), f(1), f(2)),
        cond(f(0), "a", f(1) == 1, "b", "c"),
        cond(False, "x", None),
        seq([f(1), f(2), f(3)]),
        fact(5),
        fib(6),
    ]
