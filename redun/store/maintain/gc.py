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
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from redun.errors import ObjectError, StoreError
from redun.hashing import Oid
from redun.objects.codec import decode_node
from redun.objects.execution_records import RunSubject, TagRecord
from redun.objects.ids import format_id
from redun.objects.oid import short
from redun.store.base import ObjectCorrupt
from redun.store.blobs import FOLDER as BLOB_FOLDER
from redun.store.blobs import blob_name
from redun.store.canonical import KIND_COUNT
from redun.store.condemned import Condemned, list_condemned, write_condemned
from redun.store.interrupted import end_interrupted
from redun.store.liveness import Clock, now_us
from redun.store.maintain.mark import Marks
from redun.store.maintain.namespaces import iter_outer_links
from redun.store.maintain.repack import MAX_MERGED_OBJECTS
from redun.store.objectdb import ObjectDb
from redun.store.pack import PackReader
from redun.store.pack_format import FOLDER as PACK_FOLDER
from redun.store.pack_format import idx_name, pack_name
from redun.store.ref_names import EXECUTIONS, REMOTES, TAGS, execution_id_of
from redun.store.ref_texts import BadRef, ExecutionRef, TagRef
from redun.store.refs import RefMissing
from redun.store.storage import NameMissing, Storage

if TYPE_CHECKING:
    from redun.store.repository import Repository

GRACE_SECONDS = 24 * 3600.0
_LOOKS = 3
SPARE_FRACTION = 0.05
"""A pack of which less than this is garbage stays as it is: writing it anew would cost more than it frees."""
_PROBE_SUFFIX = ".probe"
_DAY_US = 24 * 3600 * 1_000_000


class GcRefused(StoreError):
    """A repository is not whole, so nobody can tell what can be spared."""

    def __init__(self, location: str, why: str) -> None:
        super().__init__(f"nothing of {location} is collected: {why}", hint="`redun fsck` tells what is damaged")
        self.location = location
        self.why = why


@dataclass(frozen=True, slots=True)
class GcPolicy:
    """Which executions to keep; without a limit all of them.  The newest are kept by either of the first two."""

    keep_executions: int | None = None  # so many of the newest
    keep_days: float | None = None  # those that began within so many days
    max_bytes: int | None = None  # of the newest, as many as need no more than this
    grace_seconds: float = GRACE_SECONDS


@dataclass(frozen=True, slots=True)
class Dropped:
    """An execution that will not be kept."""

    ref: ExecutionRef
    why: str


@dataclass(slots=True)
class GcPlan:
    """What a collection would do, or did.  Sizes are bytes on disk."""

    location: str
    n_kept: int = 0
    dropped: list[Dropped] = field(default_factory=list)
    dropped_tags: list[TagRef] = field(default_factory=list)
    kept_bytes: int = 0
    whole: list[PackReader] = field(default_factory=list)  # packs that hold garbage alone
    mixed: list[PackReader] = field(default_factory=list)  # packs that are written anew, without their garbage
    n_objects: int = 0  # that nothing needs, in these packs
    blobs: dict[Oid, int] = field(default_factory=dict)  # large contents that nothing needs, with their sizes
    condemned_bytes: int = 0  # that this collection condemns: packs and contents
    deleted_bytes: int = 0  # that it deletes, of what was condemned before the grace period
    waiting_bytes: int = 0  # condemned, and not old enough
    n_rescued: int = 0  # packs and contents that are needed again


class _Survey:
    """What there is, and what of it some refs need."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.store: ObjectDb = repository.store
        self.store.refresh(force=True)
        self.blob_entries = {
            Oid(bytes.fromhex(entry.name.rpartition("/")[2])): entry
            for entry in repository.storage.iter_entries(BLOB_FOLDER)
            if _is_oid(entry.name.rpartition("/")[2])
        }
        self.lists = list_condemned(repository.storage)
        self.starts_elsewhere = _find_starts(repository) if repository.is_shared else []
        self._outer_links = set(iter_outer_links(repository.storage))

    def marks(self) -> Marks:
        """Return fresh marks, with what running processes need."""
        made = Marks(self.store, {oid: entry.size for oid, entry in self.blob_entries.items()})
        made.reach_journals()
        made.reach_known(self._outer_links)
        pinned = self.store.journals.pinned_packs()
        for reader in self.store.packs.readers:
            if reader.name in pinned:
                made.keep(reader)
        return made

    def is_due(self, condemned: Condemned, now: int, grace_seconds: float) -> bool:
        """Tell whether a list is older than the grace period, and known to all who write here.

        A run that began before it, on a machine whose journal cannot be seen from here, may have built on what is
        condemned.
        """
        if any(start_us <= condemned.modified_us for start_us in self.starts_elsewhere):
            return False
        return grace_seconds <= 0 or now - condemned.modified_us >= grace_seconds * 1e6

    def condemned_blobs(self) -> set[Oid]:
        """Return the large contents on some list and not written again since."""
        return {oid for one in self.lists for oid in self.doomed_blobs(one)}

    def doomed_blobs(self, condemned: Condemned) -> list[Oid]:
        """Return the large contents that a list still condemns."""
        entries = self.blob_entries
        there = [oid for oid in condemned.blobs if oid in entries]
        return [oid for oid in there if condemned.dooms_blob(oid, entries[oid].modified_us)]


def _find_starts(repository: Repository) -> list[int]:
    """Return when the runs began that go on at a URL, in microseconds since 1970 UTC."""
    running = (ref for ref in _list_refs(repository) if not ref.status.is_ended)
    return [ref.start_us for ref in running if repository.is_alive(ref)]


def plan_gc(repository: Repository, policy: GcPolicy, *, clock: Clock = now_us) -> GcPlan:
    """Find out what a collection would do; nothing is changed.

    Args:
        repository: an open one.
        policy: which executions to keep.
        clock: gives microseconds since 1970 UTC.

    Raises:
        GcRefused: something that is to be kept is missing or damaged.
    """
    return _look(repository, policy, clock())[1]


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
    survey, plan, marks = _look(repository, policy, now)
    _delete_refs(repository, plan)
    _sweep(survey, marks, now, policy.grace_seconds)
    _condemn(survey, marks, plan, now)
    if policy.grace_seconds <= 0 and plan.condemned_bytes and not survey.starts_elsewhere:
        again, _, marks = _look(repository, GcPolicy(), now)
        _sweep(again, marks, now, policy.grace_seconds)
        plan.deleted_bytes, plan.condemned_bytes = plan.deleted_bytes + plan.condemned_bytes, 0
    repository.store.promises.keep(marks.promised, now - int(policy.grace_seconds * 1_000_000))
    repository.store.refresh(force=True)
    return plan


# -- what to keep


def _look(repository: Repository, policy: GcPolicy, now: int) -> tuple[_Survey, GcPlan, Marks]:
    """Survey and plan; anew when something was missing, which others may have merged or collected meanwhile."""
    for _ in range(_LOOKS - 1):
        with suppress(GcRefused, RefMissing, NameMissing):
            survey = _Survey(repository)
            return survey, *_plan(survey, policy, now)
    survey = _Survey(repository)
    return survey, *_plan(survey, policy, now)


def _plan(survey: _Survey, policy: GcPolicy, now: int) -> tuple[GcPlan, Marks]:
    repository = survey.repository
    plan = GcPlan(repository.location)
    refs = _list_refs(repository)
    kept = _choose(survey, refs, policy, now, plan)
    marks = survey.marks()
    marks.reach(ref.object for ref in kept if ref.object is not None)
    marks.reach(tag for ref in _keep_tags(repository, plan) for tag in ref.tags)
    if marks.lost:
        raise GcRefused(repository.location, f"object {short(min(marks.lost))} is needed, and missing or damaged")
    _divide(survey, marks, plan)
    plan.n_kept, plan.kept_bytes = len({ref.name for ref in kept}), marks.size
    _weigh_lists(survey, marks, plan, now, policy.grace_seconds)
    return plan, marks


def _list_refs(repository: Repository) -> list[ExecutionRef]:
    """Return all refs, own and seen at remotes, the newest first."""
    refs: list[ExecutionRef] = []
    try:
        for remote in (None, *repository.refs.iter_remotes()):
            names = list(repository.refs.iter_names(remote=remote))
            repository.refs.prefetch(names, remote=remote)
            refs += [repository.refs.read(name, remote=remote) for name in names]
    except BadRef as error:
        raise GcRefused(repository.location, str(error)) from error
    return sorted(refs, key=lambda ref: ref.name, reverse=True)


def _choose(
    survey: _Survey, refs: Sequence[ExecutionRef], policy: GcPolicy, now: int, plan: GcPlan
) -> list[ExecutionRef]:
    names = list(dict.fromkeys(ref.name for ref in refs))
    places = {name: place for place, name in enumerate(names)}
    marks = survey.marks() if policy.max_bytes is not None else None
    kept: list[ExecutionRef] = []
    dropped: dict[str, Dropped] = {}
    for ref in refs:
        is_running = ref.object is None and survey.repository.is_alive(ref)
        why = "" if is_running else _why_not(ref, places[ref.name], policy, now)
        if not why and marks is not None and ref.object is not None:
            marks.reach([ref.object])
            if marks.size > (policy.max_bytes or 0) and not is_running:
                why = f"with it, what is kept would need more than {policy.max_bytes} bytes"
        if why or ref.name in dropped:
            dropped.setdefault(ref.name, Dropped(ref, why))
        else:
            kept.append(ref)
    plan.dropped = list(dropped.values())
    return [ref for ref in kept if ref.name not in dropped]


def _why_not(ref: ExecutionRef, place: int, policy: GcPolicy, now: int) -> str:
    """Say why an execution is not kept, by its place among all, the newest first; an empty text when it is."""
    if policy.keep_executions is None and policy.keep_days is None:
        return ""
    whys = []
    if policy.keep_executions is not None:
        if place < policy.keep_executions:
            return ""
        whys.append(f"not among the newest {policy.keep_executions}")
    if policy.keep_days is not None:
        if ref.start_us >= now - policy.keep_days * _DAY_US:
            return ""
        whys.append(f"older than {policy.keep_days:g} days")
    return " and ".join(whys)


def _keep_tags(repository: Repository, plan: GcPlan) -> list[TagRef]:
    """Return the tag refs to keep: not those that speak only of executions that are dropped."""
    gone = {execution_id_of(dropped.ref.name) for dropped in plan.dropped}
    kept = []
    for name in repository.refs.iter_tag_names():
        try:
            ref = repository.refs.read_tags(name)
        except BadRef as error:
            raise GcRefused(repository.location, str(error)) from error
        if gone and speaks_only_of(repository.store, ref, gone):
            plan.dropped_tags.append(ref)
        else:
            kept.append(ref)
    return kept


def speaks_only_of(store: ObjectDb, ref: TagRef, executions: set[str]) -> bool:
    """Tell whether an edit of tags speaks of nothing but some executions (uuids); no when it cannot be read."""
    try:
        subjects = [TagRecord.decode(decode_node(store.get(tag))).subject for tag in ref.tags]
    except ObjectError:
        return False
    return all(
        isinstance(subject, RunSubject) and format_id(subject.execution_id) in executions for subject in subjects
    )


# -- what to condemn


def _divide(survey: _Survey, marks: Marks, plan: GcPlan) -> None:
    """Tell packs apart: needed, mixed, garbage; of a pack with little garbage all is kept."""
    readers = survey.store.packs.readers
    spared: set[Oid] = set()
    while more := [reader for reader in readers if reader.name not in spared and _is_little(marks, reader)]:
        for reader in more:
            spared.add(reader.name)
            marks.keep(reader)
    for reader in readers:
        n_garbage = _garbage(marks, reader)
        if n_garbage and reader.name not in spared:
            (plan.whole if n_garbage == len(reader) else plan.mixed).append(reader)
            plan.n_objects += n_garbage
    known = survey.condemned_blobs()
    plan.blobs = {
        oid: entry.size for oid, entry in survey.blob_entries.items() if oid not in marks.blobs and oid not in known
    }
    plan.condemned_bytes = sum(plan.blobs.values()) + sum(reader.size for reader in (*plan.whole, *plan.mixed))


def _is_little(marks: Marks, reader: PackReader) -> bool:
    return 0 < _garbage(marks, reader) <= SPARE_FRACTION * len(reader)


def _garbage(marks: Marks, reader: PackReader) -> int:
    return len(reader) - marks.count(reader)


def _condemn(survey: _Survey, marks: Marks, plan: GcPlan, now: int) -> None:
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


# -- what to delete


def _delete_refs(repository: Repository, plan: GcPlan) -> None:
    """Refs first: from then on nothing leads to what will be deleted."""
    storage = repository.storage
    for tags in plan.dropped_tags:  # before what they speak of: alone, nobody could tell any more that they are to go
        storage.delete(f"{TAGS}/{tags.name}")
    for dropped in plan.dropped:
        storage.delete(f"{EXECUTIONS}/{dropped.ref.name}")
        for remote in repository.refs.iter_remotes():
            storage.delete(f"{REMOTES}/{remote}/{dropped.ref.name}")


def _weigh_lists(survey: _Survey, marks: Marks, plan: GcPlan, now: int, grace_seconds: float) -> None:
    for condemned in survey.lists:
        packs, blobs, n_needed = _find_doomed(survey, marks, condemned)
        size = sum(reader.size for reader in packs) + sum(survey.blob_entries[oid].size for oid in blobs)
        if survey.is_due(condemned, now, grace_seconds):
            plan.deleted_bytes += size
            plan.n_rescued += n_needed
        else:
            plan.waiting_bytes += size


def _sweep(survey: _Survey, marks: Marks, now: int, grace_seconds: float) -> None:
    storage = survey.repository.storage
    written: set[Oid] = set()
    for condemned in survey.lists:
        if not survey.is_due(condemned, now, grace_seconds):
            continue
        packs, blobs, _ = _find_doomed(survey, marks, condemned)
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


def _find_doomed(survey: _Survey, marks: Marks, condemned: Condemned) -> tuple[list[PackReader], list[Oid], int]:
    """Return the packs of a list and those of its contents that can be deleted, and how much of it is needed again."""
    packs = [reader for reader in survey.store.packs.condemned if reader.name in condemned.packs]
    doomed = survey.doomed_blobs(condemned)
    blobs = [oid for oid in doomed if oid not in marks.blobs]
    return packs, blobs, sum(bool(marks.count(reader)) for reader in packs) + len(doomed) - len(blobs)


def _storage_time(storage: Storage, clock: Clock) -> int:
    """Return what the storage's own clock says: that of this machine may be wrong by a day."""
    probe = f"{PACK_FOLDER}/gc-{os.urandom(8).hex()}{_PROBE_SUFFIX}"
    storage.write(probe, b"")
    entries = [entry for entry in storage.iter_entries(PACK_FOLDER) if entry.name.endswith(_PROBE_SUFFIX)]
    for entry in entries:
        storage.delete(entry.name)  # those of collections that were killed too
    return next((entry.modified_us for entry in entries if entry.name == probe), clock())


def _is_oid(text: str) -> bool:
    return len(text) == 64 and not text.strip("0123456789abcdef")
