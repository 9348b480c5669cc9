"""Makes reads as a sequencer would give them: FASTQ files of two samples, the same ones each time."""

import random
from pathlib import Path

LETTERS = "ACGT"
READS = 200
LENGTH = 60


def make_read(chance: random.Random, number: int, gc: float) -> str:
    """Return one record: a name, the bases, and a quality for each base that falls towards the end."""
    weights = [1 - gc, gc, gc, 1 - gc]
    bases = "".join(chance.choices(LETTERS, weights, k=LENGTH))
    good = chance.randint(LENGTH // 3, LENGTH)
    qualities = [chance.randint(30, 40) if place < good else chance.randint(2, 12) for place in range(LENGTH)]
    return f"@read{number}\n{bases}\n+\n{''.join(chr(33 + quality) for quality in qualities)}\n"


def main() -> None:
    """Write reads/liver.fastq and reads/spleen.fastq."""
    Path("reads").mkdir(exist_ok=True)
    for seed, (sample, gc) in enumerate({"liver": 0.4, "spleen": 0.6}.items()):
        chance = random.Random(seed)
        text = "".join(make_read(chance, number, gc) for number in range(READS))
        Path(f"reads/{sample}.fastq").write_text(text)


if __name__ == "__main__":
    main()
