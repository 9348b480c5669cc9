"""Choosing what goes: which executions are not kept, and what only they need.  Nothing is changed here.

The invariant: what a kept ref leads to is there and readable, or nothing is chosen at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.codec import decode_node
from redun.objects.execution_records import RunSubject, TagRecord
from redun.objects.ids import format_id
from redun.objects.oid import short
from redun.store.maintain.gc_policy import Dropped, GcPlan, GcPolicy, GcRefused
from redun.store.maintain.gc_survey import Survey, find_doomed, list_refs
from redun.store.maintain.mark import Marks
from redun.store.objectdb import ObjectDb
from redun.store.pack import PackReader
from redun.store.ref_names import execution_id_of
from redun.store.ref_texts import BadRef, ExecutionRef, TagRef
from redun.store.refs import RefMissing
from redun.store.storage import NameMissing

if TYPE_CHECKING:
    from redun.store.repository import Repository

_LOOKS = 3
SPARE_FRACTION = 0.05
"""A pack of which less than this is garbage stays as it is: writing it anew would cost more than it frees."""
_DAY_US = 24 * 3600 * 1_000_000


def look(repository: Repository, policy: GcPolicy, now: int) -> tuple[Survey, GcPlan, Marks]:
    """Survey and plan; anew when something was missing, which others may have merged or collected meanwhile."""
    for _ in range(_LOOKS - 1):
        with suppress(GcRefused, RefMissing, NameMissing):
            survey = Survey(repository)
            return survey, *_plan(survey, policy, now)
    survey = Survey(repository)
    return survey, *_plan(survey, policy, now)


def _plan(survey: Survey, policy: GcPolicy, now: int) -> tuple[GcPlan, Marks]:
    repository = survey.repository
    plan = GcPlan(repository.location)
    refs = list_refs(repository)
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


def _choose(
    survey: Survey, refs: Sequence[ExecutionRef], policy: GcPolicy, now: int, plan: GcPlan
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


def _divide(survey: Survey, marks: Marks, plan: GcPlan) -> None:
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


def _weigh_lists(survey: Survey, marks: Marks, plan: GcPlan, now: int, grace_seconds: float) -> None:
    for condemned in survey.lists:
        packs, blobs, n_needed = find_doomed(survey, marks, condemned)
        size = sum(reader.size for reader in packs) + sum(survey.blob_entries[oid].size for oid in blobs)
        if survey.is_due(condemned, now, grace_seconds):
            plan.deleted_bytes += size
            plan.n_rescued += n_needed
        else:
            plan.waiting_bytes += size
