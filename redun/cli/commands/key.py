"""`redun key create`, `show` and `sign`: the key that vouches for what this repository records."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from redun.cli import ui
from redun.cli.options import Globals, find_config_dir, open_repository
from redun.cli.render.sync import plural
from redun.cli.selection import find_refs
from redun.config import Config
from redun.config_dir import CONFIG_FILE
from redun.errors import ConfigError
from redun.store.signing import Signer, create_key

DEFAULT_KEY = "~/.config/redun/signing.pem"
_PATH = click.Path(path_type=Path)


class NoKey(ConfigError):
    """No key is named, neither on the command line nor in the settings."""

    def __init__(self) -> None:
        super().__init__(
            "expected [signing] key in redun.ini, or the path of a key, found neither",
            hint="`redun key create` makes a key and tells what to write into redun.ini",
        )


@click.group("key")
def command() -> None:
    """Make a key, show its public half, and sign executions with it.

    With `[signing] key = PATH` in redun.ini each run signs what it records; with `require_signatures` a remote's
    executions are taken only when somebody signed them whom you name.
    """


@command.command("create")
@click.argument("path", type=_PATH, required=False)
@click.option("--json", "is_json", is_flag=True, help="Print a JSON record.")
def create(path: Path | None, is_json: bool) -> None:
    """Make a private key at PATH (default: ~/.config/redun/signing.pem), readable by you alone.

    Example: redun key create
    """
    written = str(path or DEFAULT_KEY)
    public = create_key(Path(written).expanduser()).hex()
    if is_json:
        ui.echo(json.dumps({"path": written, "public_key": public}, indent=2))
        return
    ui.echo(f"Public key: {public}")
    ui.echo("To sign what is recorded here, write into redun.ini:\n")
    ui.echo(f"[signing]\nkey = {written}")


@command.command("show")
@click.argument("path", type=_PATH, required=False)
@click.pass_obj
def show(options: Globals, /, path: Path | None) -> None:
    """Print the public key of the private key at PATH (default: the one that redun.ini names), and nothing else."""
    ui.echo(Signer(path or _configured(options)).public.hex())


@command.command("sign")
@click.argument("ids", metavar="[EXEC_ID]...", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Sign all executions of this repository.")
@click.pass_obj
def sign(options: Globals, /, ids: tuple[str, ...], is_all: bool) -> None:
    """Sign executions that were recorded before there was a key: you vouch for them from then on, whoever made them.

    EXEC_ID is a prefix of an execution's id, or `-`, the newest.
    """
    if bool(ids) == is_all:
        raise click.UsageError("expected either EXEC_ID or --all")
    with open_repository(options, writable=True) as repository:
        refs = repository.refs
        if refs.signer is None:
            raise NoKey
        names = find_refs(refs, ids)
        signed = [refs.sign(refs.read(name)) for name in (list(refs.iter_names()) if names is None else names)]
        written = [ref for ref in signed if ref.object is not None]
        for ref in written:
            refs.write(ref)
    ui.echo(f"Signed {plural(len(written), 'execution')}.")


def _configured(options: Globals) -> Path:
    config = Config()
    path = find_config_dir(options.config_dir, Path.cwd(), os.environ) / CONFIG_FILE
    if path.is_file():
        config.read_path(path)
    if config.signing_key is None:
        raise NoKey
    return config.signing_key
