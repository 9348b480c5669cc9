"""`redun du`: how much room the repository takes, and what for."""

from __future__ import annotations

import json

import click

from redun.cli import ui
from redun.cli.options import Globals, open_repository
from redun.cli.render.sync import format_size, plural
from redun.cli.selection import find_refs
from redun.store.maintain.usage import Share, Usage, measure, measure_executions


@click.command("du")
@click.argument("ids", metavar="[EXEC_ID]...", nargs=-1)
@click.option("--json", "is_json", is_flag=True, help="Print a JSON record.")
@click.pass_obj
def command(options: Globals, /, ids: tuple[str, ...], is_json: bool) -> int:
    """Tell how much room the repository takes, and what for.

    EXEC_ID is a prefix of an execution's id, or - for the newest: then it tells what these executions need, and how
    much of that is theirs alone and would go with them (see `redun gc`).
    """
    with open_repository(options) as repository:
        names = find_refs(repository.refs, ids)
        told: Usage | Share = measure(repository) if names is None else measure_executions(repository, names)
    if isinstance(told, Share):
        record: dict[str, object] = {
            "executions": len(names or ()),
            "needed_bytes": told.needed_bytes,
            "own_bytes": told.own_bytes,
        }
        lines = [
            f"needed by {plural(len(names or ()), 'execution')}: {format_size(told.needed_bytes)}",
            f"by nothing else: {format_size(told.own_bytes)}",
        ]
    else:
        record, lines = _usage_record(told), _usage_lines(told)
    if is_json:
        ui.echo(json.dumps(record, indent=2))
    else:
        ui.page(lines, use_pager=False)
    return 0


def _usage_lines(usage: Usage) -> list[str]:
    width = max(map(len, usage.sizes))
    lines = [f"{usage.location}: {format_size(usage.total_bytes)}"]
    for what, size in usage.sizes.items():
        lines.append(f"  {what:<{width}}  {format_size(size):>10}  {plural(usage.counts[what], 'file')}")
    n_objects = sum(usage.objects.values())
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(usage.objects.items()))
    lines.append(f"{plural(n_objects, 'object')} in packs{': ' + kinds if kinds else ''}")
    if usage.condemned_bytes:
        lines.append(
            f"{format_size(usage.condemned_bytes)} of the packs are condemned: `redun gc --apply` deletes them"
        )
    return lines


def _usage_record(usage: Usage) -> dict[str, object]:
    return {
        "location": usage.location,
        "bytes": usage.total_bytes,
        "sizes": usage.sizes,
        "files": usage.counts,
        "objects": usage.objects,
        "condemned_bytes": usage.condemned_bytes,
    }
