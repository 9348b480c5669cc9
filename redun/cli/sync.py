"""What the commands that talk to remotes share: their options, and how they run and report.

The invariant: an execution that was asked for and not transferred makes the exit code 1, and is named.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from redun.cli import ui
from redun.cli.options import Globals, open_repository
from redun.cli.render.sync import report_json, report_line, skipped_lines
from redun.cli.selection import Selection, select_remote, selection_options
from redun.remotes.connect import connect
from redun.remotes.reach import NothingThere
from redun.remotes.settings import DEFAULT_REMOTE
from redun.remotes.transfer import OnProgress, TransferReport

if TYPE_CHECKING:
    from redun.remotes.remote import Remote

MANY_PACKS = 200
"""More at a remote are told of: a push that may delete there merges them long before."""
_Function = TypeVar("_Function", bound=Callable[..., Any])


def transfer_options(function: _Function) -> _Function:
    """Add the options that every transfer has."""
    for add in (
        click.option("-q", "--quiet", "is_quiet", is_flag=True, help="Print nothing but warnings and errors."),
        click.option("--json", "is_json", is_flag=True, help="Print a JSON record."),
        click.option("-n", "--dry-run", "is_dry_run", is_flag=True, help="Only tell what would be transferred."),
    ):
        function = add(function)
    return function


lazy_option = click.option(
    "--lazy",
    "is_lazy",
    is_flag=True,
    help="Leave large contents where they are; each is brought when it is needed.",
)

_RECEIVING_HELP = """{summary}

EXEC_ID is a prefix of an execution's id, or - for the newest there; without one, all are taken, or those that the
options below choose.  Every object is checked against its hash before anything of its pack is written, and nothing is
unpickled.

\b
redun {verb} origin --since 7d --tag project=maps"""


def receiving_command(verb: str, receive: Callable[..., TransferReport], summary: str) -> click.Command:
    """Make the command that gets executions from a remote in one of the ways there are: ``fetch`` or ``pull``."""

    @click.command(verb, help=_RECEIVING_HELP.format(summary=summary, verb=verb))
    @click.argument("remote", default=DEFAULT_REMOTE)
    @selection_options
    @click.option(
        "--if-exists", "may_be_absent", is_flag=True, help="Do nothing, without an error, when REMOTE is still empty."
    )
    @lazy_option
    @transfer_options
    @click.pass_obj
    def command(
        options: Globals,
        /,
        remote: str,
        *,
        may_be_absent: bool,
        is_lazy: bool,
        is_dry_run: bool,
        is_json: bool,
        is_quiet: bool,
        **chosen: Any,
    ) -> int:
        with open_repository(options, writable=True) as repository:
            source = connect(repository, remote)
            ids: list[str] | None = None

            def work(tell: OnProgress) -> TransferReport:
                nonlocal ids
                listed = source.look()
                ids = select_remote(source, Selection(**chosen), listed.executions)
                return receive(
                    repository, source, ids, listed=listed, is_lazy=is_lazy, is_dry_run=is_dry_run, on_progress=tell
                )

            try:
                return run_transfer(
                    verb,
                    work,
                    is_quiet=is_silent(options, is_quiet),
                    is_json=is_json,
                    line=lambda report: selected_line(report, verb, ids),
                    remote=source,
                )
            except NothingThere:
                if not may_be_absent:
                    raise
        if not is_silent(options, is_quiet):
            ui.echo("{}" if is_json else f"There is nothing at remote '{remote}' yet.")
        return 0

    return command


def selected_line(report: TransferReport, verb: str, selected: Sequence[str] | None) -> str:
    """Return the line for a transfer of some executions; None means of all."""
    if report.is_up_to_date and selected is not None and not selected:
        return "There is no execution that all of this holds for."
    return report_line(report, verb)


def run_transfer(
    verb: str,
    work: Callable[[OnProgress], TransferReport],
    *,
    is_quiet: bool,
    is_json: bool,
    line: Callable[[TransferReport], str] | None = None,
    remote: Remote | None = None,
) -> int:
    """Do a transfer and print what it did; return the exit code.

    Args:
        verb: "push", "fetch" or "pull".
        work: does it, telling its progress to what it is given.
        is_quiet: print nothing but warnings.
        is_json: print a record instead of a line.
        line: makes the line, where it is not the usual one.
        remote: the other side, to tell when it should be looked after.
    """
    with ui.progress(is_shown=not (is_quiet or is_json)) as on_progress:
        report = work(on_progress)
    for text in skipped_lines(report):
        ui.warn(text)
    n_packs = 0 if remote is None else len(remote.packs)  # 0 too where none had to be looked at
    n_packs -= max(0, report.merged_packs - 1)
    if remote is not None and n_packs > MANY_PACKS:
        ui.warn(
            f"remote '{remote.name}' has {n_packs} packs, and whoever reads it first reads a table of each: "
            f"`redun -r {remote.name} repack` merges them"
        )
    if is_json:
        counted = {} if remote is None else {"packs": n_packs}
        ui.echo(json.dumps({**report_json(report), **counted}, indent=2))
    elif not is_quiet:
        ui.echo(line(report) if line is not None else report_line(report, verb))
    return int(bool(report.skipped))


def is_silent(options: Globals, is_quiet: bool) -> bool:
    """Tell whether quiet was asked for, before the command's name or behind it."""
    return is_quiet or options.is_quiet


def file_bases(project: Path) -> tuple[Path, ...]:
    """Return where relative paths of files are looked up: the project directory and the working directory."""
    return tuple(dict.fromkeys((project, Path.cwd())))
