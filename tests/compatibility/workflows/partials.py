"""Partial tasks: called, extended, returned, handed on."""

from redun import task

redun_namespace = "p"


@task()
def add(a, b, c=0):
    return a + b + c


@task()
def one():
    return 1


@task()
def call(f, x):
    return f(x)


@task()
def mk(k):
    return add.partial(k)


@task()
def kw(f):
    return f(b=3)


@task()
def main():
    p = add.partial(1)
    q = p.partial(c=one())
    return [
        p(2),
        q(2),
        call(p, 5),
        call(mk(7), 1),
        kw(add.partial(a=2)),
        call(add.partial(1).options(cache=False), 9),
        call(q, one()),
    ]


@task()
def show():
    return add.partial(1)
