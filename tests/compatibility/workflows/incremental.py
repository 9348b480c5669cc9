"""Only what is downstream of a change runs, and only while values change."""

from redun import task

redun_namespace = "ds"


@task()
def a():
    return 10


@task()
def b(x):
    return x // 10


@task()
def c(y):
    return y + 1


@task()
def main():
    return c(b(a()))
