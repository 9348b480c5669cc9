"""`redun log [ID]`: what ran, what it read and wrote, and where results came from.

The invariant: nothing is unpickled, nothing is written, and one damaged object costs one warning.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import click

from redun.cli import ui
from redun.cli.options import Globals, open_repository
from redun.cli.render.log_items import LISTS, Item, explain
from redun.provenance.executions import JobState, RunStatus
from redun.provenance.resolve import Resolved, UnknownId, resolve
from redun.provenance.search import Filters, Scope
from redun.tags import BadTag, Tag, parse_tag_key_value

MAX_LISTED = 20
"""So many executions are listed without --all."""
MAX_SEARCHED = 100
"""So many of the newest executions are searched for jobs and files without --all."""


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked on the command line."""

    id: str | None
    lists: tuple[str, ...]
    filters: Filters
    is_all: bool
    is_detailed: bool
    is_count: bool


def _split(_ctx: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word.strip() for part in value for word in part.split(",") if word.strip())


def _check(kind: type[RunStatus | JobState]) -> Callable[..., tuple[str, ...]]:
    def check(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
        words = tuple(word.upper() for word in _split(ctx, parameter, value))
        allowed = [one.value for one in kind]
        for word in words:
            if word not in allowed:
                raise click.BadParameter(f"expected some of {', '.join(allowed)}; found {word!r}")
        return words

    return check


def _read_tags(_ctx: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> tuple[Tag, ...]:
    try:
        return tuple(parse_tag_key_value(text, value_required=False) for text in value)
    except BadTag as error:
        raise click.BadParameter(str(error)) from None


def _many(name: str, help: str, metavar: str, callback: Callable[..., Any] = _split) -> Callable[..., Any]:
    return click.option(name, multiple=True, metavar=metavar, callback=callback, help=help)


@click.command("log")
@click.argument("id", required=False)
@click.option("--all", "is_all", is_flag=True, help="Look at every execution, not only at the newest.")
@click.option("--exec", "exec", is_flag=True, help="List executions.")
@click.option("--job", "job", is_flag=True, help="List jobs.")
@click.option("--task", "task", is_flag=True, help="List tasks.")
@click.option("--file", "file", is_flag=True, help="List files read (r) and written (w).")
@_many("--exec-id", "Only executions whose ids begin so.", "ID,...")
@_many("--exec-status", "Only executions that stand so.", "STATUS,...", _check(RunStatus))
@_many("--job-status", "Only jobs that stand so.", "STATUS,...", _check(JobState))
@_many("--task-name", "Only tasks with such full names, and their jobs.", "PATTERN,...")
@_many("--file-path", "Only files with such paths.", "PATTERN,...")
@click.option("-t", "--tag", "tag", multiple=True, metavar="KEY[=VALUE]", callback=_read_tags,
              help="Only what has this tag; without a list, of any sort and of all executions.")  # fmt: skip
@_many("--exec-tag", "Only executions that have this tag.", "KEY[=VALUE]", _read_tags)
@click.option("--count", "is_count", is_flag=True, help="Print how many there are; looks at every execution.")
@click.option("--detail", "is_detailed", is_flag=True, help="Print all there is of each.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print.")
@click.option("--json", "is_json", is_flag=True, help="The same as --format json.")
@click.option("--no-pager", is_flag=True, help="Print straight to the terminal.")
@click.pass_obj
def command(options: Globals, /, form: str, is_json: bool, no_pager: bool, **given: Any) -> None:
    """Show what ran, what it read and wrote, and where results came from.

    ID is an execution, a job or any other object by a prefix of its id; - for the newest execution, ~2 for the one
    before; the name of a task; or the path of a file.  Without it, the recent executions are listed.
    """
    query = _read_query(**given)
    repository = open_repository(options)
    try:
        scope = Scope(repository.store, repository.refs, MAX_SEARCHED, repository.is_alive, ui.warn)
        _print(query, scope, is_json=is_json or form == "json", use_pager=not no_pager)
    except UnknownId as error:
        if repository.store.beyond is not None and not error.near:
            error.hint = "executions of alternates are listed over there: `redun -c ALTERNATE/.redun log`"
        raise
    finally:
        repository.close()


def _read_query(
    *, id: str | None, is_all: bool, is_count: bool, is_detailed: bool, exec_id: tuple[str, ...],
    exec_status: tuple[str, ...], job_status: tuple[str, ...], task_name: tuple[str, ...], file_path: tuple[str, ...],
    tag: tuple[Tag, ...], exec_tag: tuple[Tag, ...], **lists: bool,
) -> Query:  # fmt: skip
    """Tell which lists are wanted: those asked for, else the one that the filters speak of."""
    wanted = tuple(name for name in LISTS if lists.get(name))
    if not wanted and file_path:
        wanted = ("file",)
    elif not wanted and (job_status or task_name):
        wanted = ("job",)
    elif not wanted and tag:
        wanted = ("tagged",)
    elif not wanted and (id is None or is_count):
        wanted = ("exec",)
    filters = Filters(exec_id, exec_status, job_status, task_name, file_path, tag, exec_tag)
    return Query(id, wanted, filters, is_all or is_count, is_detailed, is_count)


def _print(query: Query, scope: Scope, *, is_json: bool, use_pager: bool) -> None:
    if query.is_all:
        scope = replace(scope, limit=None)
    items, is_list = _find_items(query, scope)
    if query.is_count:
        count = sum(1 for _ in items)
        ui.echo(json.dumps({"count": count}) if is_json else str(count))
    elif is_json:
        found = [item.record() for item in items]
        ui.echo(json.dumps(found if is_list or len(found) != 1 else found[0], indent=2))
    else:
        ui.page(_iter_lines(query, items), use_pager=use_pager)
    if is_list and not is_json:
        _tell_bound(query, scope)


def _find_items(query: Query, scope: Scope) -> tuple[Iterator[Item], bool]:
    """Return what to print, and whether it is a list."""
    if query.id is not None:
        resolved = resolve(query.id, scope.store, scope.refs, Path.cwd(), max_executions=scope.limit)
        if not query.lists:
            return explain(scope, resolved), False
        scope = _narrow(scope, resolved)
    bounded = scope if query.is_all else replace(scope, limit=MAX_LISTED)
    found = (
        LISTS[name](bounded if name == "exec" else scope, query.filters, is_detailed=query.is_detailed)
        for name in query.lists
    )
    return chain.from_iterable(found), True


def _narrow(scope: Scope, resolved: Resolved) -> Scope:
    """Search one execution only."""
    if not resolved.ref_name:
        raise click.UsageError(f"lists are of an execution: {resolved.text!r} is a {resolved.subject.value}")
    return replace(scope, names=(resolved.ref_name,))


def _iter_lines(query: Query, items: Iterator[Item]) -> Iterator[str]:
    """Yield the lines of all items, detailed ones with an empty line between."""
    is_plain = query.id is None and query.lists == ("exec",) and query.filters == Filters() and not query.is_detailed
    is_spaced = query.is_detailed or not query.lists
    count = 0
    for count, item in enumerate(items, start=1):
        if count == 1 and is_plain:
            yield from ("Recent executions:", "")
        if count > 1 and is_spaced:
            yield ""
        yield from item.lines()
    if not count and is_plain:
        ui.log("no executions yet; `redun run SCRIPT TASK` makes the first")


def _tell_bound(query: Query, scope: Scope) -> None:
    """Say when older executions were not looked at."""
    if query.is_all or scope.names is not None or query.lists[0] in {"task", "tagged"}:
        return
    bound = MAX_LISTED if query.lists == ("exec",) else MAX_SEARCHED
    total = sum(1 for _ in scope.refs.iter_names())
    if total > bound:
        ui.log(f"these are of the newest {bound} of {total} executions; --all looks at the rest")
