"""`redun show HASH`: one object of the store, taken apart.

The invariant: nothing is unpickled; `--raw` writes the bytes that the hash is of, and nothing else.
"""

from __future__ import annotations

import json

import click

from redun.cli import ui
from redun.cli.options import Globals, open_repository
from redun.cli.render.show import object_json, object_lines
from redun.objects.oid import is_prefix
from redun.provenance.resolve import UnknownId, resolve_oid
from redun.provenance.show import iter_raw, show_object
from redun.provenance.tags import TagBook
from redun.remotes.lazy import serve_promises
from redun.store.absent import ObjectAbsent


@click.command("show")
@click.argument("prefix", metavar="HASH")
@click.option("--json", "is_json", is_flag=True, help="Print a JSON record.")
@click.option("--raw", "is_raw", is_flag=True, help="Write the object's bytes: a content, or a node's encoding.")
@click.option("--no-pager", is_flag=True, help="Print straight to the terminal.")
@click.pass_obj
def command(options: Globals, /, prefix: str, is_json: bool, is_raw: bool, no_pager: bool) -> None:
    """Show one object of the store: its kind, its fields, and what it links to.

    HASH is a prefix of the object's hash, 4 digits or more.
    """
    repository = open_repository(options)
    try:
        try:
            oid, kind = resolve_oid(prefix, repository.store)
        except UnknownId:
            absences = repository.store.packs.notes.find_absences(prefix) if is_prefix(prefix) else []
            if len(absences) != 1:
                raise
            raise ObjectAbsent(absences[0]) from None
        if is_raw:
            serve_promises(repository)
            for piece in iter_raw(repository.store, oid):
                ui.echo_bytes(piece)
            return
        view = show_object(repository.store, oid)
        tags = TagBook(repository.store, repository.refs).of_object(oid) if kind in TagBook.KINDS else ()
        if is_json:
            ui.echo(json.dumps(object_json(view, tags), indent=2))
        else:
            ui.page(object_lines(view, tags), use_pager=not no_pager)
    finally:
        repository.close()
