"""Counts the words of all texts in a folder: one job a file, then one for all."""

import re
from collections import Counter

from redun import Dir, File, task

redun_namespace = "redun.examples.word_count"


@task()
def count_words(text: File) -> dict[str, int]:
    """Return how often each word occurs in a text, in the order of the alphabet."""
    return dict(sorted(Counter(re.findall(r"[a-z]+", text.read().lower())).items()))


@task()
def add_counts(counts: list[dict[str, int]]) -> dict[str, int]:
    """Add up the counts of several texts."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))


@task()
def write_table(counts: dict[str, int], path: str, at_least: int) -> File:
    """Write down the words that are frequent enough, the most frequent ones first."""
    frequent = sorted((-count, word) for word, count in counts.items() if count >= at_least)
    table = File(path)
    table.write("".join(f"{word}\t{-count}\n" for count, word in frequent))
    return table


@task()
def main(folder: Dir = Dir("texts"), out: str = "counts.tsv", at_least: int = 3) -> File:
    """Count the words of the texts in a folder.

    Args:
        folder: where the texts are.
        out: where the table goes.
        at_least: how often a word must occur to be in it.
    """
    counts = [count_words(text) for text in folder]
    return write_table(add_counts(counts), out, at_least)
