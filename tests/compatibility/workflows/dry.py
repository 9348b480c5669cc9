"""--dryrun before, between and after."""

from redun import task

redun_namespace = "dr"


@task()
def f(x):
    return x + 1


@task()
def main():
    return f(f(1))
