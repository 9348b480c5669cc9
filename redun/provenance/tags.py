"""Tags as people ask for them: which ones a subject has now, how many there are of each, and who has one.

The invariant: what is *current* follows from the set of tags alone, whatever order they came in: docs/format/tag.md.
The tags of an execution and of its jobs are found through its node and through the edits made later, at a cost that
follows these; those of other objects may stem from any run, so all tags on record are read, once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple, Union

from redun.errors import ObjectError, RefError
from redun.hashing import Oid
from redun.objects.execution_records import ExecutionRecord, RunSubject, TagRecord
from redun.objects.ids import format_id, job_id, parse_id
from redun.objects.kinds import Kind
from redun.objects.oid import SHORT_DIGITS, short
from redun.provenance.executions import MAX_FOREIGN_BATCHES, ExecutionHead, ExecutionView
from redun.store.base import ObjectStore
from redun.store.ref_names import execution_id_of
from redun.store.refs import Refs
from redun.tags import ANY_VALUE, Tag, encode_tag_value

TagSubject = Union[Oid, RunSubject]
"""What a tag is about: an object, an execution or a job."""
Records = dict[Oid, TagRecord]
"""All tags of one subject, replaced and deleted ones too."""

_OBJECT_TYPES: dict[int, str] = {Kind.TASK: "Task", Kind.CALL: "CallNode", Kind.VALUE: "Value", Kind.FILE: "File"}


class TagView(NamedTuple):
    """One current tag."""

    key: str
    value: Any


class Tagged(NamedTuple):
    """A subject and its current tags."""

    subject: TagSubject
    tags: tuple[TagView, ...]


def find_current(records: Mapping[Oid, TagRecord]) -> Records:
    """Return those tags of one subject that are neither replaced nor deleted."""
    replaced = {parent for record in records.values() for parent in record.parents}
    return {oid: record for oid, record in records.items() if oid not in replaced and not record.is_deleted}


def view_current(records: Mapping[Oid, TagRecord]) -> tuple[TagView, ...]:
    """Return the current tags of one subject, each key and value once, by key; one that is no JSON is left out."""
    pairs = sorted({(record.key, record.value) for record in find_current(records).values()})
    views: list[TagView] = []
    for key, text in pairs:
        try:
            views.append(TagView(key, json.loads(text)))
        except (ValueError, RecursionError):
            continue
    return tuple(views)


def has_tags(tags: Iterable[TagView], wanted: Iterable[Tag]) -> bool:
    """Tell whether every wanted tag is there; ``ANY_VALUE`` fits whatever value its key has."""
    there = {(key, encode_tag_value(value)) for key, value in tags}
    keys = {key for key, _ in there}
    return all(key in keys if value is ANY_VALUE else (key, encode_tag_value(value)) in there for key, value in wanted)


class TagBook:
    """The tags of one repository, as far as they were asked for; what was read once is not read again."""

    KINDS = frozenset(_OBJECT_TYPES)
    """Kinds of object that can have tags."""

    def __init__(self, store: ObjectStore, refs: Refs) -> None:
        self._store = store
        self._refs = refs
        self._edits: dict[TagSubject, Records] | None = None
        self._all: dict[TagSubject, Records] | None = None
        self._of_jobs: tuple[str, dict[TagSubject, Records]] = ("", {})

    def of_execution(self, head: ExecutionHead) -> tuple[TagView, ...]:
        """Return the current tags of an execution."""
        return view_current(self._records_of_head(head))

    def of_job(self, execution: ExecutionView, number: int) -> tuple[TagView, ...]:
        """Return the current tags of a job."""
        subject = RunSubject(parse_id(execution.id), number)
        return view_current(self._join(self._run_records(execution).get(subject, {}), subject))

    def of_object(self, oid: Oid) -> tuple[TagView, ...]:
        """Return the current tags of a task, call, value or file."""
        return view_current(self.records_of(oid))

    def records_of(self, subject: TagSubject) -> Records:
        """Return all tags on record of a subject, wherever they stem from."""
        if self._all is None:
            self._all = _group(self._read_all(oid for oid, _ in self._store.iter_oids(Kind.TAG)))
        return self._all.get(subject, {})

    def iter_tagged(self) -> Iterator[Tagged]:
        """Yield every subject that has tags: executions and their jobs, the newest first, then objects by oid.

        Executions that are not this repository's own, and their jobs, are passed over.
        """
        self.records_of(RunSubject(b"", 0))
        found = self._all or {}
        runs = {parse_id(execution_id_of(name)): at for at, name in enumerate(self._refs.iter_names())}
        known = [subject for subject in found if not isinstance(subject, RunSubject) or subject.execution_id in runs]

        def order(subject: TagSubject) -> tuple[bool, int, int, bytes]:
            if isinstance(subject, RunSubject):
                return False, runs[subject.execution_id], subject.job_number, b""
            return True, 0, 0, subject

        for subject in sorted(known, key=order):
            tags = view_current(found[subject])
            if tags:
                yield Tagged(subject, tags)

    def type_of(self, subject: TagSubject) -> str:
        """Return what a subject is called: ``Execution``, ``Job``, ``Task``, ``CallNode``, ``Value``, ``File``."""
        if isinstance(subject, RunSubject):
            return "Job" if subject.job_number else "Execution"
        return _OBJECT_TYPES.get(self._store.kind_of(subject) or 0, "Object")

    @staticmethod
    def short_id(subject: TagSubject) -> str:
        """Return the first digits of what a subject is called by: of a uuid or an oid."""
        if not isinstance(subject, RunSubject):
            return short(subject)
        execution_id, number = subject
        return format_id(job_id(execution_id, number) if number else execution_id)[:SHORT_DIGITS]

    def count_keys(self) -> dict[str, dict[str, int]]:
        """Return for each key, in order, how many subjects of each type have it."""
        return self._count((tagged.subject, {tag.key for tag in tagged.tags}) for tagged in self.iter_tagged())

    def count_values(self, keys: Iterable[str] = ()) -> dict[tuple[str, str], dict[str, int]]:
        """Return for each (key, canonical JSON of a value), in order, how many subjects of each type have it.

        Args:
            keys: only these; all when empty.
        """
        wanted = frozenset(keys)
        return self._count(
            (
                tagged.subject,
                {(tag.key, encode_tag_value(tag.value)) for tag in tagged.tags if not wanted or tag.key in wanted},
            )
            for tagged in self.iter_tagged()
        )

    def _count(self, marks: Iterable[tuple[TagSubject, set[Any]]]) -> dict[Any, dict[str, int]]:
        counts: dict[Any, dict[str, int]] = {}
        for subject, found in marks:
            name = self.type_of(subject)
            for mark in found:
                of_mark = counts.setdefault(mark, {})
                of_mark[name] = of_mark.get(name, 0) + 1
        return {mark: counts[mark] for mark in sorted(counts)}

    def _records_of_head(self, head: ExecutionHead) -> Records:
        subject = RunSubject(parse_id(head.id), 0)
        if head.object is None:
            return self._join(self._find_live(subject.execution_id).get(subject, {}), subject)
        try:
            oids = ExecutionRecord.decode(self._store.get_node(head.object)).tags
        except ObjectError:
            return self._join({}, subject)
        found: Records = {}
        for oid, record in self._read_all(oids):
            if record.subject != subject:
                break  # an execution's own tags come first
            found[oid] = record
        return self._join(found, subject)

    def _run_records(self, execution: ExecutionView) -> dict[TagSubject, Records]:
        """Return what was put during a run, by subject."""
        if self._of_jobs[0] != execution.id:
            if execution.head.object is None:
                found = self._find_live(parse_id(execution.id))
            else:
                found = _group(self._read_all(execution.tags))
            self._of_jobs = (execution.id, found)
        return self._of_jobs[1]

    def _find_live(self, execution_id: bytes) -> dict[TagSubject, Records]:
        """Return the tags of a run that has no node yet; they are in a journal, which is read first."""
        found: list[tuple[Oid, TagRecord]] = []
        n_foreign = 0
        for oid, record in self._read_all(oid for oid, _ in self._store.iter_oids(Kind.TAG)):
            if isinstance(record.subject, RunSubject) and record.subject.execution_id == execution_id:
                found.append((oid, record))
            else:
                n_foreign += 1
                if n_foreign >= MAX_FOREIGN_BATCHES:
                    break
        return _group(found)

    def _join(self, records: Records, subject: TagSubject) -> Records:
        """Add the edits that were made after a run."""
        if self._edits is None:
            self._edits = _group(self._read_all(chain.from_iterable(self._iter_edits())))
        return {**records, **self._edits.get(subject, {})}

    def _iter_edits(self) -> Iterator[tuple[Oid, ...]]:
        for name in self._refs.iter_tag_names():
            try:
                yield self._refs.read_tags(name).tags
            except RefError:
                continue  # fsck tells of it

    def _read_all(self, oids: Iterable[Oid]) -> Iterator[tuple[Oid, TagRecord]]:
        for oid in oids:
            try:
                yield oid, TagRecord.decode(self._store.get_node(oid))
            except ObjectError:
                continue  # damaged or missing: the subject is told without it


def _group(records: Iterable[tuple[Oid, TagRecord]]) -> dict[TagSubject, Records]:
    found: dict[TagSubject, Records] = {}
    for oid, record in records:
        found.setdefault(record.subject, {})[oid] = record
    return found
