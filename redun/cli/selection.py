"""Which executions a transfer is about: by id, by when they started, by their tags; all, when nothing is said.

The invariant: an execution is taken when everything that was said holds for it, and an id that names none is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple, TypeVar

import click

from redun.errors import ObjectError, RefError
from redun.objects.codec import decode_node
from redun.objects.execution_records import RunSubject, TagRecord
from redun.objects.ids import format_id
from redun.objects.kinds import Kind
from redun.provenance.executions import head_of
from redun.provenance.tags import Records, TagBook, has_tags, view_current
from redun.remotes.fetch import matches
from redun.remotes.ranges import read_objects
from redun.remotes.remote import Remote
from redun.store.ref_names import execution_id_of, ref_name
from redun.store.refs import Refs
from redun.store.repository import Repository
from redun.tags import BadTag, Tag, parse_tag_key_value

_Function = TypeVar("_Function", bound=Callable[..., Any])
_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_NO_ID = "00000000-0000-0000-0000-000000000000"
_MAX_CANDIDATES = 10
NEWEST = "-"


class NoSuchExecution(RefError):
    """No execution has an id that begins so."""

    def __init__(self, prefix: str, remote: str | None = None) -> None:
        at = "" if remote is None else f" at remote {remote!r}"
        why = (
            f"there is no execution yet{at}"
            if prefix == "-"
            else f"no execution{at} has an id that begins with {prefix!r}"
        )
        super().__init__(why, hint="`redun log` lists executions" if remote is None else "")
        self.prefix = prefix


class AmbiguousExecution(RefError):
    """Several executions have ids that begin so."""

    def __init__(self, prefix: str, candidates: list[str]) -> None:
        shown = ", ".join(candidates[:_MAX_CANDIDATES])
        super().__init__(f"{len(candidates)} executions have ids that begin with {prefix!r}: {shown}")
        self.prefix = prefix


class Selection(NamedTuple):
    """What was said on the command line."""

    ids: tuple[str, ...]
    since_us: int | None  # microseconds since 1970 UTC
    tags: tuple[Tag, ...]

    @property
    def is_all(self) -> bool:
        """Whether nothing was said."""
        return not (self.ids or self.tags) and self.since_us is None


class _When(click.ParamType[int]):
    """A moment: a date, a date and time (of this machine's zone, unless it says another), or an age."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return parse_when(str(value), datetime.now().astimezone())
        except ValueError as error:
            self.fail(str(error), param, ctx)


def parse_when(text: str, now: datetime) -> int:
    """Return a moment in microseconds since 1970 UTC.

    Args:
        text: ``2026-05-01``, ``2026-05-01T12:30``, with ``Z`` or an offset behind it, or an age as ``90m``, ``2h``.
        now: what ages are counted from; a time without a zone is of its zone.

    Raises:
        ValueError: it is none of these.
    """
    age = _AGE.fullmatch(text)
    if age is not None:
        return int((now.timestamp() - float(age[1]) * _UNIT_SECONDS[age[2]]) * 1e6)
    try:
        moment = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
        return int((moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)).timestamp() * 1e6)
    except (ValueError, OverflowError):
        raise ValueError(f"expected a date, a time or an age, such as 2026-05-01 or 3d; found {text!r}") from None


def _read_tags(_ctx: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> tuple[Tag, ...]:
    try:
        return tuple(parse_tag_key_value(text, value_required=False) for text in value)
    except BadTag as error:
        raise click.BadParameter(str(error)) from None


def selection_options(function: _Function) -> _Function:
    """Add the argument and the options that say which executions."""
    for add in (
        click.option(
            "-t", "--tag", "tags", multiple=True, metavar="KEY[=VALUE]", callback=_read_tags,
            help="Only executions that have this tag.",
        ),
        click.option(
            "--since", "since_us", type=_When(), metavar="WHEN",
            help="Only executions that started since: a date, a time, or an age as 2h or 3d.",
        ),
        click.argument("ids", metavar="[EXEC_ID]...", nargs=-1),
    ):  # fmt: skip
        function = add(function)
    return function


def find_refs(refs: Refs, prefixes: Sequence[str]) -> list[str] | None:
    """Return the refs that ids name (``-`` is the newest); None when no id is given, which means all.

    Raises:
        NoSuchExecution: an id names none.
        AmbiguousExecution: an id names several.
    """
    if not prefixes:
        return None
    found: list[str] = []
    for prefix in prefixes:
        names = next(([name] for name in refs.iter_names()), []) if prefix == NEWEST else refs.find(prefix)
        if not names:
            raise NoSuchExecution(prefix)
        if len(names) > 1:
            raise AmbiguousExecution(prefix, [execution_id_of(name) for name in names])
        found += names
    return list(dict.fromkeys(found))


def select_own(repository: Repository, selection: Selection) -> list[str] | None:
    """Return the refs of this repository's executions that are meant; None for all.

    Raises:
        NoSuchExecution, AmbiguousExecution: an id names none, or several.
    """
    names = find_refs(repository.refs, selection.ids)
    if selection.is_all:
        return None
    kept = _since(repository.refs.iter_names() if names is None else names, selection.since_us)
    if not selection.tags:
        return kept
    book = TagBook(repository.store, repository.refs)
    return [name for name in kept if has_tags(book.of_execution(head_of(repository.refs.read(name))), selection.tags)]


def select_remote(remote: Remote, selection: Selection, names: Sequence[str]) -> list[str] | None:
    """Return the uuids of the executions at a remote that are meant, of the refs that it lists; None for all.

    Raises:
        NoSuchExecution: an id names none.
        RemoteError: the remote cannot be read.
    """
    if selection.is_all:
        return None
    found = [_find_listed(remote, prefix, names) for prefix in selection.ids] or [list(names)]
    kept = _since(dict.fromkeys(chain.from_iterable(found)), selection.since_us)
    ids = [execution_id_of(name) for name in kept]
    if not (selection.tags and ids):
        return ids
    records = _read_remote_tags(remote)
    return [one for one in ids if has_tags(view_current(records.get(one, {})), selection.tags)]


def _find_listed(remote: Remote, prefix: str, names: Sequence[str]) -> list[str]:
    found = sorted(names)[-1:] if prefix == NEWEST else [name for name in names if matches(name, [prefix])]
    if not found:
        raise NoSuchExecution(prefix, remote.name)
    return found


def _since(names: Iterable[str], since_us: int | None) -> list[str]:
    # A ref's name begins with the time when its execution started.
    first = "" if since_us is None else ref_name(since_us, _NO_ID)
    return [name for name in names if name >= first]


def _read_remote_tags(remote: Remote) -> dict[str, Records]:
    """Return all tags of each execution at a remote, by its uuid: those of its run and those put later."""
    remote.load_packs()
    wanted = {pack: idx.ordinals_of(Kind.TAG) for pack, idx in remote.packs.items()}
    found: dict[str, Records] = {}
    for oid, _, data in read_objects(remote, wanted):
        try:
            record = TagRecord.decode(decode_node(data))
        except ObjectError as error:
            raise remote.damaged(str(error)) from error
        if isinstance(record.subject, RunSubject) and not record.subject.job_number:
            found.setdefault(format_id(record.subject.execution_id), {})[oid] = record
    return found
