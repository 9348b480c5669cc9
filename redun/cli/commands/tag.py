"""`redun tag`: which tags there are, who has them, and edits of them.

The invariant: an edit is told line by line as it was made, and one that changes nothing writes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from redun.cli import ui
from redun.cli.options import Globals, open_repository
from redun.cli.render.log_items import list_tagged
from redun.cli.render.tags import count_lines, edit_line, edits_json, show_values
from redun.errors import StoreError
from redun.hashing import Oid
from redun.objects.execution_records import RunSubject, TagRecord
from redun.objects.ids import parse_id
from redun.provenance.resolve import Resolved, Subject, resolve
from redun.provenance.search import Filters, Scope
from redun.provenance.tag_edits import Known, plan_add, plan_remove, plan_update
from redun.provenance.tags import TagBook
from redun.store.maintain.repack import consolidate
from redun.store.ref_names import execution_id_of
from redun.store.repository import Repository
from redun.store.tagging import write_tag_edit
from redun.tags import ANY_VALUE, BadTag, Tag, parse_tag_key_value

Plan = Callable[["Oid | RunSubject", Known, Iterable[Tag]], list[TagRecord]]
_IDS = "redun.tag.ids"


class _EditCommand(click.Command):
    """A command whose words before ``--`` are ids, where there is a ``--``: click itself drops it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            ctx.meta[_IDS] = sum(not word.startswith("-") or word == "-" for word in args[: args.index("--")])
        return super().parse_args(ctx, args)


@click.group("tag")
def command() -> None:
    """List, add and remove tags: notes KEY=VALUE on executions, jobs, tasks, calls, values and files.

    A VALUE is JSON, or a bare text; an empty one is null.
    """


@command.command("list")
@click.argument("wanted", metavar="[KEY[=VALUE]]...", nargs=-1)
@click.option(
    "--values", "is_values", is_flag=True, help="Count each value of the keys; of all keys when none is given."
)
@click.option("--json", "is_json", is_flag=True, help="Print a JSON record.")
@click.option("--no-pager", is_flag=True, help="Print straight to the terminal.")
@click.pass_obj
def list_command(options: Globals, /, wanted: tuple[str, ...], is_values: bool, is_json: bool, no_pager: bool) -> None:
    """Count the keys of all tags; with KEY or KEY=VALUE, list what has all of these."""
    tags = [_parse(text, value_required=False) for text in wanted]
    repository = open_repository(options)
    try:
        scope = Scope(repository.store, repository.refs, None, repository.is_alive, ui.warn)
        if tags and not is_values:
            items = list_tagged(scope, Filters(tags=tuple(tags)), is_detailed=False)
            if is_json:
                ui.echo(json.dumps([item.record() for item in items], indent=2))
            else:
                ui.page((line for item in items for line in item.lines()), use_pager=not no_pager)
            return
        counts = _count(scope.tags, tags, is_values=is_values)
        if is_json:
            ui.echo(json.dumps(counts, indent=2))
        else:
            ui.page(count_lines(counts), use_pager=not no_pager)
    finally:
        repository.close()


def _count(book: TagBook, tags: list[Tag], *, is_values: bool) -> dict[str, Any]:
    if not is_values:
        return {key: dict(counts) for key, counts in book.count_keys().items()}
    if any(value is not ANY_VALUE for _, value in tags):
        raise click.UsageError("--values counts the values of a key: give keys alone")
    return dict(show_values(book.count_values([key for key, _ in tags])))


def _edit_command(name: str, verb: str, plan: Plan, *, value_required: bool, help: str) -> None:
    """Make one of the three commands that edit tags."""

    @command.command(name, cls=_EditCommand, help=help)
    @click.argument(
        "words", metavar="ID... [--] KEY=VALUE..." if value_required else "ID... [--] KEY[=VALUE]...", nargs=-1
    )
    @click.option("--json", "is_json", is_flag=True, help="Print a JSON record.")
    @click.pass_context
    def edit(ctx: click.Context, /, words: tuple[str, ...], is_json: bool) -> None:
        ids, tags = _split(words, ctx.meta.get(_IDS), value_required=value_required)
        repository = open_repository(ctx.obj, writable=True)
        try:
            done = list(_edit(repository, ids, tags, plan))
        finally:
            repository.close()
        if is_json:
            ui.echo(json.dumps(edits_json(verb, done), indent=2))
            return
        for type_name, id, record in done:
            ui.echo(edit_line(verb, type_name, id, record))
        if not done:
            ui.log(f"nothing to {verb}: the tags stand so already")


def _split(words: tuple[str, ...], n_ids: int | None, *, value_required: bool) -> tuple[list[str], list[Tag]]:
    """Return ids and tags: those before and after ``--``, or those without and with ``=``."""
    if n_ids is None:
        ids = [word for word in words if "=" not in word]
        texts = [word for word in words if "=" in word]
    else:
        ids, texts = list(words[:n_ids]), list(words[n_ids:])
    if not ids or not texts:
        what = "an ID" if not ids else "a tag KEY=VALUE"
        hint = "" if value_required or texts else "; a KEY alone stands behind --"
        raise click.UsageError(f"expected IDs and tags, found no {what.partition(' ')[2]}{hint}")
    return ids, [_parse(text, value_required=value_required) for text in texts]


def _parse(text: str, *, value_required: bool) -> Tag:
    try:
        return parse_tag_key_value(text, value_required)
    except BadTag as error:
        raise click.UsageError(f"{error}{'; ' if error.hint else ''}{error.hint}") from None


def _edit(repository: Repository, ids: list[str], tags: list[Tag], plan: Plan) -> Iterator[tuple[str, str, TagRecord]]:
    """Make an edit, and yield what was put: the subject's type and short id, and the tag."""
    book = TagBook(repository.store, repository.refs)
    resolved = [resolve(id, repository.store, repository.refs, Path.cwd(), max_executions=None) for id in ids]
    subjects = dict.fromkeys(_subject_of(one) for one in resolved)
    records = [record for subject in subjects for record in plan(subject, book.records_of(subject), tags)]
    if write_tag_edit(repository, records) is not None:
        with suppress(OSError, StoreError):  # published already; a later run or edit will merge the small packs
            consolidate(repository.store)
    for record in records:
        yield book.type_of(record.subject), book.short_id(record.subject), record


def _subject_of(resolved: Resolved) -> Oid | RunSubject:
    """Return what a tag is about: of a task or file the newest version.

    Raises:
        UsageError: an object of this kind has no tags.
    """
    if resolved.ref_name:
        return RunSubject(parse_id(execution_id_of(resolved.ref_name)), resolved.job_number)
    if resolved.subject is Subject.OBJECT:
        assert resolved.oid is not None, "an object has an oid"
        if resolved.kind not in TagBook.KINDS:
            raise click.UsageError(f"expected an execution, job, task, call, value or file: {resolved.text!r} is none")
        return resolved.oid
    return resolved.oids[0]


_edit_command(
    "add", "add", plan_add, value_required=True,
    help="Add tags; those that are there stay, also those of the same key.",
)  # fmt: skip
_edit_command(
    "update", "update", plan_update, value_required=True,
    help="Give keys new values, in place of whatever values they have.",
)  # fmt: skip
_edit_command(
    "rm", "remove", plan_remove, value_required=False,
    help="Remove tags: KEY=VALUE one, KEY (behind --) all of the key.",
)  # fmt: skip
