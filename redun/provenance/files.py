"""Which files executions read and wrote.

The invariant: a file is *written* by the job whose call or reduction lists it among what it produced itself, which is
recorded and not guessed; it is *read* by a job that has it among its arguments, or that names it in its result without
having made it (redun read it to hash it).  A version of a file is one *file* object: path and content.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.call_records import CallRecord, ReductionRecord
from redun.objects.execution_records import JobRow, JobStatus
from redun.objects.kinds import Kind
from redun.objects.value_records import ABSENT_SCHEME, FileRecord
from redun.provenance.executions import ExecutionView
from redun.provenance.values import get_eval, iter_nested
from redun.store.base import ObjectStore


@dataclass(frozen=True, slots=True)
class FileUse:
    """One job's dealing with one version of a file."""

    execution: ExecutionView
    row: JobRow
    is_written: bool


@dataclass(frozen=True, slots=True)
class FileView:
    """One version of a file and who dealt with it in the executions that were looked at."""

    oid: Oid
    path: str
    size: int | None  # bytes
    is_absent: bool  # there was no such file when it was hashed
    is_kept: bool  # its content is in the store
    first_us: int  # start of the first job that dealt with it, microseconds since 1970 UTC; 0 when none is known
    last_us: int  # of the last one
    is_read: bool
    is_written: bool
    writer: FileUse | None  # the newest job whose function wrote it
    readers: tuple[FileUse, ...]  # newest first; one per job that ran or was replayed

    @property
    def mode(self) -> str:
        """``r``, ``w`` or ``rw``."""
        return "r" * self.is_read + "w" * self.is_written


class FileLedger:
    """Gathers the uses of files over executions, newest first; what is asked twice is read once."""

    def __init__(self, store: ObjectStore, only: frozenset[Oid] | None = None) -> None:
        self._store = store
        self._only = only
        self._nested: dict[Oid, tuple[Oid, ...]] = {}
        self._uses: dict[Oid, list[FileUse]] = {}

    def add(self, execution: ExecutionView) -> None:
        """Take in all jobs of an execution; one whose objects cannot be read adds nothing."""
        for row in reversed(execution.rows):
            try:
                read, written = self._files_of(row)
            except ObjectError:
                continue
            for oid in read:
                self._note(oid, FileUse(execution, row, is_written=False))
            for oid in written:
                self._note(oid, FileUse(execution, row, is_written=True))

    def views(self) -> Iterator[FileView]:
        """Yield every version that was noted and can be read, but for files that were not there, in no order."""
        for oid, uses in self._uses.items():
            try:
                view = view_file(self._store, oid, uses)
            except ObjectError:
                continue
            if not view.is_absent:
                yield view

    def uses_of(self, oid: Oid) -> list[FileUse]:
        """Return the uses of one version, as they were noted."""
        return self._uses.get(oid, [])

    def _note(self, oid: Oid, use: FileUse) -> None:
        if self._only is None or oid in self._only:
            self._uses.setdefault(oid, []).append(use)

    def _files_of(self, row: JobRow) -> tuple[set[Oid], set[Oid]]:
        read: set[Oid] = set()
        written: set[Oid] = set()
        if row.eval is not None:
            for argument in get_eval(self._store, row.eval).args:
                read.update(self._files_in(argument))
        if row.outcome is not None and row.status is not JobStatus.FAILED:
            named, written = self._files_in_outcome(row.outcome)
            read |= named - written
        return read, written

    def _files_in_outcome(self, outcome: Oid) -> tuple[set[Oid], set[Oid]]:
        """Return the files that a leaf's result names, and those that the function itself wrote."""
        node = self._store.get_node(outcome)
        if node.kind == Kind.REDUCTION:
            return set(), set(ReductionRecord.decode(node).produced)
        call = CallRecord.decode(node)
        written = {call.summary.externals[code >> 1] for code in call.own_produced}
        # What a call with children names, its children made or read: it is theirs.
        named = set() if call.children else set(self._files_in(call.result))
        return named, written

    def _files_in(self, value: Oid) -> tuple[Oid, ...]:
        found = self._nested.get(value)
        if found is None:
            found = tuple(oid for oid, kind in iter_nested(self._store, value) if kind == Kind.FILE)
            self._nested[value] = found
        return found


def list_files(store: ObjectStore, executions: Iterable[ExecutionView]) -> list[FileView]:
    """Return the newest version of each file that the executions (newest first) dealt with, by path."""
    ledger = FileLedger(store)
    for execution in executions:
        ledger.add(execution)
    newest: dict[str, FileView] = {}
    for view in ledger.views():
        other = newest.get(view.path)
        if other is None or _age(view) > _age(other):
            newest[view.path] = view
    return [newest[path] for path in sorted(newest)]


def find_file(store: ObjectStore, executions: Iterable[ExecutionView], path: str, cwd: Path) -> list[FileView]:
    """Return every recorded version of a file, the newest first.

    Versions that none of the executions dealt with come last.  ``path`` names the files recorded under the same text,
    or under one that means the same place as seen from ``cwd``.
    """
    return view_versions(store, executions, find_versions(store, path, cwd))


def view_versions(store: ObjectStore, executions: Iterable[ExecutionView], oids: Iterable[Oid]) -> list[FileView]:
    """Return the views of some versions of files, the newest first; raises ObjectError when one cannot be read."""
    wanted = frozenset(oids)
    ledger = FileLedger(store, wanted)
    if wanted:
        for execution in executions:
            ledger.add(execution)
    return sorted((view_file(store, oid, ledger.uses_of(oid)) for oid in wanted), key=_age, reverse=True)


def find_versions(store: ObjectStore, path: str, cwd: Path) -> list[Oid]:
    """Return the file objects of a path; see ``find_file``.  Costs a look at every file object on record."""
    place = _place(path, cwd)
    return [oid for oid, record in iter_file_records(store) if record.path == path or _place(record.path, cwd) == place]


def iter_file_records(store: ObjectStore) -> Iterator[tuple[Oid, FileRecord]]:
    """Yield every file object that can be read and was there when it was hashed."""
    for oid, _ in store.iter_oids(Kind.FILE):
        try:
            record = FileRecord.decode(store.get_node(oid))
        except ObjectError:
            continue
        if record.scheme != ABSENT_SCHEME:
            yield oid, record


def view_file(store: ObjectStore, oid: Oid, uses: list[FileUse]) -> FileView:
    """Return one version of a file with its uses; raises ObjectError."""
    node = store.get_node(oid)
    record = FileRecord.decode(node)
    times = [_start_of(use) for use in uses]
    written = [use for use in uses if use.is_written]
    # A replayed job wrote nothing itself: the one that ran is who made the file, when it is among those looked at.
    makers = [use for use in written if use.row.status is not JobStatus.CACHED] or written
    return FileView(
        oid,
        record.path,
        record.size,
        record.scheme == ABSENT_SCHEME,
        bool(node.links) and store.has(node.links[0]),
        min(times, default=0),
        max(times, default=0),
        len(written) < len(uses),
        bool(written),
        max(makers, key=_start_of, default=None),
        tuple(sorted((use for use in uses if not use.is_written), key=_start_of, reverse=True)),
    )


def _start_of(use: FileUse) -> int:
    return use.execution.head.start_us + use.row.start_us


def _age(view: FileView) -> tuple[int, bool, Oid]:
    return view.last_us, view.is_written, view.oid


def _place(path: str, cwd: Path) -> str:
    return path if "://" in path else os.path.normpath(cwd / path)
