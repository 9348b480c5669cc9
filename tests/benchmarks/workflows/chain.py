"""n calls, each the argument of the next.  A change reaches the innermost, whose result stays what it was."""

from redun import task

redun_namespace = "bench.chain"


@task()
def step(x: int, i: int) -> int:
    return i


@task()
def main(n: int = 500, changed: int = 0) -> int:
    x = -changed
    for i in range(n):
        x = step(x, i)
    return x
