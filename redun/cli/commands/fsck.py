"""`redun fsck`: is everything in the repository what its name says?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from redun.cli import ui
from redun.cli.options import Globals, open_repository
from redun.cli.render.fsck import fsck_json, fsck_lines
from redun.errors import RemoteError
from redun.remotes.settings import RemoteUnknown, load_remotes
from redun.store.maintain.fsck import check_repository

if TYPE_CHECKING:
    from redun.remotes.remote import Remote
    from redun.remotes.repair import RemoteSource
    from redun.store.repository import Repository


@click.command("fsck")
@click.option("--quick", "is_quick", is_flag=True, help="Check files, sizes and checksums; read no object.")
@click.option(
    "--repair",
    "repair",
    is_flag=True,
    help="Make each idx anew from its pack, remove half-written files, and bring the rest from remotes.",
)
@click.option(
    "--from",
    "places",
    metavar="REMOTE|URL|BUNDLE",
    multiple=True,
    help="Where to repair from, in this order; may be repeated.  [default: all remotes of the settings]",
)
@click.option("--json", "is_json", is_flag=True, help="Print a JSON record.")
@click.pass_obj
def command(options: Globals, /, *, is_quick: bool, repair: bool, places: Sequence[str], is_json: bool) -> int:
    """Check every file and object of the repository: hashes, encodings, links, refs.

    With --repair, whatever is damaged or missing is brought from alternates and remotes that have it, as far as their
    settings let a fetch take it.  A damaged file goes once all that it held is elsewhere; what nobody has is listed.

    Exits with 0 when all is well and with 1 when something is damaged or missing and could not be repaired.
    """
    if places and not repair:
        raise click.UsageError("--from says where to repair from: give --repair too")
    level = "quick" if is_quick else "full"
    with open_repository(options, writable=repair) as repository:
        repository.forget_copies()
        if repair:
            from redun.store.maintain.mend import mend_repository

            with ExitStack() as files:
                sources = list(_iter_sources(repository, places, files))
                report = mend_repository(repository, sources, level=level, warn=ui.warn)
        else:
            report = check_repository(repository, level=level)
        remotes = [] if repair else list(load_remotes(repository.config_path))
    if is_json:
        ui.echo(json.dumps({**fsck_json(report), "repair_from": remotes}, indent=2))
    else:
        ui.page(fsck_lines(report, remotes), use_pager=False)
    return 0 if report.is_clean else 1


def _iter_sources(repository: Repository, places: Sequence[str], files: ExitStack) -> Iterator[RemoteSource]:
    """Yield the places to repair from; of those that nobody asked for, one that cannot be reached is warned of."""
    from redun.remotes.repair import RemoteSource

    known = list(load_remotes(repository.config_path))
    for place in places or known:
        try:
            remote = _open(repository, place, known, files)
        except RemoteError as error:
            if places:
                raise
            ui.warn(f"{error}; it is not asked")
            continue
        if remote.location != repository.location:
            yield RemoteSource(repository, remote)


def _open(repository: Repository, place: str, known: list[str], files: ExitStack) -> Remote:
    from redun.remotes.connect import connect, open_remote

    if place in known:
        return connect(repository, place)
    if Path(place).is_file():
        from redun.remotes.bundle import open_bundle

        storage, bundle = open_bundle(Path(place))
        files.enter_context(storage)
        return bundle
    if "/" in place or Path(place).is_dir():
        return open_remote(place, place, Path.cwd(), None)
    raise RemoteUnknown(place, known)
