"""A binary tree of calls that call, summed on the way up.  A change reaches the leftmost leaf."""

from redun import task

redun_namespace = "bench.tree"


@task()
def add(left: int, right: int) -> int:
    return left + right


@task()
def node(depth: int, index: int, changed: int = 0) -> int:
    if depth == 0:
        return index + changed
    return add(node(depth - 1, 2 * index, changed), node(depth - 1, 2 * index + 1))


@task()
def main(n: int = 10, changed: int = 0) -> int:
    return node(n, 0, changed)
