"""`redun help [COMMAND]`: the usage of redun, or of one command."""

from __future__ import annotations

import click

from redun.cli import ui


@click.command("help", help="Explain redun, or one command.")
@click.argument("words", metavar="[COMMAND]", nargs=-1)
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Walk down the groups that the words name, and print the help of the last."""
    here = ctx.find_root()
    for word in words:
        group = here.command
        found = group.get_command(here, word) if isinstance(group, click.Group) else None
        if found is None:
            ctx.fail(f"no such command: {' '.join(words)!r}")
        here = click.Context(found, info_name=word, parent=here)
    ui.echo(here.get_help())
