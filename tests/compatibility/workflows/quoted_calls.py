"""Quoted calls as plain values."""

from redun import task
from redun.expression import quote

redun_namespace = "qu"


@task()
def f(x):
    return x + 1


@task()
def run_it(q):
    return q.eval()


@task()
def main():
    q = quote(f(1))
    return [run_it(q), run_it(quote(f(2) + 3))]
