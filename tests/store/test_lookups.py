"""Lookups: outcomes and produced files as the records say them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from redun.hashing import Oid
from redun.objects.call_records import CallRecord, SubtreeSummary
from redun.objects.execution_records import CANDIDATE_STATUSES, JobRow, JobsRecord, JobStatus
from redun.objects.kinds import Kind
from redun.store.base import Candidate
from redun.store.lookups import RecentLookups, find_outcomes, find_produced, newest_first

OIDS = st.integers(0, 9).map(lambda number: Oid(bytes([number]) * 32))
ROWS = st.builds(
    JobRow,
    st.integers(0, 100),
    st.integers(0, 100),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.sampled_from(JobStatus),
    st.just("default"),
    st.just(1),
    st.none() | OIDS,
    st.none() | OIDS,
    st.just("task"),
)


@given(st.lists(ROWS, max_size=20))
def test_outcomes_are_those_of_the_decoded_rows(rows):
    """Reading the columns gives what the records give."""
    _, data = JobsRecord(bytes(16), 5_000, rows).encode()
    assert find_outcomes(data) == [
        (row.eval, row.outcome, 5_000 + row.start_us + row.duration_us)
        for row in rows
        if row.eval and row.outcome and row.status in CANDIDATE_STATUSES
    ]


@given(st.lists(OIDS, max_size=4), st.lists(OIDS, max_size=3), st.lists(OIDS, max_size=5), st.booleans(), st.data())
def test_produced_files_are_those_of_the_decoded_call(children, tasks, externals, has_reduction, data):
    """The codes of a call lead to its externals whatever groups of links come before them."""
    codes = data.draw(st.lists(st.integers(0, 2 * len(externals) - 1), max_size=4)) if externals else []
    first = Oid(b"x" * 32)
    summary = SubtreeSummary(True, tasks, externals, codes)
    upstreams = [(0, children), (2, [])]
    record = CallRecord(first, first, first if has_reduction else None, children, upstreams, summary, codes)
    assert find_produced(int(Kind.CALL), record.encode()[1]) == [externals[code >> 1] for code in codes]


def test_malformed_nodes_say_nothing():
    """Bytes that do not fit the kind have no outcomes and no produced files."""
    assert find_outcomes(b"junk") == []
    assert find_produced(int(Kind.CALL), b"junk") == []
    assert find_produced(int(Kind.REDUCTION), b"") == []


def test_recent_nodes_are_read_once_and_late():
    """A noted node is read at the first question, and not again."""
    key, target = Oid(b"k" * 32), Oid(b"t" * 32)
    row = JobRow(1, 0, 1, 2, JobStatus.DONE, "default", 1, key, target, "task")
    oid, data = JobsRecord(bytes(16), 0, [row]).encode()
    reads = []

    def read(wanted):
        reads.append(wanted)
        return data

    lookups = RecentLookups(read)
    lookups.note(oid, int(Kind.JOBS))
    assert reads == []
    for _ in range(3):
        assert list(lookups.find_candidates(key)) == [Candidate(3, target)]
    assert reads == [oid]


def test_candidates_are_tried_by_time_and_then_by_name():
    """Both descending, whatever order they were found in."""
    low, high = Oid(b"a" * 32), Oid(b"b" * 32)
    assert newest_first({Candidate(1, high), Candidate(2, low), Candidate(2, high)}) == [(2, high), (2, low), (1, high)]
