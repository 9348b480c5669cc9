"""seq stops at the first error."""

from redun import catch, task
from redun.functools import seq

redun_namespace = "sq"


@task()
def note(x):
    with open("log.txt", "a") as f:
        f.write(str(x) + "\n")
    return x


@task()
def bad():
    raise ValueError("v")


@task()
def rec(e):
    return "r"


@task()
def main():
    return catch(seq([note(1), bad(), note(2)]), ValueError, rec)
