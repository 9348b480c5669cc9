"""`redun clone URL [DIR]`: a new repository with everything that another one has."""

from __future__ import annotations

from pathlib import Path

import click

from redun.cli.options import Globals
from redun.cli.render.sync import format_size, plural, promised_line, withheld_text
from redun.cli.sync import is_silent, lazy_option, run_transfer
from redun.remotes.clone import clone
from redun.remotes.transfer import TransferReport
from redun.remotes.urls import folder_name
from redun.settings import TRUSTS


@click.command("clone")
@click.argument("url")
@click.argument("folder", metavar="[DIR]", required=False)
@click.option("--trust", type=click.Choice(TRUSTS), default="full", help="data: take nothing that runs code when read.")
@lazy_option
@click.option("--json", "is_json", is_flag=True, help="Print a JSON record.")
@click.option("-q", "--quiet", "is_quiet", is_flag=True, help="Print nothing but warnings and errors.")
@click.pass_obj
def command(
    options: Globals, /, url: str, folder: str | None, *, trust: str, is_lazy: bool, is_json: bool, is_quiet: bool
) -> int:
    """Copy the repository at URL into DIR/.redun, and call URL its remote `origin`.

    DIR is a new folder, or one that has no .redun yet, such as a checkout of the project's source: `redun clone URL .`
    Without DIR, the folder is called as the last part of URL.
    """
    path = Path.cwd() / (folder or folder_name(url))

    def line(report: TransferReport) -> str:
        executions, objects = plural(report.executions, "execution"), plural(report.objects, "object")
        size = f"{format_size(report.transferred_bytes)}{withheld_text(report)}"
        return f"Cloned {url} into {path}: {executions}, {objects}, {size}. {promised_line(report)}".rstrip()

    return run_transfer(
        "pull",
        lambda tell: clone(url, path, trust=trust, is_lazy=is_lazy, on_progress=tell),
        is_quiet=is_silent(options, is_quiet),
        is_json=is_json,
        line=line,
    )
