"""Forgetting: recorded results that must not serve again, and executions that nothing shall be kept for.

The invariant: no object is touched.  What is forgotten can be read until gc finds that nothing leads to it; what is
forgotten by mistake runs again, and that is all.  Format: docs/format/forgotten.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redun.errors import ObjectError, RefError
from redun.hashing import Oid
from redun.objects.call_records import CallRecord, EvalRecord, ReductionRecord
from redun.objects.kinds import Kind
from redun.objects.oid import short
from redun.objects.task_records import TaskRecord
from redun.store.base import ReadOnlyStore
from redun.store.forgotten import Forgotten, write_forgotten
from redun.store.liveness import Clock, now_us
from redun.store.maintain.gc_choose import speaks_only_of
from redun.store.maintain.merge_notes import merge_notes
from redun.store.objectdb import ObjectDb
from redun.store.ref_names import EXECUTIONS, REMOTES, TAGS, execution_id_of
from redun.store.ref_texts import BadRef, ExecutionRef, TagRef

if TYPE_CHECKING:
    from redun.store.repository import Repository


class NotForgettable(ObjectError):
    """An object is no recorded result, so there is nothing to forget."""

    def __init__(self, oid: Oid, kind: str) -> None:
        super().__init__(
            f"expected an execution, a job, a call, an eval, a reduction or a task, found the {kind} {short(oid)}",
            hint="`redun purge` removes the bytes of values and files; `redun show` tells what leads to an object",
        )
        self.oid = oid


class StillRunning(RefError):
    """An execution goes on, so it cannot be forgotten."""

    def __init__(self, name: str) -> None:
        super().__init__(f"execution {execution_id_of(name)[:8]} is still running", hint="wait for its end, or end it")
        self.name = name


@dataclass(frozen=True, slots=True)
class ForgottenEval:
    """An eval whose outcomes will not serve any more."""

    oid: Oid
    task: str  # full name
    n_outcomes: int  # calls and reductions on record for it, those forgotten before left out


@dataclass(frozen=True, slots=True)
class ForgetPlan:
    """What would be forgotten, or was."""

    location: str
    executions: tuple[ExecutionRef, ...]
    tag_refs: tuple[TagRef, ...]  # edits of tags that speak of these executions alone
    evals: tuple[ForgottenEval, ...]
    tasks: tuple[Oid, ...]  # tasks and callings of theirs that calls above are asked again for


def plan_forget(repository: Repository, names: Sequence[str], oids: Iterable[Oid]) -> ForgetPlan:
    """Find out what forgetting would do; nothing is changed.

    Args:
        repository: an open one.
        names: refs of executions.
        oids: calls, evals and reductions, of which the eval is meant, and tasks, of which all evals are.

    Raises:
        RefError: there is no such ref, or its run goes on.
        NotForgettable: an object is of another kind.
        ObjectError: an object is missing or damaged.
    """
    refs = [repository.refs.read(name) for name in names]
    for ref in refs:
        if ref.object is None and repository.is_alive(ref):
            raise StillRunning(ref.name)
    finder = _Finder(repository.store)
    for oid in oids:
        finder.add(oid)
    return ForgetPlan(repository.location, tuple(refs), tuple(_find_tags(repository, refs)), *finder.result())


def forget(repository: Repository, plan: ForgetPlan, *, clock: Clock = now_us) -> None:
    """Do what a plan says.

    Raises:
        ReadOnlyStore: the repository cannot be written.
        OSError: the disk is full, or fails.
    """
    if not repository.is_writable:
        raise ReadOnlyStore(f"{repository.location} cannot be written")
    storage = repository.storage
    if plan.evals:
        now = clock()
        evals, tasks = (one.oid for one in plan.evals), plan.tasks
        name = write_forgotten(storage, Forgotten(dict.fromkeys(evals, now), dict.fromkeys(tasks, now)), now)
        storage.sync([name])
        repository.store.refresh(force=True)
        merge_notes(repository.store, clock=clock)
    for ref in plan.executions:
        for remote in list(repository.refs.iter_remotes()):
            storage.delete(f"{REMOTES}/{remote}/{ref.name}")
        storage.delete(f"{EXECUTIONS}/{ref.name}")
    for tags in plan.tag_refs:
        storage.delete(f"{TAGS}/{tags.name}")
    repository.store.refresh(force=True)


def _find_tags(repository: Repository, refs: Sequence[ExecutionRef]) -> list[TagRef]:
    gone = {execution_id_of(ref.name) for ref in refs}
    found = []
    for name in repository.refs.iter_tag_names() if gone else ():
        try:
            ref = repository.refs.read_tags(name)
        except BadRef:
            continue  # fsck tells of it
        if speaks_only_of(repository.store, ref, gone):
            found.append(ref)
    return found


class _Finder:
    """From what was named to evals and tasks."""

    def __init__(self, store: ObjectDb) -> None:
        self._store = store
        self._evals: dict[Oid, Oid] = {}  # eval: its task
        self._all_of: set[Oid] = set()  # tasks of which every eval is meant

    def add(self, oid: Oid) -> None:
        node = self._store.get_node(oid)
        if node.kind == Kind.TASK:
            self._all_of.add(oid)
        elif node.kind == Kind.EVAL:
            self._evals[oid] = EvalRecord.decode(node).task
        elif node.kind == Kind.CALL:
            self.add(CallRecord.decode(node).eval)
        elif node.kind == Kind.REDUCTION:
            self.add(ReductionRecord.decode(node).eval)
        else:
            raise NotForgettable(oid, Kind(node.kind).name.lower())

    def result(self) -> tuple[tuple[ForgottenEval, ...], tuple[Oid, ...]]:
        tasks = self._all_of.union(self._evals.values())
        named: dict[Oid, None] = dict.fromkeys(sorted(tasks))
        for oid, kind in self._store.iter_oids(int(Kind.EVAL)) if tasks else ():
            if kind != Kind.EVAL:
                continue
            record = EvalRecord.decode(self._store.get_node(oid))
            if record.task in tasks and record.salt is not None:
                named[oid] = None  # a calling of the task, or an eval that is none, which does no harm
            if record.task in self._all_of:
                self._evals[oid] = record.task
        forgotten = []
        names = {task: TaskRecord.decode(self._store.get_node(task)).fullname for task in tasks}
        for oid, task in sorted(self._evals.items()):
            count = sum(self._is_outcome(oid, candidate.target) for candidate in self._store.find_candidates(oid))
            if count:
                forgotten.append(ForgottenEval(oid, names[task], count))
        return tuple(forgotten), tuple(sorted(named)) if forgotten else ()

    def _is_outcome(self, eval_oid: Oid, target: Oid) -> bool:
        """Tell whether a candidate is of a call with this eval: contests of a task stand in the same table."""
        with suppress(ObjectError):
            node = self._store.get_node(target)
            if node.kind in {Kind.CALL, Kind.REDUCTION}:
                return node.links[0] == eval_oid
        return False
