"""From what a user types to what it names: an execution, a job, an object, a task or a file.

The order: ``-`` and ``~1``; prefixes of ids; names of tasks; paths of files.  Prefixes never pick one of several: an
ambiguous one is refused with the list of what it could be.  Job ids are not stored (they derive from the execution's),
so they are looked for in the newest executions, and the error says how many were searched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from itertools import islice
from pathlib import Path

from redun.errors import ObjectError, RefError
from redun.hashing import Oid
from redun.objects.ids import job_id, parse_id
from redun.objects.kinds import Kind
from redun.objects.oid import MIN_PREFIX_DIGITS, SHORT_DIGITS, is_prefix
from redun.objects.task_records import TaskRecord
from redun.provenance.executions import head_of, load_from_head
from redun.provenance.files import find_versions, iter_file_records
from redun.provenance.show import kind_name
from redun.provenance.values import view_value
from redun.store.base import ObjectStore
from redun.store.ref_names import execution_id_of
from redun.store.refs import Refs

MAX_EXECUTIONS = 100
"""A job id is looked for in so many of the newest executions."""
MAX_CANDIDATES = 20
MAX_NEAR_FILES = 2_000
"""Names are compared with so many files to tell what may have been meant: comparing costs 20 us each."""
_ID = re.compile(r"[0-9a-fA-F]{4,8}|[0-9a-fA-F]{8}-[0-9a-fA-F-]{0,27}")


class Subject(str, Enum):
    """What a text names."""

    EXECUTION = "execution"
    JOB = "job"
    OBJECT = "object"
    TASK = "task"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a text names; the fields that its subject has are set, the others empty."""

    subject: Subject
    text: str
    ref_name: str = ""  # EXECUTION, and the one of a JOB
    job_number: int = 0  # JOB
    oid: Oid | None = None  # OBJECT
    kind: int | None = None  # OBJECT
    oids: tuple[Oid, ...] = ()  # TASK: every task object of this name; FILE: every version
    name: str = ""  # TASK: full name; FILE: path


@dataclass(frozen=True, slots=True)
class Possible:
    """One of the things that an ambiguous prefix could mean."""

    id: str
    kind: str
    line: str


class AmbiguousId(RefError):
    """A prefix fits several ids."""

    def __init__(self, text: str, candidates: tuple[Possible, ...], *, is_all: bool) -> None:
        lines = "\n".join(f"  {one.id}  {one.kind:<9}  {one.line}".rstrip() for one in candidates)
        count = f"{len(candidates)}" if is_all else f"more than {len(candidates)}"
        super().__init__(f"{text} fits {count} ids:\n{lines}", hint="give more digits")
        self.text = text
        self.candidates = candidates


class UnknownId(RefError):
    """A text names nothing on record."""

    def __init__(self, text: str, *, searched: str = "", near: tuple[str, ...] = ()) -> None:
        message = f"nothing on record is called {text!r}"
        hint = f"did you mean {', '.join(near)}?" if near else "`redun log` lists what is on record"
        super().__init__(message + (f" ({searched})" if searched else ""), hint=hint)
        self.text = text
        self.near = near


def resolve(
    text: str, store: ObjectStore, refs: Refs, cwd: Path, *, max_executions: int | None = MAX_EXECUTIONS
) -> Resolved:
    """Tell what a text names.

    Args:
        text: ``-``, ``~1``, a prefix of an id (4 digits or more), a task's name, or a file's path.
        store: where the objects are.
        refs: the executions.
        cwd: what relative paths start at.
        max_executions: how many of the newest executions are searched for a job id; None for all.

    Raises:
        AmbiguousId: a prefix fits several ids.
        UnknownId: nothing fits.
    """
    if text == "-" or re.fullmatch(r"~\d+", text):
        return _resolve_recent(text, refs)
    found = _resolve_id(text, store, refs, max_executions) if _ID.fullmatch(text) or is_prefix(text) else None
    found = found or _resolve_name(text, store, cwd)
    if found is None:
        searched = _describe_search(text, refs, cwd, max_executions)
        raise UnknownId(text, searched=searched, near=_find_near(text, store))
    return found


def resolve_oid(prefix: str, store: ObjectStore) -> tuple[Oid, int]:
    """Return the one object whose oid begins with a prefix, and its kind.

    Raises:
        AmbiguousId: several do.
        UnknownId: none does, or the text cannot be a prefix.
    """
    found = store.find_prefix(prefix, MAX_CANDIDATES + 1) if is_prefix(prefix) else []
    if not found:
        raise UnknownId(prefix, searched=f"an object's hash is given by {MIN_PREFIX_DIGITS} to 64 hex digits")
    if len(found) > 1:
        _refuse(prefix, [_possible_object(store, oid, kind) for oid, kind in found])
    return found[0]


def _resolve_recent(text: str, refs: Refs) -> Resolved:
    """``-`` is the newest execution, ``~1`` too, ``~2`` the one before."""
    wanted = 1 if text == "-" else int(text[1:])
    for index, name in enumerate(refs.iter_names(), start=1):
        if index == wanted:
            return Resolved(Subject.EXECUTION, text, ref_name=name)
    raise UnknownId(text, searched="there are not so many executions" if wanted else "counting starts at ~1")


def _resolve_id(text: str, store: ObjectStore, refs: Refs, max_executions: int | None) -> Resolved | None:
    wanted = text.lower()
    found: list[tuple[Possible, Resolved]] = []
    for name in refs.find(wanted)[: MAX_CANDIDATES + 1]:
        resolved = Resolved(Subject.EXECUTION, text, ref_name=name)
        found.append((Possible(execution_id_of(name), "execution", name.partition("Z")[0]), resolved))
    for oid, kind in store.find_prefix(wanted, MAX_CANDIDATES + 1) if is_prefix(wanted) else []:
        resolved = Resolved(Subject.OBJECT, text, oid=oid, kind=kind)
        found.append((_possible_object(store, oid, kind), resolved))
    # Of 8 digits or more, an id is as good as unique; only when it is nothing else are all jobs' ids made.
    if not found or len(wanted) < SHORT_DIGITS:
        for job in _iter_jobs(wanted, store, refs, max_executions):
            found.append(job)
            if len(found) > MAX_CANDIDATES:
                break
    if len(found) > 1:
        _refuse(text, [possible for possible, _ in found])
    return found[0][1] if found else None


def _iter_jobs(
    wanted: str, store: ObjectStore, refs: Refs, max_executions: int | None
) -> Iterator[tuple[Possible, Resolved]]:
    plain = wanted.replace("-", "")
    for ref in refs.iter_refs(max_executions):
        try:
            execution = load_from_head(store, head_of(ref))
        except ObjectError:
            continue
        raw = parse_id(execution.id)
        for row in execution.rows:
            if job_id(raw, row.number).hex().startswith(plain):
                possible = Possible(execution.job_id(row.number), "job", f"{row.task} of execution {execution.id[:8]}")
                yield possible, Resolved(Subject.JOB, wanted, ref_name=ref.name, job_number=row.number)


def _resolve_name(text: str, store: ObjectStore, cwd: Path) -> Resolved | None:
    """A task's full name, else a file's path, else the last part of a task's name when only one task ends so."""
    tasks = _task_names(store)
    if text in tasks:
        return Resolved(Subject.TASK, text, oids=tuple(tasks[text]), name=text)
    if versions := find_versions(store, text, cwd):
        return Resolved(Subject.FILE, text, oids=tuple(versions), name=text)
    full = [name for name in tasks if name.rpartition(".")[2] == text]
    if len(full) > 1:
        _refuse(text, [Possible(name, "task", "") for name in sorted(full)])
    return Resolved(Subject.TASK, text, oids=tuple(tasks[full[0]]), name=full[0]) if full else None


def _task_names(store: ObjectStore) -> dict[str, list[Oid]]:
    """Return the task objects of each full name, the most recently sealed first."""
    names: dict[str, list[Oid]] = {}
    for oid, _ in store.iter_oids(Kind.TASK):
        try:
            record = TaskRecord.decode(store.get_node(oid))
        except ObjectError:
            continue
        names.setdefault(record.fullname, []).append(oid)
    return names


def _possible_object(store: ObjectStore, oid: Oid, kind: int) -> Possible:
    line = view_value(store, oid).text[:60] if kind in {Kind.VALUE, Kind.FILE, Kind.HANDLE} else ""
    return Possible(oid.hex()[:16], kind_name(kind), line)


def _refuse(text: str, candidates: list[Possible]) -> None:
    shown = tuple(candidates[:MAX_CANDIDATES])
    raise AmbiguousId(text, shown, is_all=len(candidates) <= MAX_CANDIDATES)


def _describe_search(text: str, refs: Refs, cwd: Path, max_executions: int | None) -> str:
    if (cwd / text).exists():
        return "the file exists, but no recorded job read or wrote it"
    if max_executions is None or not _ID.fullmatch(text):
        return ""
    total = sum(1 for _ in refs.iter_names())
    if total <= max_executions:
        return ""
    return f"job ids were looked for in the newest {max_executions} of {total} executions; --all searches the rest"


def _find_near(text: str, store: ObjectStore) -> tuple[str, ...]:
    """Return up to three names of tasks and paths of files that look like a text."""
    paths = {record.path for _, record in islice(iter_file_records(store), MAX_NEAR_FILES)}
    names = set(_task_names(store))
    shorts = {name.rpartition(".")[2] for name in names}
    return tuple(get_close_matches(text, sorted(names | shorts | paths), n=3))
