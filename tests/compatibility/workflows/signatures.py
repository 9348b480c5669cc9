"""Positional-only, keyword-only and variadic parameters."""

from redun import task

redun_namespace = "vg"


@task()
def f(*a, **k):
    return [list(a), sorted(k.items())]


@task()
def g(a, *, b=2):
    return a + b


@task()
def h(a, /, b):
    return a - b


@task()
def main():
    return [f(1, 2, z=3), f(), g(1), g(1, b=5), g(a=1), h(5, 2), h(5, b=2)]


@task()
def bad():
    return g(1, 2)


@task()
def bad2():
    return g(1, c=2)


@task()
def bad3():
    return g()
