"""`redun fetch [REMOTE] [EXEC_ID...]`: get objects from a remote, and remember what it has."""

from __future__ import annotations

import click

from redun.cli.options import Globals, open_repository
from redun.cli.sync import is_silent, run_transfer, transfer_options
from redun.remotes.fetch import fetch
from redun.remotes.remote import connect
from redun.remotes.settings import DEFAULT_REMOTE


@click.command("fetch")
@click.argument("remote", default=DEFAULT_REMOTE)
@click.argument("ids", metavar="[EXEC_ID]...", nargs=-1)
@transfer_options
@click.pass_obj
def command(
    options: Globals, /, remote: str, ids: tuple[str, ...], is_dry_run: bool, is_json: bool, is_quiet: bool
) -> int:
    """Get what REMOTE (default: origin) has, and remember it apart from the executions of this repository.

    EXEC_ID is a prefix of an execution's id; without one, all are taken.  Every object is checked against its hash
    before anything of its pack is written, and nothing is unpickled.
    """
    with open_repository(options, writable=True) as repository:
        source = connect(repository, remote)
        return run_transfer(
            "fetch",
            lambda tell: fetch(repository, source, ids or None, is_dry_run=is_dry_run, on_progress=tell),
            is_quiet=is_silent(options, is_quiet),
            is_json=is_json,
        )
