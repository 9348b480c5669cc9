"""`redun repack`: merge packs."""

from __future__ import annotations

import json

import click

from redun.cli import ui
from redun.cli.options import Globals, open_repository
from redun.cli.render.sync import format_size, plural
from redun.store.maintain.repack import consolidate, plan_repack


@click.command("repack")
@click.option("--all", "is_all", is_flag=True, help="Merge all packs into one, not just those that look-ups gain from.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Tell what would be merged, and change nothing.")
@click.option("--json", "is_json", is_flag=True, help="Print a JSON record.")
@click.pass_obj
def command(options: Globals, /, *, is_all: bool, is_dry_run: bool, is_json: bool) -> int:
    """Merge packs, so that look-ups stay quick.

    Each run does so by itself for its own repository: a pack has at least twice the objects of the next newer one.  A
    repository that others push to grows by a pack a push, and `redun repack` there puts it in order.  Others may run,
    push and pull meanwhile.  What nothing needs any more stays: `redun gc` deletes that.
    """
    with open_repository(options, writable=not is_dry_run) as repository:
        store = repository.store
        parts = plan_repack(store, is_all=is_all)
        n_before, size_before = len(store.packs.readers), sum(reader.size for reader in parts)
        merged = None if is_dry_run or not parts else consolidate(store, is_all=is_all)
        whole = None if merged is None else store.packs.find_reader(merged)
        n_after = len(store.packs.readers)
    record: dict[str, object] = {
        "location": repository.location,
        "dry_run": is_dry_run,
        "packs": n_before,
        "merged": len(parts) if is_dry_run or whole is not None else 0,
        "merged_bytes": size_before,
        "packs_after": n_after if not is_dry_run else n_before - max(0, len(parts) - 1),
        "new_bytes": None if whole is None else whole.size,
    }
    if is_json:
        ui.echo(json.dumps(record, indent=2))
    elif not parts:
        ui.echo(f"nothing to merge: {plural(n_before, 'pack')}")
    elif is_dry_run:
        ui.echo(f"would merge {plural(len(parts), 'pack')} of {n_before}, {format_size(size_before)}")
    elif whole is not None:
        sizes = f"{format_size(whole.size)}, were {format_size(size_before)}"
        ui.echo(f"merged {plural(len(parts), 'pack')} into one of {sizes}; {plural(n_after, 'pack')} now")
    if parts and not is_dry_run and whole is None:
        ui.warn("nothing was merged: another process did, or a pack is damaged (`redun fsck` tells)")
        return 1
    return 0
