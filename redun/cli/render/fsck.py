"""What fsck prints: what was checked, each finding, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from redun.cli.render.sync import plural
from redun.cli.render.text import one_line
from redun.store.maintain.findings import Problem, Severity
from redun.store.maintain.fsck import FsckReport


def fsck_lines(report: FsckReport, remotes: Sequence[str] = ()) -> Iterator[str]:
    """Yield the lines of a report; ``remotes``: names of those that were not asked, and may have what is damaged."""
    yield f"Checked {one_line(report.location)} ({report.level})"
    counts = (
        plural(report.packs, "pack"),
        f"{report.idxs} idx",
        plural(report.journals, "journal"),
        plural(report.refs, "ref"),
        plural(report.blobs, "large content"),
    )
    yield f"  {', '.join(counts)}"
    total = sum(report.objects.values())
    kinds = ", ".join(f"{name} {count}" for name, count in sorted(report.objects.items()))
    yield f"  {plural(total, 'object')}{f': {kinds}' if kinds else ''}"
    for problem in report.problems:
        yield _problem_line(problem)
    yield _verdict(report)
    if remotes and not report.is_clean:
        yield f"`redun fsck --repair` may bring what is damaged or missing from {', '.join(map(one_line, remotes))}."


def fsck_json(report: FsckReport) -> dict[str, Any]:
    """Return a report as a record."""
    counts = {name: getattr(report, name) for name in ("packs", "idxs", "journals", "refs", "blobs")}
    problems = [
        {
            "severity": problem.severity.value,
            "what": problem.what,
            "where": problem.where,
            "why": problem.why,
            "repaired": problem.is_repaired,
            "repaired_from": problem.source or None,
        }
        for problem in report.problems
    ]
    head = {"location": report.location, "level": report.level, "clean": report.is_clean}
    return {**head, "objects": report.objects, **counts, "problems": problems}


def _problem_line(problem: Problem) -> str:
    origin = f" from {one_line(problem.source)}" if problem.source else ""
    word = f"repaired{origin}" if problem.is_repaired else problem.severity.value
    return f"{word}: {problem.what} {one_line(problem.where)}: {one_line(problem.why)}"


def _verdict(report: FsckReport) -> str:
    errors = [problem for problem in report.problems if problem.severity is Severity.ERROR]
    left = sum(1 for problem in errors if not problem.is_repaired)
    repaired = f", {len(errors) - left} repaired" if len(errors) > left else ""
    return f"{plural(left, 'problem')}{repaired}." if left else f"Clean{repaired}."
