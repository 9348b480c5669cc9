"""Trims reads, counts the pieces of three bases in them, merges the counts of all samples, and draws them.

reads/SAMPLE.fastq -> trim -> out/SAMPLE.fastq -> count -> merge -> out/counts.tsv
                                                        -> plot  -> out/counts.svg
"""

from collections import Counter
from collections.abc import Iterator

from chart import draw_bars

from redun import Dir, File, task

redun_namespace = "redun.examples.bioinfo"


def iter_reads(fastq: File) -> Iterator[tuple[str, str, str]]:
    """Yield name, bases and qualities of each read of a FASTQ file."""
    lines = fastq.read().splitlines()
    for start in range(0, len(lines), 4):
        name, bases, _, qualities = lines[start : start + 4]
        yield name[1:], bases, qualities


def keep_good_part(bases: str, qualities: str, threshold: int) -> int:
    """Return where to cut a read: before the first base whose quality is below the threshold."""
    return next((place for place, letter in enumerate(qualities) if ord(letter) - 33 < threshold), len(bases))


@task()
def trim(reads: File, out: str, threshold: int, min_length: int = 30) -> File:
    """Cut the bad ends off reads; leave out those of which too little is left."""
    trimmed = File(out)
    with trimmed.open("w") as stream:
        for name, bases, qualities in iter_reads(reads):
            end = keep_good_part(bases, qualities, threshold)
            if end >= min_length:
                stream.write(f"@{name}\n{bases[:end]}\n+\n{qualities[:end]}\n")
    return trimmed


@task()
def count(reads: File, length: int) -> dict[str, int]:
    """Return how often each piece of that many bases occurs in reads."""
    counts: Counter[str] = Counter()
    for _, bases, _ in iter_reads(reads):
        counts.update(bases[start : start + length] for start in range(len(bases) - length + 1))
    return dict(counts)


@task()
def merge(counts: dict[str, dict[str, int]], out: str) -> File:
    """Write one table: a line for each piece, a column for each sample."""
    samples = sorted(counts)
    pieces = sorted(set().union(*counts.values()))
    lines = ["\t".join([piece, *(str(counts[sample].get(piece, 0)) for sample in samples)]) for piece in pieces]
    table = File(out)
    table.write("\n".join(["\t".join(["piece", *samples]), *lines]) + "\n")
    return table


@task()
def plot(table: File, out: str, title: str, bars: int = 12) -> File:
    """Draw the most frequent pieces of a table, a bar for each sample."""
    header, *rows = [line.split("\t") for line in table.read().splitlines()]
    rows.sort(key=lambda row: (-sum(map(int, row[1:])), row[0]))
    picture = File(out)
    picture.write(draw_bars(title, header[1:], {row[0]: [int(cell) for cell in row[1:]] for row in rows[:bars]}))
    return picture


@task()
def main(
    reads: Dir = Dir("reads"), threshold: int = 20, length: int = 3, title: str = "Most frequent pieces"
) -> list[File]:
    """Count the pieces in the reads of all samples.

    Args:
        reads: a folder with a FASTQ file for each sample.
        threshold: the lowest quality of a base that is kept.
        length: of a piece, in bases.
        title: of the picture.
    """
    samples = {file.basename().removesuffix(".fastq"): file for file in reads}
    trimmed = {name: trim(file, f"out/{name}.fastq", threshold) for name, file in samples.items()}
    table = merge({name: count(file, length) for name, file in trimmed.items()}, "out/counts.tsv")
    return [table, plot(table, "out/counts.svg", title)]
