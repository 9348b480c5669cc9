"""`redun bundle create`, `apply` and `show`: executions in one file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from redun.cli import ui
from redun.cli.options import Globals, open_repository
from redun.cli.render.sync import format_size, plural, withheld_text
from redun.cli.render.text import one_line
from redun.cli.selection import Selection, select_own, selection_options
from redun.cli.sync import file_bases, is_silent, run_transfer, transfer_options
from redun.remotes.bundle import apply_bundle, create_bundle, open_bundle
from redun.remotes.connect import connect
from redun.remotes.remote import Remote
from redun.remotes.transfer import TransferReport
from redun.settings import TRUSTS
from redun.store.ref_names import execution_id_of
from redun.store.repository import Repository
from redun.store.signing import read_public_keys

_PATH = click.Path(path_type=Path)


@click.group("bundle")
def command() -> None:
    """Put executions into one file, and take them out of one.

    For caches of CI systems, artifacts and disks that are carried: whatever moves files moves results.
    """


@command.command("create")
@click.argument("file", type=_PATH)
@selection_options
@click.option(
    "--base",
    "bases",
    multiple=True,
    metavar="REMOTE|FILE",
    help="Leave out what a remote, or another bundle, has already.",
)
@transfer_options
@click.pass_obj
def create(
    options: Globals,
    /,
    file: Path,
    *,
    bases: tuple[str, ...],
    is_dry_run: bool,
    is_json: bool,
    is_quiet: bool,
    **chosen: Any,
) -> int:
    """Write ended executions, with all they consist of, into FILE.

    EXEC_ID is a prefix of an execution's id, or - for the newest; without one, all are written, or those that the
    options below choose.  A FILE that is there is replaced, once the new one is whole.
    """
    with open_repository(options, writable=True) as repository:
        names = select_own(repository, Selection(**chosen))

        def line(report: TransferReport) -> str:
            verb = "Would write" if report.is_dry_run else "Wrote"
            size = "" if report.is_dry_run else f", {format_size(file.stat().st_size)}"
            executions, objects = plural(report.executions, "execution"), plural(report.objects, "object")
            return f"{verb} {executions} into {one_line(str(file))}: {objects}{size}."

        opened = [_open_base(repository, base) for base in bases]
        return run_transfer(
            "push",
            lambda tell: create_bundle(
                repository,
                file,
                names,
                project_bases=file_bases(repository.path.parent),
                bases=opened,
                is_dry_run=is_dry_run,
                on_progress=tell,
            ),
            is_quiet=is_silent(options, is_quiet),
            is_json=is_json,
            line=line,
        )


@command.command("apply")
@click.argument("file", type=_PATH)
@click.argument("ids", metavar="[EXEC_ID]...", nargs=-1)
@click.option("--if-exists", "may_be_absent", is_flag=True, help="Do nothing, without an error, when there is no FILE.")
@click.option("--trust", type=click.Choice(TRUSTS), default="full", help="data: take nothing that runs code when read.")
@click.option(
    "--require-signature",
    "signers",
    multiple=True,
    metavar="KEY|FILE",
    help="Take what this key, or one in FILE, signed.",
)
@transfer_options
@click.pass_obj
def apply(
    options: Globals,
    /,
    file: Path,
    ids: tuple[str, ...],
    *,
    may_be_absent: bool,
    trust: str,
    signers: tuple[str, ...],
    is_dry_run: bool,
    is_json: bool,
    is_quiet: bool,
) -> int:
    """Take over the executions in FILE, as `redun pull` does from a remote.

    EXEC_ID is a prefix of an execution's id; without one, all are taken.  Every object is checked against its hash, and
    nothing is unpickled.
    """
    if may_be_absent and not file.exists():
        if not is_silent(options, is_quiet):
            ui.echo("{}" if is_json else f"There is no {one_line(str(file))}.")
        return 0
    with open_repository(options, writable=True) as repository:

        def line(report: TransferReport) -> str:
            name = one_line(str(file))
            if report.is_up_to_date:
                return f"All of {name} is here already."
            verb = "Would take" if report.is_dry_run else "Took"
            executions, objects = plural(report.executions, "execution"), plural(report.objects, "object")
            size = f": {objects}, {format_size(report.transferred_bytes)}{withheld_text(report)}"
            return f"{verb} {executions} out of {name}{'' if report.is_dry_run else size}."

        return run_transfer(
            "pull",
            lambda tell: apply_bundle(
                repository,
                file,
                ids or None,
                is_data_only=trust == "data",
                signers=read_public_keys(signers, Path) if signers else None,
                is_dry_run=is_dry_run,
                on_progress=tell,
            ),
            is_quiet=is_silent(options, is_quiet),
            is_json=is_json,
            line=line,
        )


@command.command("show")
@click.argument("file", type=_PATH)
@click.option("--json", "is_json", is_flag=True, help="Print a JSON record.")
def show(file: Path, is_json: bool) -> int:
    """List the executions in FILE."""
    storage, remote = open_bundle(file)
    with storage:
        refs = remote.read_refs(remote.look().executions)
    rows = [
        {"id": execution_id_of(name), "status": ref.status.value, "argv": ref.argv}
        for name, ref in sorted(refs.items())
    ]
    if is_json:
        ui.echo(json.dumps({"file": str(file), "bytes": file.stat().st_size, "executions": rows}, indent=2))
        return 0
    ui.echo(f"{one_line(str(file))}: {plural(len(rows), 'execution')}, {format_size(file.stat().st_size)}")
    for row in rows:
        ui.echo(f"  {str(row['id'])[:8]} {str(row['status']).upper()}  {one_line(' '.join(row['argv']))}")
    return 0


def _open_base(repository: Repository, base: str) -> Remote:
    path = Path(base)
    return open_bundle(path)[1] if path.is_file() else connect(repository, base)
