"""prov=False and no_prov."""

from redun import task
from redun.functools import no_prov

redun_namespace = "np"


@task()
def f(x):
    return x + 1


@task(prov=False)
def quiet(x):
    return [f(x), f(x + 1)]


@task()
def main():
    return [quiet(1), no_prov(f(8)), f(20)]
