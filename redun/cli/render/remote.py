"""What ``redun remote status`` prints: a few lines, or a JSON record."""

from __future__ import annotations

from typing import Any

from redun.cli.render.sync import format_size, plural
from redun.cli.render.text import one_line
from redun.remotes.compare import RemoteStatus
from redun.remotes.lookup import LookupCounts


def status_json(status: RemoteStatus) -> dict[str, Any]:
    """Return the record of how this repository and a remote compare."""
    ahead, behind = status.ahead, status.behind
    return {
        "name": status.name,
        "location": status.location,
        "is_there": status.is_there,
        "executions": status.executions,
        "ahead": {
            "executions": ahead.executions,
            "tag_edits": ahead.tag_edits,
            "objects": ahead.objects,
            "bytes": ahead.transferred_bytes,
            "skipped": [{"ref": skipped.name, "why": skipped.why} for skipped in ahead.skipped],
        },
        "behind": {
            "executions": behind.executions,
            "tag_edits": behind.tag_edits,
            "max_bytes": behind.max_bytes,
        },
    }


def counts_line(counts: LookupCounts) -> str:
    """Return the line that tells what a run has taken from a remote."""
    return f"Took {plural(counts.objects, 'object')} from remote '{one_line(counts.remote)}'."


def progress_line(done: int, total: int, label: str) -> str:
    """Return the line that tells, while a run waits for a remote, how much has gone or come; ``total`` may be 0."""
    amount = f"{format_size(done)} of {format_size(total)}" if total else format_size(done)
    return f"{one_line(label)}: {amount}"


def status_lines(record: dict[str, Any]) -> list[str]:
    """Return the lines for a record that ``status_json`` made; none for one of an error, which is told as such."""
    if "error" in record:
        return []
    lines = [f"{record['name']}  {one_line(record['location'])}"]
    if not record["is_there"]:
        lines.append("  nothing is there yet: the first push makes a repository")
    ahead, behind = record["ahead"], record["behind"]
    skipped = f"; {len(ahead['skipped'])} cannot be sent" if ahead["skipped"] else ""
    if not (_count(ahead) or _count(behind)):
        return [*lines, f"  up to date, {plural(record['executions'], 'execution')}{skipped}"]
    sent = f": {plural(ahead['objects'], 'object')}, {format_size(ahead['bytes'])} to push" if _count(ahead) else ""
    coming = f": at most {format_size(behind['max_bytes'])} to pull" if _count(behind) else ""
    return [*lines, f"  ahead   {_told(ahead)}{sent}{skipped}", f"  behind  {_told(behind)}{coming}"]


def _count(side: dict[str, Any]) -> int:
    count: int = side["executions"] + side["tag_edits"]
    return count


def _told(side: dict[str, Any]) -> str:
    edits = f" and {plural(side['tag_edits'], 'tag edit')}" if side["tag_edits"] else ""
    return plural(side["executions"], "execution") + edits
