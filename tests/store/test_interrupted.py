"""Runs whose process died: found, told as interrupted, with all that they had finished."""

from __future__ import annotations

import dataclasses
import uuid
from pathlib import Path

import pytest

from redun.objects.codec import decode_node
from redun.objects.execution_records import ExecutionRecord, ExecutionStatus
from redun.objects.kinds import Kind
from redun.objects.links import walk
from redun.store.journal import Journal
from redun.store.liveness import JournalHeader, describe_writer, now_us
from redun.store.local_storage import LocalStorage
from redun.store.objectdb import ObjectDb
from redun.store.ref_texts import ExecutionRef, RefStatus
from redun.store.refs import Refs
from redun.store.repository import Repository
from redun.testing.objects import MadeExecution, build_execution, execution_id, made_ref

JOURNALS = "objects/journal"


def _dead_header(token: bytes = b"dead") -> JournalHeader:
    """A writer whose process is gone: its pid is ours, its start time nobody's."""
    header = describe_writer(now_us(), token=token)
    return header._replace(process_start="1")


def _leave_behind(
    path: Path, seed: int = 0, *, header: JournalHeader | None = None, keep: int | None = None
) -> tuple[MadeExecution, ExecutionRef]:
    """Write what a run leaves that was killed before its end: a journal and a running ref."""
    Repository.init(path).close()
    header = header or _dead_header()
    made = build_execution(seed=seed)
    objects = [row for row in made.objects if row[2] != Kind.EXECUTION]
    journal = Journal.create(path / JOURNALS, header=header)
    for oid, data, kind in objects if keep is None else objects[:keep]:
        journal.append(data, kind, oid)
    journal.close()
    ref = _running(made, header.writer)
    Refs(LocalStorage(path)).write(ref)
    return made, ref


def _running(made: MadeExecution, writer: str | None) -> ExecutionRef:
    return dataclasses.replace(made_ref(made), status=RefStatus.RUNNING, end_us=None, object=None, writer=writer)


def _only_ref(repository: Repository) -> ExecutionRef:
    (ref,) = repository.refs.iter_refs()
    return ref


def test_a_dead_run_is_ended_by_the_next_opening(tmp_path: Path) -> None:
    """Its journal is sealed, its jobs are gathered, and its ref names an execution whose closure is whole."""
    made, running = _leave_behind(tmp_path)
    with Repository.open(tmp_path) as repository:
        ref = _only_ref(repository)
        assert ref.status is RefStatus.INTERRUPTED
        assert ref.writer is None
        assert ref.object is not None
        record = ExecutionRecord.decode(decode_node(repository.store.get(ref.object)))
        assert made.record is not None
        assert record.status is ExecutionStatus.INTERRUPTED
        assert (record.jobs, record.root) == (made.record.jobs, made.record.root)
        assert (record.argv, record.start_us, ref.end_us) == (running.argv, running.start_us, record.end_us)
        assert record.host == describe_writer(0, token=b"").writer.split("-", 1)[1].rsplit("-", 2)[0]
        reached = {found.oid for found in walk([ref.object], repository.store.find_kind_and_data)}
        assert made.record.jobs[0] in reached
        assert all(repository.store.packs.find_reader(pack) for pack in ref.packs)
        assert len(ref.packs) == 2
    assert list((tmp_path / JOURNALS).iterdir()) == []


def test_a_run_that_had_ended_is_told_in_its_own_words(tmp_path: Path) -> None:
    """It put its execution, and died, or lost the network, before its ref said so: it was not interrupted."""
    Repository.init(tmp_path).close()
    header, made = _dead_header(), build_execution()
    journal = Journal.create(tmp_path / JOURNALS, header=header)
    for oid, data, kind in made.objects:
        journal.append(data, kind, oid)
    journal.close()
    Refs(LocalStorage(tmp_path)).write(_running(made, header.writer))
    with Repository.open(tmp_path) as repository:
        ref, expected = _only_ref(repository), made_ref(made)
        assert (ref.status, ref.object, ref.end_us) == (expected.status, expected.object, expected.end_us)
        assert len(ref.packs) == 1


@pytest.mark.parametrize("had_ended", [True, False])
def test_a_run_that_others_took_for_dead_is_told_anew(tmp_path: Path, had_ended: bool) -> None:
    """A machine that cannot see its journal told it as interrupted, with no jobs; then the journal is found."""
    header, made = _dead_header(), build_execution()
    with Repository.init(tmp_path) as other:
        other.refs.write(_running(made, header.writer))
    with Repository.open(tmp_path) as other:
        assert _only_ref(other).status is RefStatus.INTERRUPTED
    journal = Journal.create(tmp_path / JOURNALS, header=header)
    for oid, data, kind in made.objects:
        if had_ended or kind != Kind.EXECUTION:
            journal.append(data, kind, oid)
    journal.close()
    with Repository.open(tmp_path) as repository:
        ref = _only_ref(repository)
        assert ref.status is (RefStatus.DONE if had_ended else RefStatus.INTERRUPTED)
        assert ref.object is not None
        assert made.record is not None
        assert ExecutionRecord.decode(repository.store.get_node(ref.object)).jobs == made.record.jobs
    with Repository.open(tmp_path) as again:
        assert _only_ref(again) == ref


def test_reading_changes_nothing(tmp_path: Path) -> None:
    """Who only reads sees that the writer is gone, and leaves the ref as it is."""
    _leave_behind(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with Repository.open(tmp_path, writable=False) as repository:
        ref = _only_ref(repository)
        assert ref.status is RefStatus.RUNNING
        assert not repository.is_alive(ref)
        assert len(list(repository.store.iter_oids())) > 10
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_living_run_is_left_alone(tmp_path: Path) -> None:
    """Another opening for writing does not touch a run in flight."""
    with Repository.init(tmp_path) as running:
        made = build_execution()
        for oid, data, kind in made.objects[:10]:
            running.store.put(oid, data, kind)
        ref = _running(made, running.store.writer)
        running.refs.write(ref)
        running.store.flush()
        with Repository.open(tmp_path) as other:
            assert _only_ref(other) == ref
            assert other.is_alive(ref)
            assert other.store.has(made.objects[0][0])


@pytest.mark.parametrize("writer", ["20250615T150640Z-host-1-00000000", None, "../../x", "a/b"])
def test_a_run_whose_journal_is_gone_is_ended(tmp_path: Path, writer: str | None) -> None:
    """It has no jobs to show, and is interrupted all the same."""
    with Repository.init(tmp_path) as repository:
        repository.refs.write(_running(build_execution(), writer))
    with Repository.open(tmp_path) as repository:
        ended = _only_ref(repository)
        assert ended.status is RefStatus.INTERRUPTED
        assert ended.object is not None
        assert ExecutionRecord.decode(decode_node(repository.store.get(ended.object))).jobs == []


def test_a_crash_between_sealing_and_rewriting_loses_no_job(tmp_path: Path) -> None:
    """The journal is sealed and gone, the ref still says running: the next opening finds the jobs in the packs."""
    made, _ = _leave_behind(tmp_path)
    store = ObjectDb(LocalStorage(tmp_path), journals=tmp_path / JOURNALS)
    assert len(store.seal_orphans()) == 1
    store.close()
    with Repository.open(tmp_path) as repository:
        ref = _only_ref(repository)
        assert ref.object is not None
        assert made.record is not None
        assert ExecutionRecord.decode(decode_node(repository.store.get(ref.object))).jobs == made.record.jobs


def test_whoever_ends_a_run_makes_the_same_node(tmp_path: Path) -> None:
    """Two copies of a repository end the same run the same way, whichever way they find its jobs."""
    header = _dead_header()
    oids = []
    for name in ("one", "two"):
        _leave_behind(tmp_path / name, header=header)
        with Repository.open(tmp_path / name) as repository:
            oids.append(_only_ref(repository).object)
    assert oids[0] == oids[1]


def test_several_runs_of_one_dead_process_are_all_ended(tmp_path: Path) -> None:
    """Runs are told apart by the uuid in their jobs; a ref that another writer holds is not touched."""
    header = _dead_header()
    Repository.init(tmp_path).close()
    journal = Journal.create(tmp_path / JOURNALS, header=header)
    refs = Refs(LocalStorage(tmp_path))
    for seed in range(3):
        made = build_execution(seed=seed)
        for oid, data, kind in made.objects:
            if kind != Kind.EXECUTION:
                journal.append(data, kind, oid)
        refs.write(_running(made, header.writer))
    journal.close()
    with Repository.open(tmp_path) as repository:
        assert [ref.status for ref in repository.refs.iter_refs()] == [RefStatus.INTERRUPTED] * 3
        objects = [ref.object for ref in repository.refs.iter_refs() if ref.object is not None]
        records = [ExecutionRecord.decode(decode_node(repository.store.get(oid))) for oid in objects]
        assert [len(record.jobs) for record in records] == [1, 1, 1]
        assert {record.execution_id for record in records} == {uuid.UUID(execution_id(seed)).bytes for seed in range(3)}


@pytest.mark.parametrize("keep", [0, 5, 12])
def test_a_run_cut_off_early_keeps_what_it_had(tmp_path: Path, keep: int) -> None:
    """Whatever the journal held is in the store, jobs or no jobs."""
    made, _ = _leave_behind(tmp_path, keep=keep)
    with Repository.open(tmp_path) as repository:
        assert _only_ref(repository).status is RefStatus.INTERRUPTED
        assert all(repository.store.has(oid) for oid, _, _ in made.objects[:keep])


def test_a_malformed_ref_does_not_stop_an_opening(tmp_path: Path) -> None:
    """Fsck tells of it; opening passes it over."""
    _, ref = _leave_behind(tmp_path)
    other = made_ref(build_execution(seed=1))
    (tmp_path / "refs/executions" / other.name).write_bytes(b"nonsense")
    with Repository.open(tmp_path) as repository:
        assert repository.refs.read(ref.name).status is RefStatus.INTERRUPTED
