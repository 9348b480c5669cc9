"""Measures redun executables on the same workflows: ``python tests/benchmarks/run.py --redun PATH [--redun PATH2]``.

Each sample is a process of its own in a fresh folder.  Repeats are interleaved between executables, so that a machine
that slows down slows all of them; figures are medians.  The workflow files use only what every redun has.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from cases import DEFAULT_CASES, PHASES, Case, parse_case
from measure import RunFailed, Sample, fresh_folder, measure, measure_case, measure_help
from tables import Row, as_json, as_table, median_sample

Samples = dict[tuple[str, str, str], list[Sample]]
"""By (case, phase, executable)."""

TRIVIAL = parse_case("trivial")
POOL = "bare pool"


def main(argv: list[str] | None = None) -> int:
    """Measure, print; return the exit code."""
    options = parse(argv)
    samples: Samples = {}
    for repeat in range(options.repeat):
        for case in options.case:
            for redun in options.redun:
                print(f"repeat {repeat + 1}/{options.repeat}: {case.name} {redun}", file=sys.stderr)
                try:
                    add_case(samples, redun, case)
                except RunFailed as error:
                    print(error, file=sys.stderr)
                    if not options.keep_going:
                        return 1
    rows = make_rows(samples, {case.name: case for case in options.case}, options.redun)
    print(as_json(rows) if options.json else as_table(rows))
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = shutil.which("redun", path=str(Path(sys.executable).parent))
    parser.add_argument("--redun", action="append", metavar="PATH", help="an executable; the first is the yardstick")
    parser.add_argument("--case", action="append", type=parse_case, metavar="NAME[-SIZE]", help="default: all usual")
    parser.add_argument("--repeat", type=int, default=3, help="samples of each; medians are shown")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.add_argument("--keep-going", action="store_true", help="leave out what fails instead of stopping")
    options = parser.parse_args(argv)
    options.redun = options.redun or ([default] if default else [])
    cases = options.case or [parse_case(name) for name in DEFAULT_CASES]
    options.case = [TRIVIAL, *(case for case in cases if case != TRIVIAL)]  # what starting costs is part of every table
    if not options.redun:
        parser.error("no redun executable beside this Python: name one with --redun")
    return options


def add_case(samples: Samples, redun: str, case: Case) -> None:
    """Measure a case once: all its phases, and beside a fan-out the bare pool."""
    for phase, sample in measure_case(redun, case).items():
        samples.setdefault((case.name, phase, redun), []).append(sample)
    if case == TRIVIAL:
        samples.setdefault(("--help", "", redun), []).append(measure_help(redun))
    if case.workflow == "fanout":
        pool = [sys.executable, str(Path(__file__).with_name("pool.py"))]
        with fresh_folder() as folder:
            empty = measure([*pool, "1"], folder)
            samples.setdefault(("pool-1", "", POOL), []).append(empty)
            samples.setdefault((case.name, "", POOL), []).append(measure([*pool, str(case.size)], folder))


def make_rows(samples: Samples, cases: dict[str, Case], reduns: list[str]) -> list[Row]:
    """Return one row for each case, phase and executable, in the order in which they were first measured."""
    medians = {key: median_sample(found) for key, found in samples.items()}
    rows = []
    for (name, phase, redun), sample in sorted(medians.items(), key=lambda item: _order(item[0], list(samples))):
        first = medians.get((name, phase, reduns[0]))
        start = medians.get(("pool-1", "", POOL) if redun == POOL else (TRIVIAL.name, phase, redun))
        per_job = None
        if name in cases and cases[name] != TRIVIAL and start is not None:
            per_job = (sample.cpu_seconds - start.cpu_seconds) / cases[name].jobs * 1e6
        ratio = sample.cpu_seconds / first.cpu_seconds if first is not None and redun != reduns[0] else None
        rows.append(Row(name, phase, redun, len(samples[name, phase, redun]), sample, per_job, ratio))
    return rows


def _order(key: tuple[str, str, str], keys: list[tuple[str, str, str]]) -> tuple[int, int, int]:
    """Sort by case, then phase, then executable: what is compared stands together."""
    name, phase, _ = key
    first_of_case = next(i for i, other in enumerate(keys) if other[0] == name)
    return first_of_case, PHASES.index(phase) if phase else len(PHASES), keys.index(key)


if __name__ == "__main__":
    sys.exit(main())
