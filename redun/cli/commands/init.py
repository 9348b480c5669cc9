"""`redun init [DIR]`: make a repository."""

from __future__ import annotations

import os
from pathlib import Path

import click

from redun.cli import ui
from redun.cli.options import Globals, find_config_dir, find_place
from redun.config_dir import CONFIG_FOLDER, CONFIG_VARIABLE
from redun.store.repository import Repository


@click.command("init")
@click.argument("folder", metavar="[DIR]", required=False)
@click.pass_obj
def command(options: Globals, /, folder: str | None) -> None:
    """Make a repository in DIR/.redun (default: the working directory), or what is missing of one."""
    if folder is not None:
        path = Path.cwd() / folder / CONFIG_FOLDER
    elif options.config_dir is not None or os.environ.get(CONFIG_VARIABLE):
        path = find_config_dir(options.config_dir, Path.cwd(), os.environ, is_init=True)
    else:
        path = Path.cwd() / CONFIG_FOLDER  # not one above: whoever types `init` means here
    with Repository.init(path, settings=find_place(options, path)) as repository:
        where = repository.location if repository.is_shared else repository.path
        ui.echo(f"Initialized redun repository: {where}")
