"""`redun purge HASH...`: the bytes of values, files and contents, removed for good."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from redun.cli import ui
from redun.cli.options import Globals, at_remote, open_repository
from redun.cli.render.sync import format_size, plural
from redun.objects.oid import is_prefix
from redun.provenance.resolve import UnknownId, resolve_oid
from redun.provenance.show import kind_name
from redun.store.maintain.purge import Purged, PurgeReport, plan_purge, purge, take_back

if TYPE_CHECKING:
    from redun.hashing import Oid
    from redun.store.objectdb import ObjectDb


@click.command("purge")
@click.argument("hashes", metavar="HASH...", nargs=-1, required=True)
@click.option("--remote", metavar="REMOTE", help="Purge in the repository at REMOTE, not in this one.")
@click.option("--apply", "--yes", "-y", "is_applied", is_flag=True, help="Do it; without this it is only told.")
@click.option("--undo", "is_undone", is_flag=True, help="Let a pull bring back what was purged; nothing is removed.")
@click.option("--json", "is_json", is_flag=True, help="Print a JSON record.")
@click.pass_obj
def command(
    options: Globals,
    /,
    hashes: tuple[str, ...],
    *,
    remote: str | None,
    is_applied: bool,
    is_undone: bool,
    is_json: bool,
) -> int:
    """Remove the bytes of objects for good: a password that got into a result, say.

    HASH is a value, a file, a source, an expression or a content; what is part of it goes along.  It is removed from
    every pack and file of this repository, here alone: purge it with --remote in each remote that has it.  A note
    stays that it was purged, so `redun fsck` does not take it for lost, and no pull brings it back.  A job that needs
    it runs again; one that makes it again puts it here again.

    Example: redun purge 9c40fe51 --apply
    """
    with open_repository(at_remote(options, remote), writable=is_applied) as repository:
        oids = [_find(repository.store, text) for text in hashes]
        if is_undone:
            return _undo(take_back(repository, oids) if is_applied else oids, is_applied=is_applied, is_json=is_json)
        report = plan_purge(repository, oids)
        if is_applied:
            purge(repository, report)
    if is_json:
        ui.echo(json.dumps(_record(report, is_applied=is_applied), indent=2))
    else:
        ui.page(_lines(report, is_applied=is_applied), use_pager=False)
    for name in report.unread:
        ui.warn(f"{name} may hold it, and cannot be read or is being written: remove it, or purge again later")
    return int(bool(report.unread))


def _find(store: ObjectDb, text: str) -> Oid:
    """Return the object that a prefix names, one that is absent already too."""
    absent = store.packs.notes.find_absences(text) if is_prefix(text) else []
    try:
        return resolve_oid(text, store)[0]
    except UnknownId:
        if len(absent) != 1:
            raise
        return absent[0].oid


def _undo(oids: Iterable[Oid], *, is_applied: bool, is_json: bool) -> int:
    if is_json:
        ui.echo(json.dumps({"applied": is_applied, "undone": [oid.hex() for oid in oids]}, indent=2))
        return 0
    for oid in oids:
        ui.echo(f"{'may' if is_applied else 'would be allowed to'} come back with a pull: {oid.hex()}")
    if not is_applied:
        ui.echo("Nothing was changed; --apply does it.")
    return 0


def _lines(report: PurgeReport, *, is_applied: bool) -> list[str]:
    would = "" if is_applied else "would be "
    lines = [f"{would}purged: {kind_name(one.kind)} {one.oid.hex()}, {_places(one)}" for one in report.objects]
    if report.rewritten:
        lines.append(f"{would}written anew: {plural(len(report.rewritten), 'pack')}")
    if report.n_lost:
        lines.append(f"lost before: {plural(report.n_lost, 'object')} in these packs, damaged")
    if report.leftovers:
        lines.append(f"{would}deleted: {plural(len(report.leftovers), 'leftover')} of processes that were killed")
    if not is_applied:
        lines.append("Nothing was changed; --apply does it.")
    return lines


def _places(one: Purged) -> str:
    places = [plural(one.n_packs, "pack")] if one.n_packs else []
    if one.blob_bytes:
        places.append(f"a file of {format_size(one.blob_bytes)}")
    if one.is_beyond:
        places.append("an alternate, which is left alone: purge it there")
    return f"in {' and '.join(places)}" if places else "not here any more" if one.is_absent else "not here"


def _record(report: PurgeReport, *, is_applied: bool) -> dict[str, Any]:
    return {
        "location": report.location,
        "applied": is_applied,
        "objects": [
            {
                "oid": one.oid.hex(),
                "kind": kind_name(one.kind),
                "packs": one.n_packs,
                "blob_bytes": one.blob_bytes,
                "was_purged": one.is_absent,
                "in_alternate": one.is_beyond,
            }
            for one in report.objects
        ],
        "rewritten_packs": report.rewritten,
        "leftovers": [str(path) for path in report.leftovers],
        "unread": report.unread,
        "lost_objects": report.n_lost,
    }
