"""`redun fsck`: is everything in the repository what its name says?"""

from __future__ import annotations

import json

import click

from redun.cli import ui
from redun.cli.options import Globals, open_repository
from redun.cli.render.fsck import fsck_json, fsck_lines
from redun.store.maintain.fsck import check_repository


@click.command("fsck")
@click.option("--quick", "is_quick", is_flag=True, help="Check files, sizes and checksums; read no object.")
@click.option("--repair", "repair", is_flag=True, help="Make each idx anew from its pack; remove half-written files.")
@click.option("--json", "is_json", is_flag=True, help="Print a JSON record.")
@click.pass_obj
def command(options: Globals, /, is_quick: bool, repair: bool, is_json: bool) -> int:
    """Check every file and object of the repository: hashes, encodings, links, refs.

    Exits with 0 when all is well and with 1 when something is damaged or missing and could not be repaired.
    """
    with open_repository(options, writable=repair) as repository:
        repository.forget_copies()
        report = check_repository(repository, level="quick" if is_quick else "full", repair=repair)
    if is_json:
        ui.echo(json.dumps(fsck_json(report), indent=2))
    else:
        ui.page(fsck_lines(report), use_pager=False)
    return 0 if report.is_clean else 1
