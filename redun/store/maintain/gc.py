"""Garbage collection: deletes what no kept execution needs.  Formats: docs/format/condemned.md.

Theory of operation.  Refs are the roots, with the journals of running processes.  ``plan_gc`` chooses the executions to
keep and finds out what only the others need; it changes nothing.  ``collect`` deletes the refs of the others, writes
what is needed of packs that hold garbage into a new pack, and *condemns* the rest: a list names it, and from then on
nothing new is built on it, though it can be read.  A later collection, once the list is older than the grace period,
looks again: what something kept needs by then is taken off the list, and the rest is deleted.

The invariant: nothing is deleted that a ref, or a journal older than the last second, leads to.  A process that is
killed anywhere in between leaves a sound repository, and the next collection goes on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from redun.hashing import Oid
from redun.store.base import ObjectCorrupt
from redun.store.blobs import FOLDER as BLOB_FOLDER
from redun.store.blobs import blob_name
from redun.store.canonical import KIND_COUNT
from redun.store.condemned import Condemned, write_condemned
from redun.store.interrupted import end_interrupted
from redun.store.liveness import Clock, now_us
from redun.store.maintain.gc_choose import look
from redun.store.maintain.gc_policy import GcPlan, GcPolicy
from redun.store.maintain.gc_survey import Survey, find_doomed
from redun.store.maintain.mark import Marks
from redun.store.maintain.repack import MAX_MERGED_OBJECTS
from redun.store.pack import PackReader
from redun.store.pack_format import FOLDER as PACK_FOLDER
from redun.store.pack_format import idx_name, pack_name
from redun.store.ref_names import EXECUTIONS, REMOTES, TAGS
from redun.store.storage import NameMissing, Storage

if TYPE_CHECKING:
    from redun.store.repository import Repository

_PROBE_SUFFIX = ".probe"


def plan_gc(repository: Repository, policy: GcPolicy, *, clock: Clock = now_us) -> GcPlan:
    """Find out what a collection would do; nothing is changed.

    Args:
        repository: an open one.
        policy: which executions to keep.
        clock: gives microseconds since 1970 UTC.

    Raises:
        GcRefused: something that is to be kept is missing or damaged.
    """
    return look(repository, policy, clock())[1]


def collect(repository: Repository, policy: GcPolicy, *, clock: Clock = now_us) -> GcPlan:
    """Delete what no kept execution needs and what was condemned before the grace period, and condemn the rest of it.

    Args:
        repository: an open one that can be written; others may run, push and pull meanwhile.
        policy: which executions to keep.
        clock: gives microseconds since 1970 UTC.

    Raises:
        GcRefused: something that is to be kept is missing or damaged; nothing was changed.
        ReadOnlyStore: the repository cannot be written.
        OSError: the disk is full, or fails.
    """
    end_interrupted(repository.store, repository.refs, lambda ref: repository.is_alive(ref, clock=clock), n_recent=None)
    now = _storage_time(repository.storage, clock)
    survey, plan, marks = look(repository, policy, now)
    _delete_refs(repository, plan)
    _sweep(survey, marks, now, policy.grace_seconds)
    _condemn(survey, marks, plan, now)
    if policy.grace_seconds <= 0 and plan.condemned_bytes and not survey.starts_elsewhere:
        again, _, marks = look(repository, GcPolicy(), now)
        _sweep(again, marks, now, policy.grace_seconds)
        plan.deleted_bytes, plan.condemned_bytes = plan.deleted_bytes + plan.condemned_bytes, 0
    repository.store.promises.keep(marks.promised, now - int(policy.grace_seconds * 1_000_000))
    repository.store.refresh(force=True)
    return plan


def _delete_refs(repository: Repository, plan: GcPlan) -> None:
    """Refs first: from then on nothing leads to what will be deleted."""
    storage = repository.storage
    for tags in plan.dropped_tags:  # before what they speak of: alone, nobody could tell any more that they are to go
        storage.delete(f"{TAGS}/{tags.name}")
    for dropped in plan.dropped:
        storage.delete(f"{EXECUTIONS}/{dropped.ref.name}")
        for remote in repository.refs.iter_remotes():
            storage.delete(f"{REMOTES}/{remote}/{dropped.ref.name}")


def _condemn(survey: Survey, marks: Marks, plan: GcPlan, now: int) -> None:
    if not (plan.whole or plan.mixed or plan.blobs):
        return
    for group in _group(marks, plan.mixed):
        try:
            survey.store.sealer.write(_iter_needed(marks, group))
        except (ObjectCorrupt, NameMissing):
            # What is damaged, or was merged by somebody else just now, is not written anew, and what cannot be written
            # anew is kept: fsck tells of it.
            plan.mixed = [reader for reader in plan.mixed if reader not in group]
            plan.condemned_bytes -= sum(reader.size for reader in group)
    packs = [reader.name for reader in (*plan.whole, *plan.mixed)]
    name = write_condemned(survey.repository.storage, packs, plan.blobs, now)
    survey.repository.storage.sync([name])


def _group(marks: Marks, readers: Sequence[PackReader]) -> list[list[PackReader]]:
    """Return packs in groups whose union fits the memory."""
    groups: list[list[PackReader]] = []
    total = 0
    for reader in readers:
        total += marks.count(reader)
        if not groups or total > MAX_MERGED_OBJECTS:
            groups.append([])
            total = marks.count(reader)
        groups[-1].append(reader)
    return groups


def _iter_needed(marks: Marks, readers: Sequence[PackReader]) -> Iterator[tuple[Oid, int, bytes]]:
    """Yield what is needed of some packs as a pack wants it: by kind, from the oldest pack to the newest."""
    for kind in range(KIND_COUNT):
        for reader in reversed(readers):
            for ordinal in reader.idx.ordinals_of(kind):
                if marks.is_marked(reader, ordinal):
                    yield reader.idx.oid_at(ordinal), kind, reader.read(ordinal)


def _sweep(survey: Survey, marks: Marks, now: int, grace_seconds: float) -> None:
    storage = survey.repository.storage
    written: set[Oid] = set()
    for condemned in survey.lists:
        if not survey.is_due(condemned, now, grace_seconds):
            continue
        packs, blobs, _ = find_doomed(survey, marks, condemned)
        try:
            for group in _group(marks, [reader for reader in packs if marks.count(reader)]):
                # Not the packs themselves: what else is in them may link to what is deleted now.
                sealed = survey.store.sealer.write(_iter_needed(marks, group))
                written |= set() if sealed is None else {sealed.name}  # if all is needed, it comes out as it was
        except NameMissing:
            continue  # another collection is at the same list
        _delete_doomed(storage, condemned, [reader.name for reader in packs if reader.name not in written], blobs)
        for name in condemned.packs:
            if storage.size(pack_name(name)) is None:
                storage.delete(idx_name(name))  # of a pack that was deleted by a collection that was killed
        storage.delete(condemned.name)  # last: what it names and is needed again is one of us from here on


def _delete_doomed(storage: Storage, condemned: Condemned, packs: Iterable[Oid], blobs: Sequence[Oid]) -> None:
    """Delete what a list condemns, but for what was written again since the survey: names follow contents."""
    folders = (PACK_FOLDER, BLOB_FOLDER) if blobs else (PACK_FOLDER,)
    times = {entry.name: entry.modified_us for folder in folders for entry in storage.iter_entries(folder)}
    for name in packs:
        if condemned.dooms_pack(name, times.get(pack_name(name), 0)):
            # The pack first: a reader takes one without an idx for damaged, one that is gone for merged.
            storage.delete(pack_name(name))
            storage.delete(idx_name(name))
    for oid in blobs:
        if condemned.dooms_blob(oid, times.get(blob_name(oid), 0)):
            storage.delete(blob_name(oid))


def _storage_time(storage: Storage, clock: Clock) -> int:
    """Return what the storage's own clock says: that of this machine may be wrong by a day."""
    probe = f"{PACK_FOLDER}/gc-{os.urandom(8).hex()}{_PROBE_SUFFIX}"
    storage.write(probe, b"")
    entries = [entry for entry in storage.iter_entries(PACK_FOLDER) if entry.name.endswith(_PROBE_SUFFIX)]
    for entry in entries:
        storage.delete(entry.name)  # those of collections that were killed too
    return next((entry.modified_us for entry in entries if entry.name == probe), clock())
