"""`redun remote`: which other repositories this one exchanges executions with."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from redun.cli import ui
from redun.cli.options import Globals, find_config_dir, open_repository
from redun.cli.render.remote import status_json, status_lines
from redun.cli.render.sync import plural
from redun.cli.render.text import one_line
from redun.cli.sync import file_bases
from redun.config_dir import CONFIG_FILE
from redun.errors import RemoteError
from redun.remotes.compare import compare
from redun.remotes.connect import connect
from redun.remotes.fetch import read_tracked
from redun.remotes.negotiate import is_transferable
from redun.remotes.settings import add_remote, get_remote, load_remotes, remove_remote, set_remote_url
from redun.settings import TRUSTS
from redun.store.format_file import NotARepository
from redun.store.location import is_local
from redun.store.repository import Repository


@click.group("remote", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List, add and remove remotes.  A remote is a repository at a path or URL; settings keep it in redun.ini."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command)


@command.command("add")
@click.argument("name")
@click.argument("url")
@click.option("--trust", type=click.Choice(TRUSTS), help="data: take nothing that runs code when it is read.")
@click.option("--namespace", help="Push to a place apart, which those who read URL do not see; pull from both.")
@click.option(
    "--require-signatures", metavar="KEYS", help="Refuse what none of these public keys, or files of them, signed."
)
@click.option("--auto-pull", is_flag=True, help="Have each run look results up there.")
@click.option("--auto-push", is_flag=True, help="Have each run push what came of it.")
@click.pass_obj
def add_command(options: Globals, /, name: str, url: str, **more: str | bool | None) -> None:
    """Add the remote NAME at URL: a path, or any URL that fsspec reaches.

    The place need not exist: the first push makes it.  Where there is no repository yet, one is made.

    Example: redun remote add --trust data community s3://bucket/results
    """
    folder = find_config_dir(options.config_dir, Path.cwd(), os.environ)
    if not folder.is_dir():
        Repository.init(folder).close()  # the first thing that is done in a fresh checkout, before a pull
    config_path = _find_settings(options)
    given = {key: "true" if value is True else value for key, value in more.items() if value}
    add_remote(config_path, name, _from_project(url, config_path), given)


@command.command("list")
@click.option("--json", "is_json", is_flag=True, help="Print JSON records.")
@click.pass_obj
def list_command(options: Globals, /, is_json: bool = False) -> None:
    """List the remotes and their URLs."""
    remotes = load_remotes(_find_settings(options)).values()
    if is_json:
        ui.echo(json.dumps([{"name": remote.name, "url": remote.url} for remote in remotes], indent=2))
        return
    width = max((len(remote.name) for remote in remotes), default=0)
    for remote in remotes:
        ui.echo(f"{remote.name:<{width}}  {one_line(remote.url)}")


@command.command("show")
@click.argument("name")
@click.option("--json", "is_json", is_flag=True, help="Print a JSON record.")
@click.pass_obj
def show_command(options: Globals, /, name: str, is_json: bool) -> int:
    """Show where the remote NAME is, and how it compares with this repository."""
    with open_repository(options) as repository:
        record, error = _compare(repository, name)
    if is_json:
        ui.echo(json.dumps(record, indent=2))
    else:
        for line in _show_lines(record):
            ui.echo(line)
    if error is not None:
        ui.error(str(error))
        return 1
    return 0


@command.command("status")
@click.argument("name", required=False)
@click.option("--json", "is_json", is_flag=True, help="Print a JSON record; without NAME, a list of them.")
@click.pass_obj
def status_command(options: Globals, /, name: str | None, is_json: bool) -> int:
    """Tell what a push to the remote NAME would send, and what a pull would bring.  Without NAME, of all remotes.

    What would come is known in executions; its bytes are told as the most that it can be.

    \b
    redun remote status            all remotes
    redun remote status origin     one of them
    """  # noqa: D301 - click takes the character \b, not two, as "leave this paragraph as it is"
    with open_repository(options) as repository:
        names = [name] if name is not None else list(load_remotes(repository.config_path))
        records, errors = [], []
        for one in names:
            try:
                remote = connect(repository, one)
                with ui.progress(is_shown=not (is_json or options.is_quiet)) as tell:
                    found = compare(repository, remote, bases=file_bases(repository.path.parent), on_progress=tell)
                records.append(status_json(found))
            except RemoteError as error:
                if name is not None and not is_json:
                    raise
                records.append({"name": one, "error": str(error)})
                errors.append(error)
    if is_json:
        ui.echo(json.dumps(records if name is None else records[0], indent=2))
    else:
        for record in records:
            for line in status_lines(record):
                ui.echo(line)
    for failure in errors:
        ui.error(str(failure))
    return int(bool(errors))


@command.command("remove")
@click.argument("name")
@click.pass_obj
def remove_command(options: Globals, /, name: str) -> None:
    """Forget the remote NAME.  Nothing is deleted there, and what was fetched stays here."""
    remove_remote(_find_settings(options), name)


@command.command("set-url")
@click.argument("name")
@click.argument("url")
@click.pass_obj
def set_url_command(options: Globals, /, name: str, url: str) -> None:
    """Give the remote NAME another URL."""
    config_path = _find_settings(options)
    set_remote_url(config_path, name, _from_project(url, config_path))


def _find_settings(options: Globals) -> Path:
    folder = find_config_dir(options.config_dir, Path.cwd(), os.environ)
    if not folder.is_dir():
        raise NotARepository(str(folder))
    return folder / CONFIG_FILE


def _from_project(url: str, config_path: Path) -> str:
    """Return a relative path as seen from the project directory, wherever it was typed."""
    if not is_local(url) or "://" in url or url.startswith(("~", "/")):
        return url
    return os.path.relpath(Path.cwd() / url, config_path.parent.parent)


def _compare(repository: Repository, name: str) -> tuple[dict[str, Any], RemoteError | None]:
    """Return what there is to tell about a remote, and why it could not be asked."""
    own = {ref.name for ref in repository.refs.iter_refs() if is_transferable(ref)}
    settings = get_remote(repository.config_path, name)
    record: dict[str, Any] = {
        "name": name,
        "url": settings.url,
        "trust": settings.trust,
        "namespace": settings.namespace,
        "require_signatures": list(settings.require_signatures),
        "fetched": len(read_tracked(repository, name)),
    }
    try:
        remote = connect(repository, name)
        record["location"] = remote.location
        there = set(remote.look().executions)
    except RemoteError as error:
        return record, error
    record |= {"executions": len(there), "only_here": len(own - there), "only_there": len(there - own)}
    return record, None


def _show_lines(record: dict[str, Any]) -> list[str]:
    lines = [record["name"], f"  url         {one_line(record['url'])}"]
    if "location" in record:
        lines.append(f"  location    {one_line(record['location'])}")
    if record["trust"] != "full":
        lines.append(f"  trust       {record['trust']}")
    if record["require_signatures"]:
        lines.append(f"  signed by   {one_line(' '.join(record['require_signatures']))}")
    if "executions" in record:
        lines.append(f"  there       {plural(record['executions'], 'execution')}")
        lines.append(f"  only here   {record['only_here']}")
        lines.append(f"  only there  {record['only_there']}")
    return [*lines, f"  last seen   {plural(record['fetched'], 'execution')}"]
