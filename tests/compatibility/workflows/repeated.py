"""The same call within one parent, and below others."""

from redun import task

redun_namespace = "ss"


@task(cache=False)
def f(x):
    return x


@task(cache_scope="NONE")
def n(x):
    return x


@task()
def g(x):
    return [f(x), n(x)]


@task()
def main():
    e = f(1)
    k = n(2)
    return [e, e, f(1), k, k, n(2), g(1), g(2)]
