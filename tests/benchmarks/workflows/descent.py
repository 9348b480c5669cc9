"""n calls, each returned by the one before.  A change reaches all of them: the other end of the scale."""

from redun import task

redun_namespace = "bench.descent"


@task()
def step(i: int, changed: int) -> int:
    return changed if i == 1 else step(i - 1, changed)


@task()
def main(n: int = 500, changed: int = 0) -> int:
    return step(n, changed)
