"""Forgetting: what was recorded by then serves no more, objects stay, and what is merged says the same."""

from __future__ import annotations

import dataclasses

import pytest

from redun.hashing import hash_blob
from redun.objects.call_records import CallRecord
from redun.objects.execution_records import RunSubject, TagRecord
from redun.objects.kinds import Kind
from redun.objects.links import walk
from redun.store.base import Candidate
from redun.store.forgotten import Forgotten, write_forgotten
from redun.store.maintain.forget import NotForgettable, StillRunning, forget, plan_forget
from redun.store.maintain.fsck import check_repository
from redun.store.maintain.merge_notes import merge_notes
from redun.store.ref_texts import RefStatus
from redun.store.repository import Repository
from redun.store.tagging import write_tag_edit
from redun.testing.objects import made_ref, make_execution


@pytest.fixture
def repository(tmp_path):
    with Repository.init(tmp_path / ".redun") as opened:
        yield opened


def _of_kind(made, kind):
    return [oid for oid, _, found in made.objects if found == kind]


def _serving(repository, eval_oid):
    return [one for one in repository.store.find_candidates(eval_oid) if one.target != eval_oid]


def test_a_forgotten_call_serves_no_more_and_can_be_read(repository):
    """Its eval has no candidate left; other evals have theirs, and everything is still there."""
    made = make_execution(repository.store, repository.refs)
    call, *_ = _of_kind(made, Kind.CALL)
    eval_oid = CallRecord.decode(repository.store.get_node(call)).eval
    plan = plan_forget(repository, [], [call])
    assert [(one.oid, one.task, one.n_outcomes) for one in plan.evals] == [(eval_oid, "made.step", 1)]
    assert _serving(repository, eval_oid)
    forget(repository, plan)
    assert not _serving(repository, eval_oid)
    others = [oid for oid in _of_kind(made, Kind.EVAL) if oid != eval_oid]
    assert all(_serving(repository, oid) for oid in others)
    assert all(repository.store.has(oid) for oid in made.oids)
    assert plan_forget(repository, [], [call]).evals == ()
    assert check_repository(repository).problems == ()


def test_what_is_recorded_later_serves(repository):
    """Forgetting is about the past."""
    made = make_execution(repository.store, repository.refs)
    eval_oid = _of_kind(made, Kind.EVAL)[0]
    before = repository.store.find_candidates(eval_oid)[0].time_us
    forget(repository, plan_forget(repository, [], [eval_oid]), clock=lambda: before - 1)
    assert [one.time_us for one in _serving(repository, eval_oid)] == [before]


def test_calls_above_are_asked_again(repository):
    """The task counts as contested at that moment, which forbids to reuse in one step what was recorded before."""
    made = make_execution(repository.store, repository.refs)
    task, eval_oid = _of_kind(made, Kind.TASK)[0], _of_kind(made, Kind.EVAL)[0]
    forget(repository, plan_forget(repository, [], [eval_oid]), clock=lambda: 10**16)
    assert repository.store.find_candidates(task) == [Candidate(10**16, task)]


def test_a_task_stands_for_all_its_evals(repository):
    """All of them have been calls of this task."""
    made = make_execution(repository.store, repository.refs, 4)
    plan = plan_forget(repository, [], _of_kind(made, Kind.TASK))
    assert {one.oid for one in plan.evals} == set(_of_kind(made, Kind.EVAL))


def test_values_cannot_be_forgotten(repository):
    """The error says what can."""
    made = make_execution(repository.store, repository.refs)
    with pytest.raises(NotForgettable, match="found the value"):
        plan_forget(repository, [], _of_kind(made, Kind.VALUE)[:1])


def test_an_execution_goes_from_the_log_with_its_tags(repository):
    """Its ref, what was seen of it at remotes and the edits of its tags go; every object stays."""
    made, other = (make_execution(repository.store, repository.refs, seed=seed) for seed in (0, 1))
    repository.refs.write(made.ref, remote="origin")
    own = TagRecord(RunSubject(made.record.execution_id, 0), [], "a", "1", is_deleted=False)
    write_tag_edit(repository, [own])
    plan = plan_forget(repository, [made.ref.name], [])
    assert ([ref.name for ref in plan.executions], len(plan.tag_refs)) == ([made.ref.name], 1)
    forget(repository, plan)
    assert list(repository.refs.iter_names()) == [other.ref.name]
    assert list(repository.refs.iter_names(remote="origin")) == []
    assert list(repository.refs.iter_tag_names()) == []
    for _ in walk([made.oid], repository.store.find_kind_and_data):
        pass


def test_a_run_that_goes_on_is_not_forgotten(repository):
    """Its ref names a writer that lives."""
    made = make_execution(repository.store, repository.refs)
    running = dataclasses.replace(
        made_ref(made), status=RefStatus.RUNNING, object=None, end_us=None, writer=repository.store.writer
    )
    repository.store.put(hash_blob(b"new"), b"new", Kind.BLOB)
    repository.store.flush()
    repository.refs.write(running)
    with pytest.raises(StillRunning):
        plan_forget(repository, [running.name], [])


def test_many_lists_become_one_that_says_the_same(repository):
    """So opening a repository reads few, however often something was forgotten."""
    keys = [bytes([number]) * 32 for number in range(12)]
    for number, key in enumerate(keys):
        write_forgotten(repository.storage, Forgotten({key: number}, {}), 10**15 + number)
    repository.store.refresh(force=True)
    merge_notes(repository.store)
    names = [entry.name for entry in repository.storage.iter_entries("objects/pack")]
    assert len(names) == 1
    assert repository.store.packs.notes.forgotten.evals == {key: number for number, key in enumerate(keys)}
