"""One run as its ref and its node tell it."""

from __future__ import annotations

from redun.objects.codec import decode_node
from redun.objects.execution_records import ExecutionRecord, ExecutionStatus
from redun.scheduler.execution import Execution
from redun.scheduler.homes import home_of
from redun.store.ref_texts import RefStatus
from redun.store.repository import Repository

UUID = "6c1d2f3e-1111-4222-8333-abcdefabcdef"


def test_a_run_shows_as_running_and_ends_with_its_node(tmp_path):
    """The ref names the writer while the run goes on, and the node and the packs once it has ended."""
    with Repository.init(tmp_path / ".redun") as repository:
        times = iter(range(1_700_000_000_000_000, 1_700_000_000_000_100))
        execution = Execution(home_of(repository), ["redun", "run"], lambda: next(times), UUID)
        execution.begin()
        (running,) = repository.refs.iter_refs()
        assert (running.status, running.writer) == (RefStatus.RUNNING, repository.store.writer)
        execution.end(ExecutionStatus.FAILED, None)
        (ended,) = repository.refs.iter_refs()
        assert (ended.status, ended.writer, ended.execution_id) == (RefStatus.FAILED, None, UUID)
        record = ExecutionRecord.decode(decode_node(repository.store.get(ended.object)))
        assert (record.argv, record.status, record.root) == (["redun", "run"], ExecutionStatus.FAILED, None)
        assert len(ended.packs) == 1
        assert list((tmp_path / ".redun/objects/journal").iterdir()) == []


def test_in_memory_a_run_leaves_its_node_and_no_ref():
    """A scheduler without a repository records all the same, for as long as it lives."""
    home = home_of(None)
    execution = Execution(home, ["argv"], lambda: 5, None)
    execution.begin()
    execution.end(ExecutionStatus.DONE, None)
    assert home.refs is None
    assert [kind for _, kind in home.store.iter_oids()] == [13]
