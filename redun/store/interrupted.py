"""Runs whose process died: told as interrupted, with everything that they had finished, tags included.

The invariant: whoever ends a run in its writer's place, and however many do so at once, they make the same execution
node, since it follows from the ref and the run's *jobs* nodes alone, or is the run's own.  A process that dies between
sealing the orphaned journal and rewriting the ref leaves a ref whose writer is gone, which the next one finds.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from redun.errors import ConfigError, ObjectError, RefError
from redun.hashing import Oid, hash_blob
from redun.objects.execution_records import ExecutionRecord, ExecutionStatus, JobRow, JobsRecord, JobStatus
from redun.objects.kinds import Kind
from redun.store.base import ObjectStore
from redun.store.objectdb import ObjectDb
from redun.store.ref_names import ref_name
from redun.store.ref_texts import ExecutionRef, RefStatus, TagRef
from redun.store.refs import Refs

RECENT_REFS = 16
"""How many of the newest refs are looked at for a writer that is gone; opening must not cost more with every run,
and reading one takes 30 us.

A run that slips through is shown as interrupted all the same, by ``live_journals.is_writer_there``.
"""

_RECENT_EXECUTIONS = 1000
"""How many execution nodes are looked at, the last sealed first: what an orphaned journal held was sealed just now."""

REF_STATUS = {
    ExecutionStatus.DONE: RefStatus.DONE,
    ExecutionStatus.FAILED: RefStatus.FAILED,
    ExecutionStatus.INTERRUPTED: RefStatus.INTERRUPTED,
}

_Batch = tuple[Oid, JobsRecord]
_Ref = TypeVar("_Ref", ExecutionRef, TagRef)
_COMPLETE = frozenset({JobStatus.DONE, JobStatus.CACHED, JobStatus.STEPPED, JobStatus.UNSURE})


def end_interrupted(
    store: ObjectDb, refs: Refs, is_alive: Callable[[ExecutionRef], bool], *, n_recent: int | None = RECENT_REFS
) -> None:
    """Seal the journals of dead writers, and end the runs that they were writing.

    Args:
        store: one that can be written.
        refs: the refs beside it.
        is_alive: tells of a running ref whether its writer is.
        n_recent: of how many of the newest refs to ask that; None: of all.

    Raises:
        OSError, StoreError: the repository cannot be written; the next process finds what is left to do.
    """
    for orphan in store.seal_orphans():
        if orphan.tags:
            _write_orphan_tags(refs, orphan.header.created_us, orphan.tags)
        for raw_id, batches in _group(store, orphan.jobs).items():
            for name in refs.find(str(uuid.UUID(bytes=raw_id))):
                _end(store, refs, name, orphan.writer, batches, orphan.packs)
    gone = [ref for ref in _iter_running(refs, n_recent) if not is_alive(ref)]
    if gone:
        batches_by_run = _group(store, [oid for oid, _ in store.iter_oids(int(Kind.JOBS))])
        for ref in gone:
            _end(store, refs, ref.name, ref.writer, batches_by_run.get(_raw_id(ref), []), [])


def _write_orphan_tags(refs: Refs, created_us: int, tags: Iterable[Oid]) -> None:
    """Give the tags of a dead writer a ref: whoever does it makes the same one.

    Args:
        refs: where to write it.
        created_us: when the writer began, microseconds since 1970 UTC.
        tags: what it had put.
    """
    listed = tuple(sorted(set(tags)))
    name = ref_name(created_us, str(uuid.UUID(bytes=hash_blob(b"".join(listed))[:16])))
    refs.write_tags(_signed(refs, TagRef(name, listed)))


def _signed(refs: Refs, ref: _Ref) -> _Ref:
    """Return a ref signed where there is a key: whoever merely opens the repository need not have one."""
    try:
        return refs.sign(ref)
    except ConfigError:
        return ref


def _iter_running(refs: Refs, n_recent: int | None) -> Iterator[ExecutionRef]:
    names = list(islice(refs.iter_names(), n_recent))
    refs.prefetch(names)
    for name in names:
        ref = _find_ref(refs, name)
        if ref is not None and ref.status is RefStatus.RUNNING:
            yield ref


def _find_ref(refs: Refs, name: str) -> ExecutionRef | None:
    try:
        return refs.read(name)
    except RefError:
        return None  # gone since the listing, or malformed: fsck tells of it


def _group(store: ObjectStore, oids: Iterable[Oid]) -> dict[bytes, list[_Batch]]:
    """Return the *jobs* nodes among some oids by execution, in the order of their writing."""
    found: dict[bytes, list[_Batch]] = {}
    for oid in oids:
        try:
            record = JobsRecord.decode(store.get_node(oid))
        except ObjectError:
            continue  # damaged: the run is told without it
        found.setdefault(record.execution_id, []).append((oid, record))
    for batches in found.values():
        batches.sort(key=_order)
    return found


def _order(batch: _Batch) -> tuple[int, int, Oid]:
    """Put batches in the order of their writing: each holds what ended since the one before it."""
    oid, record = batch
    ends = [row.start_us + row.duration_us for row in record.rows]
    return max(ends, default=0), len(ends), oid


def _end(
    store: ObjectDb, refs: Refs, name: str, writer: str | None, batches: list[_Batch], packs: Iterable[Oid]
) -> None:
    """Tell in a run's ref how it ended, unless that was told meanwhile or another process writes it.

    One that had ended, and only could not publish that, is told in its own words; any other was interrupted.
    """
    ref = _find_ref(refs, name)
    if ref is None:
        return
    own = _find_own(store, ref)
    if ref.status is RefStatus.INTERRUPTED and (own is not None or not _tells_all(store, ref, batches)):
        # A machine that shares a URL with this one alone took the run for dead, and could not see what it had done.
        batches = _group(store, [oid for oid, _ in store.iter_oids(int(Kind.JOBS))]).get(_raw_id(ref), [])
    elif ref.status is not RefStatus.RUNNING or ref.writer != writer:
        return
    if own is None:
        record, status = _make_record(dataclasses.replace(ref, writer=writer), batches), RefStatus.INTERRUPTED
        oid, data = record.encode()
        store.put(oid, data, int(Kind.EXECUTION))
    else:
        (oid, record), status = own, REF_STATUS[own[1].status]
    ended = dataclasses.replace(ref, status=status, end_us=record.end_us, object=oid, writer=None)
    refs.write(_signed(refs, dataclasses.replace(ended, packs=(*packs, *store.seal()))))
    store.finish()


def _tells_all(store: ObjectDb, ref: ExecutionRef, batches: list[_Batch]) -> bool:
    """Tell whether what an interrupted run's ref names has all of some of its jobs."""
    if ref.object is None:
        return False
    try:
        known = ExecutionRecord.decode(store.get_node(ref.object)).jobs
    except ObjectError:
        return True  # damaged, and fsck tells of it: what is known here may be less
    return set(known).issuperset(oid for oid, _ in batches)


def _raw_id(ref: ExecutionRef) -> bytes:
    return uuid.UUID(ref.execution_id).bytes


def _find_own(store: ObjectDb, ref: ExecutionRef) -> tuple[Oid, ExecutionRecord] | None:
    """Return the execution node that a run itself had put before its process died, None when there is none."""
    raw_id = _raw_id(ref)
    for oid, _ in islice(store.iter_oids(int(Kind.EXECUTION)), _RECENT_EXECUTIONS):
        try:
            record = ExecutionRecord.decode(store.get_node(oid))
        except ObjectError:
            continue  # damaged: not what is looked for, as far as can be told
        if record.execution_id == raw_id and record.status is not ExecutionStatus.INTERRUPTED:
            return oid, record
    return None


def _make_record(ref: ExecutionRef, batches: list[_Batch]) -> ExecutionRecord:
    rows = {row.number: row for _, batch in batches for row in batch.rows}
    last_us = max((row.start_us + row.duration_us for row in rows.values()), default=0)
    return ExecutionRecord(
        execution_id=_raw_id(ref),
        argv=ref.argv,
        status=ExecutionStatus.INTERRUPTED,
        start_us=ref.start_us,
        end_us=ref.start_us + last_us,
        user="",  # nobody is left to ask
        host=_host_of(ref.writer),
        versions=[],
        root=_find_root(rows.get(1)),
        jobs=[oid for oid, _ in batches],
        sources=[],
        tags=[],
    )


def _find_root(row: JobRow | None) -> Oid | None:
    return row.outcome if row is not None and row.parent == 0 and row.status in _COMPLETE else None


def _host_of(writer: str | None) -> str:
    """Return the host in a writer's name, ``<time>-<host>-<pid>-<token>``: the host itself may have dashes."""
    parts = (writer or "").split("-")
    return "-".join(parts[1:-2]) if len(parts) > 3 else ""
