"""`redun push [REMOTE] [EXEC_ID...]`: give a remote the executions that it lacks."""

from __future__ import annotations

from typing import Any

import click

from redun.cli import ui
from redun.cli.options import Globals, open_repository
from redun.cli.selection import Selection, select_own, selection_options
from redun.cli.sync import file_bases, is_silent, run_transfer, selected_line, transfer_options
from redun.remotes.connect import connect
from redun.remotes.push import push
from redun.remotes.settings import DEFAULT_REMOTE
from redun.remotes.transfer import OnProgress, TransferReport
from redun.upkeep import with_repack


@click.command("push")
@click.argument("remote", default=DEFAULT_REMOTE)
@selection_options
@transfer_options
@click.pass_obj
def command(options: Globals, /, remote: str, *, is_dry_run: bool, is_json: bool, is_quiet: bool, **chosen: Any) -> int:
    """Send ended executions, with all they consist of, to REMOTE (default: origin).

    EXEC_ID is a prefix of an execution's id, or - for the newest; without one, all are sent, or those that the options
    below choose.  What the remote has already is not sent again.  Contents of files go along when the repository keeps
    them, or when the file itself still has them.  When many small packs have gathered at the remote, they are merged.

    \b
    redun push                                          everything, to origin
    redun push backup --since 2h                        what started in the last two hours
    redun push origin --tag project=maps --dry-run      only tell what would go
    """  # noqa: D301 - click takes the character \b, not two, as "leave this paragraph as it is"
    with open_repository(options, writable=True) as repository:
        names = select_own(repository, Selection(**chosen))
        target = connect(repository, remote)
        bases = file_bases(repository.path.parent)

        def work(tell: OnProgress) -> TransferReport:
            report = push(repository, target, names, bases=bases, is_dry_run=is_dry_run, on_progress=tell)
            return report if is_dry_run else with_repack(repository, target, report, ui.warn, tell)

        return run_transfer(
            "push",
            work,
            is_quiet=is_silent(options, is_quiet),
            is_json=is_json,
            line=lambda report: selected_line(report, "push", names),
            remote=target,
        )
