"""Counts the ways through a grid of streets, and counts down: tasks that call themselves."""

from redun import task

redun_namespace = "redun.examples.recursion"


@task()
def count_paths(blocks_east: int, blocks_north: int) -> int:
    """Return how many ways lead to a crossing, walking east and north only."""
    if blocks_east == 0 or blocks_north == 0:
        return 1
    return count_paths(blocks_east - 1, blocks_north) + count_paths(blocks_east, blocks_north - 1)


@task()
def count_down(n: int) -> str:
    """Return a text after n calls, each made by the one before."""
    return count_down(n - 1) if n else "lift-off"


@task()
def split(words: list[str]) -> dict:
    """Sort words into a search tree: the first in the middle, the smaller ones left, the others right."""
    if not words:
        return {}
    root, *others = words
    return {
        "left": split([word for word in others if word < root]),
        "word": root,
        "right": split([word for word in others if word >= root]),
    }


@task()
def walk(tree: dict) -> list[str]:
    """Return the words of a search tree in order."""
    return walk(tree["left"]) + [tree["word"]] + walk(tree["right"]) if tree else []  # noqa: RUF005  (a call has no length: it cannot be unpacked)


@task()
def sort(words: list[str]) -> list[str]:
    """Return words in order."""
    return walk(split(words))
