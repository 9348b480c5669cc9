"""What must still hold for a subtree to be reused in one step."""

from __future__ import annotations

from redun.hashing import Oid
from redun.objects.call_records import EMPTY_SUMMARY, SubtreeSummary
from redun.scheduler.summary import MAX_EXTERNALS, SummaryBuilder


def oid(number):
    """Make a name."""
    return Oid(number.to_bytes(32, "big"))


def test_a_call_without_calls_or_files_has_the_empty_summary():
    """Most calls."""
    assert SummaryBuilder().build() == (EMPTY_SUMMARY, [])


def test_tasks_and_files_below_are_gathered_once_and_in_order():
    """Two calls below that share a task and a file."""
    builder = SummaryBuilder()
    builder.add_externals([oid(9)], {oid(9): True})
    builder.add_call(oid(2), SubtreeSummary(is_reusable=True, tasks=[oid(5)], externals=[oid(3)], produced=[0]))
    builder.add_call(oid(2), SubtreeSummary(is_reusable=True, tasks=[oid(4)], externals=[oid(3)], produced=[0]))
    summary, own = builder.build()
    assert summary.tasks == [oid(2), oid(4), oid(5)]
    assert summary.externals == [oid(3), oid(9)]
    assert summary.produced == [0, 3]  # twice the place, plus 1 when it is executable
    assert own == [3]


def test_what_forbids_reuse_below_forbids_it_here():
    """One call below that must be asked each time is enough."""
    builder = SummaryBuilder()
    builder.add_call(oid(1), EMPTY_SUMMARY)
    builder.add_call(oid(2), SubtreeSummary(is_reusable=False, tasks=[oid(3)], externals=[], produced=[]))
    summary, _ = builder.build()
    assert not summary.is_reusable
    assert summary.tasks == [oid(1), oid(2), oid(3)]  # a shallow check asks for them all the same


def test_too_many_files_below_are_not_repeated():
    """A call keeps the files it names itself, however many; those of calls below only up to a bound."""
    files = [oid(number) for number in range(1, MAX_EXTERNALS + 2)]
    leaf = SummaryBuilder()
    leaf.add_externals(files)
    summary, _ = leaf.build()
    assert summary.is_reusable
    assert len(summary.externals) == len(files)
    above = SummaryBuilder()
    above.add_call(oid(0), summary)
    assert not above.build()[0].is_reusable
