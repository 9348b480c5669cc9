"""Executions from refs and jobs batches."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redun.errors import ObjectError
from redun.objects.execution_records import ExecutionStatus, JobRow, JobsRecord, JobStatus
from redun.objects.kinds import Kind
from redun.provenance.executions import (
    MAX_FOREIGN_BATCHES,
    JobState,
    RunStatus,
    list_executions,
    load_execution,
    load_from_object,
)
from redun.store.memory import MemoryStore
from redun.store.memory_storage import MemoryStorage
from redun.store.refs import Refs
from redun.testing.compile_workflow import FIRST_ID, SECOND_ID, SECOND_START_US, MadeRun
from redun.testing.objects import make_execution


def unfinished(statuses: list[tuple[int, int, JobStatus]], store=None, refs=None):
    """Make a run that says running, with rows of (number, parent, status)."""
    store = store or MemoryStore()
    refs = refs or Refs(MemoryStorage())
    run = MadeRun(store, "11111111-2222-4333-8444-555555555555", SECOND_START_US + 10_000_000)
    for number, parent, status in statuses:
        run.row(number, parent, "make", None, None, status)
    return store, refs, run.start(refs)


class TestListing:
    """Executions as refs alone tell them."""

    def test_newest_comes_first_and_the_limit_holds(self, shelf):
        """A list of one is the newest execution."""
        assert [head.id for head in list_executions(shelf.refs)] == [SECOND_ID, FIRST_ID]
        assert [head.id for head in list_executions(shelf.refs, 1)] == [SECOND_ID]

    def test_listing_reads_no_object(self, shelf):
        """What a list shows comes from the refs."""
        shelf.store.damaged.update(oid for oid, _ in shelf.store.iter_oids())
        (head, _) = list_executions(shelf.refs)
        assert (head.status, head.argv[1:], head.start_us) == (
            RunStatus.DONE,
            ("run", "make.py", "make"),
            SECOND_START_US,
        )

    def test_running_execution_whose_writer_is_dead_is_interrupted(self):
        """The ref of a killed run says running for ever; the writer decides."""
        _, refs, _ = unfinished([])
        statuses = [
            next(list_executions(refs, is_alive=check)).status for check in (None, lambda _: True, lambda _: False)
        ]
        assert statuses == [RunStatus.RUNNING, RunStatus.RUNNING, RunStatus.INTERRUPTED]

    def test_an_ended_execution_needs_no_writer(self, shelf):
        """Only running refs are doubted."""
        assert all(head.status is RunStatus.DONE for head in list_executions(shelf.refs, is_alive=lambda _: False))


class TestLoading:
    """Executions with their jobs."""

    def test_a_run_has_its_rows_counts_and_duration(self, shelf):
        """The second run of the build: two of its eight jobs were cached."""
        counts = shelf.second.count_states()
        assert len(shelf.second.rows) == 8
        assert {state.value: count for state, count in counts.items() if count} == {"DONE": 6, "CACHED": 2}
        assert shelf.second.duration_us == 1_470_000
        assert (shelf.second.user, shelf.second.host) == ("alice", "host-1")

    def test_the_tree_follows_parents(self, shelf):
        """Parents come before their children, siblings by number."""
        tree = [(depth, row.number) for depth, row in shelf.second.iter_tree()]
        assert tree == [(0, 1), (1, 2), (2, 4), (2, 5), (2, 7), (1, 3), (2, 6), (2, 8)]

    def test_job_ids_derive_from_the_execution(self, shelf):
        """Equal numbers of different executions have different ids, always the same ones."""
        assert shelf.second.job_id(7) == "57176a4c-f66f-4993-2cdb-961233e046eb"
        assert shelf.first.job_id(7) != shelf.second.job_id(7)

    def test_a_later_row_takes_the_place_of_an_earlier(self):
        """A job is written down as reduced, and again when it is done."""
        store, refs = MemoryStore(), Refs(MemoryStorage())
        run = MadeRun(store, FIRST_ID, SECOND_START_US)
        run.row(1, 0, "make", None, None, JobStatus.REDUCED)
        run.row(1, 0, "make", None, None, JobStatus.DONE)
        execution = load_execution(store, refs, run.commit(refs).name)
        assert [row.status for row in execution.rows] == [JobStatus.DONE]

    def test_contested_rows_are_no_jobs_and_stepped_ones_are_cached(self):
        """A contested row only marks a task; a stepped job ran no function."""
        store, refs = MemoryStore(), Refs(MemoryStorage())
        run = MadeRun(store, FIRST_ID, SECOND_START_US)
        task = run.task("make")
        run.rows.append(JobRow(0, 0, 0, 0, JobStatus.CONTESTED, "default", 1, task, task, "make"))
        run.row(1, 0, "make", None, None, JobStatus.STEPPED)
        execution = load_execution(store, refs, run.commit(refs).name)
        assert [execution.state_of(row) for row in execution.rows] == [JobState.CACHED]

    def test_a_running_execution_is_read_from_its_batches(self, shelf):
        """Without an execution node the rows of its uuid are gathered from the store, whatever their order."""
        store, refs, ref = unfinished([(2, 1, JobStatus.DONE), (1, 0, JobStatus.REDUCED)], shelf.store, shelf.refs)
        batch = JobsRecord(
            b"\x11" * 4 + b"\x22\x22\x43\x33\x84\x44" + b"\x55" * 6,
            ref.start_us,
            [JobRow(2, 1, 0, 0, JobStatus.REDUCED, "default", 1, None, None, "make")],
        )
        store.put(*batch.encode(), int(Kind.JOBS))
        execution = load_execution(store, refs, ref.name)
        states = {row.number: execution.state_of(row) for row in execution.rows}
        assert states == {1: JobState.RUNNING, 2: JobState.DONE}
        assert execution.duration_us is None

    def test_a_dead_run_s_unfinished_jobs_are_interrupted(self):
        """Nothing will finish them; the run lasted until its last row."""
        store, refs, ref = unfinished([(1, 0, JobStatus.REDUCED), (2, 1, JobStatus.DONE)])
        execution = load_execution(store, refs, ref.name, is_alive=lambda _: False)
        assert [execution.state_of(row) for row in execution.rows] == [JobState.INTERRUPTED, JobState.DONE]
        assert execution.duration_us == 20_000 + 240_000

    def test_a_job_without_a_parent_on_record_stands_at_the_top(self):
        """A parent still in its function has no row yet; its finished children show all the same."""
        store, refs, ref = unfinished([(5, 3, JobStatus.DONE), (6, 5, JobStatus.DONE)])
        execution = load_execution(store, refs, ref.name)
        assert [(depth, row.number) for depth, row in execution.iter_tree()] == [(0, 5), (1, 6)]

    def test_an_old_damaged_batch_does_not_hide_a_live_run(self, shelf):
        """A live run is read although another one's batch is not."""
        shelf.store.damaged.update(oid for oid, _ in shelf.store.iter_oids(Kind.JOBS))
        store, refs, ref = unfinished([(1, 0, JobStatus.DONE)], shelf.store, shelf.refs)
        assert [row.number for row in load_execution(store, refs, ref.name).rows] == [1]

    def test_looking_for_a_live_run_s_jobs_ends(self):
        """After a thousand batches of older runs no more are read."""
        store, refs, ref = unfinished([(1, 0, JobStatus.DONE)])
        for number in range(MAX_FOREIGN_BATCHES + 5):
            record = JobsRecord(number.to_bytes(16, "big"), 1, [])
            store.put(*record.encode(), int(Kind.JOBS))
        assert load_execution(store, refs, ref.name).rows == ()

    def test_an_execution_loads_from_its_node(self, shelf):
        """Without a ref the node itself tells as much."""
        assert load_from_object(shelf.store, shelf.second.head.object) == shelf.second

    def test_a_damaged_batch_is_an_error_that_says_so(self, shelf):
        """Loading raises; it does not invent a shorter run."""
        shelf.store.damaged.update(oid for oid, _ in shelf.store.iter_oids(Kind.JOBS))
        with pytest.raises(ObjectError, match="damaged by the test"):
            load_execution(shelf.store, shelf.refs, shelf.second.head.ref_name)

    @pytest.mark.parametrize("status", list(ExecutionStatus))
    def test_how_an_execution_ended_is_told(self, status):
        """Done, failed and interrupted pass from the ref to the view."""
        store, refs = MemoryStore(), Refs(MemoryStorage())
        made = make_execution(store, refs, status=status)
        assert load_execution(store, refs, made.ref.name).status.value == status.name
        assert load_from_object(store, made.oid).status.value == status.name


def test_a_damaged_parent_number_makes_no_loop(shelf):
    """A row that claims a parent of a higher number stands at the top."""
    rows = tuple(row._replace(parent=8) if row.number == 1 else row for row in shelf.second.rows)
    execution = replace(shelf.second, rows=rows)
    assert len(list(execution.iter_tree())) == 8
