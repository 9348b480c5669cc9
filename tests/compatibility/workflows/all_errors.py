"""catch_all with and without a handler."""

from redun import task
from redun.scheduler import catch_all

redun_namespace = "ca"


@task()
def div(a, b):
    return a / b


@task()
def rec(vals):
    return [v if not isinstance(v, Exception) else repr(v) for v in vals]


@task()
def main():
    return catch_all([div(1, 1), div(1, 0), div(2, 1)], ZeroDivisionError, rec)


@task()
def plain():
    return catch_all([div(1, 0), div(1, 1)])


@task()
def other():
    return catch_all([div(1, 0), div(1, "a")], ZeroDivisionError, rec)


@task()
def fine():
    return catch_all([div(1, 1), div(1, 2)])
