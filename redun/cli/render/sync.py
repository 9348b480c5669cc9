"""What push, fetch, pull and clone print: one line of exact counts, or a JSON record."""

from __future__ import annotations

from typing import Any

from redun.cli.render.text import one_line
from redun.remotes.transfer import TransferReport

_MAX_REFUSED = 5
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def report_line(report: TransferReport, verb: str) -> str:
    """Return the line for a transfer.

    Args:
        report: what was done.
        verb: "push", "fetch" or "pull".
    """
    place = f"remote '{report.remote}'"
    if report.is_up_to_date:
        return f"{place.capitalize()} is up to date." if verb == "push" else f"Already up to date with {place}."
    way = "to" if verb == "push" else "from"
    done = f"Would {verb}" if report.is_dry_run else f"{verb.capitalize()}ed"
    line = f"{done} {_count(report)} {way} {place}"
    if report.is_dry_run and verb != "push":
        return f"{line}."
    counts = f"{plural(report.objects, 'object')}, {format_size(report.transferred_bytes)}"
    return f"{line}: {counts}{withheld_text(report)}. {promised_line(report)}{_merged_line(report)}".rstrip()


def withheld_text(report: TransferReport) -> str:
    """Return what a line of counts ends with when not all was taken."""
    return f"; {plural(report.withheld, 'object')} withheld, as only data is trusted" if report.withheld else ""


def promised_line(report: TransferReport) -> str:
    """Return the sentence on what was left at the remote; an empty text when nothing was."""
    if not report.promised:
        return ""
    what = f"{plural(report.promised, 'content')} ({format_size(report.promised_bytes)})"
    return f"{what} {'stays' if report.promised == 1 else 'stay'} there until needed."


def _merged_line(report: TransferReport) -> str:
    return f"Merged {report.merged_packs} small packs there into one." if report.merged_packs else ""


def _count(report: TransferReport) -> str:
    """``2 executions and 1 tag edit``: what there is of each, executions where there is nothing else."""
    edits = [plural(report.tag_edits, "tag edit")] if report.tag_edits else []
    contents = [plural(report.contents, "content")] if report.contents else []
    executions = [plural(report.executions, "execution")] if report.executions or not edits + contents else []
    return " and ".join(executions + edits + contents)


def report_json(report: TransferReport) -> dict[str, Any]:
    """Return the record for a transfer."""
    return {
        "remote": report.remote,
        "location": report.location,
        "executions": report.executions,
        "tag_edits": report.tag_edits,
        "objects": report.objects,
        "bytes": report.transferred_bytes,
        "contents": report.contents,
        "promised": report.promised,
        "promised_bytes": report.promised_bytes,
        "withheld": report.withheld,
        "merged_packs": report.merged_packs,
        "skipped": [{"ref": skipped.name, "why": skipped.why} for skipped in report.skipped],
        "refused": [{"ref": refused.name, "why": refused.why} for refused in report.refused],
        "dry_run": report.is_dry_run,
    }


def skipped_lines(report: TransferReport) -> list[str]:
    """Return a line for each execution that was left out, and for some of the refs that were refused."""
    lines = [f"{one_line(skipped.name)} was left out: {one_line(skipped.why)}" for skipped in report.skipped]
    lines += [f"{one_line(ref.name)} was refused: {one_line(ref.why)}" for ref in report.refused[:_MAX_REFUSED]]
    if len(report.refused) > _MAX_REFUSED:
        lines.append(f"{len(report.refused) - _MAX_REFUSED} more refs were refused for want of a signature")
    return lines


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 object``, ``2 objects``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def format_size(size: int) -> str:
    """Return a size (bytes) in the largest unit that leaves one digit or more before the point."""
    amount = float(size)
    for unit in _UNITS:
        if amount < 1024 or unit == _UNITS[-1]:
            return plural(size, "byte") if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError("the last unit takes everything")
