"""Medians of samples, as a table for people or as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from statistics import median

from measure import Sample


@dataclass(frozen=True, slots=True)
class Row:
    """What one case and phase cost with one executable: the median of each figure over all repeats."""

    case: str
    phase: str
    redun: str
    repeats: int
    sample: Sample
    cpu_us_per_job: float | None  # beyond start-up; None for start-up itself
    cpu_ratio: float | None  # to the first executable named; None for that one


def median_sample(samples: list[Sample]) -> Sample:
    """Return the median of each figure on its own."""
    middle = {field.name: median(getattr(sample, field.name) for sample in samples) for field in fields(Sample)}
    return Sample(**middle)


def as_json(rows: list[Row]) -> str:
    """Return the rows as one JSON list."""
    return json.dumps([asdict(row) for row in rows], indent=1)


def as_table(rows: list[Row]) -> str:
    """Return the rows as lines of aligned columns under a head."""
    head = ["case", "phase", "redun", "cpu s", "wall s", "us/job", "peak MB", "disk KiB", "alloc KiB", "cpu ratio"]
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < 3 else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths))
        )
        for line in lines
    )


def _cells(row: Row) -> list[str]:
    sample = row.sample
    return [
        row.case,
        row.phase,
        row.redun,
        f"{sample.cpu_seconds:.3f}",
        f"{sample.wall_seconds:.3f}",
        "" if row.cpu_us_per_job is None else f"{row.cpu_us_per_job:.0f}",
        f"{sample.peak_bytes / 1e6:.0f}",
        f"{sample.disk_bytes / 1024:.0f}",
        f"{sample.disk_allocated_bytes / 1024:.0f}",
        "" if row.cpu_ratio is None else f"{row.cpu_ratio:.3f}",
    ]
