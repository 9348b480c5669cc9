"""cache, cache_scope and check_valid on tasks and calls."""

from redun import task
from redun.task import CacheCheckValid, CacheScope

redun_namespace = "co"


@task(cache=False)
def a(x):
    return x


@task(cache_scope=CacheScope.NONE)
def b(x):
    return x


@task(cache_scope="CSE")
def c(x):
    return x


@task(check_valid="shallow")
def d(x):
    return e(x)


@task()
def e(x):
    return a(x + 1)


@task(check_valid=CacheCheckValid.FULL)
def f(x):
    return e(x)


@task()
def g(x):
    return [a(x), b(x), c(x)]


@task()
def main():
    return [g(1), a(1), a(1), b(1), b(1), c(1), d(1), f(5), a.options(cache=True)(8), e.options(cache=False)(9)]
