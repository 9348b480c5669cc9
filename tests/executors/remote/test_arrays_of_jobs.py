"""Grouping of equal jobs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from redun.executors.remote.arrays import Batch, Grouper, Sizes


def test_jobs_wait_for_their_equals():
    """Until none has come for a while."""
    grouper = Grouper(Sizes(3.0, 2, 10))
    assert [*grouper.add("a", 1, 0.0), *grouper.add("b", 2, 1.0), *grouper.add("a", 3, 2.0)] == []
    assert grouper.next_due() == 4.0
    assert list(grouper.take_due(3.9)) == []
    assert list(grouper.take_due(4.0)) == [Batch([2], is_array=False)]
    assert list(grouper.take_due(5.0)) == [Batch([1, 3], is_array=True)]
    assert grouper.next_due() is None


def test_a_full_array_does_not_wait():
    """It comes out with its last job."""
    grouper = Grouper(Sizes(3.0, 2, 2))
    assert list(grouper.add("a", 1, 0.0)) == []
    assert list(grouper.add("a", 2, 0.0)) == [Batch([1, 2], is_array=True)]


def test_without_arrays_nothing_waits():
    """Whether the user wants none, or the cluster has none."""
    for sizes in (Sizes(3.0, 0, 10), Sizes(3.0, 5, 1)):
        assert list(Grouper(sizes).add("a", 1, 0.0)) == [Batch([1], is_array=False)]


def test_one_job_is_no_array():
    """Even where one would be enough."""
    grouper = Grouper(Sizes(0.0, 1, 10))
    assert [*grouper.add("a", 1, 0.0), *grouper.take_due(0.0)] == [Batch([1], is_array=False)]


@given(
    jobs=st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 2)), max_size=60),
    sizes=st.builds(Sizes, st.floats(0, 5), st.integers(0, 6), st.integers(0, 8)),
)
def test_each_job_comes_out_once_in_order(jobs, sizes):
    """Whatever the sizes; no array is larger or smaller than it may be, or of unequal jobs."""
    grouper, now, batches = Grouper(sizes), 0.0, []
    for number, (like, pause) in enumerate(jobs):
        now += pause
        batches += [*grouper.take_due(now), *grouper.add(like, (like, number), now)]
    batches += grouper.take_due(now + sizes.stale_seconds)
    assert grouper.take_all() == []
    assert sorted(job for batch in batches for job in batch.jobs) == sorted((k, n) for n, (k, _) in enumerate(jobs))
    for batch in batches:
        assert [number for _, number in batch.jobs] == sorted(number for _, number in batch.jobs)
        assert len({like for like, _ in batch.jobs}) == 1
        assert (max(2, sizes.fewest) <= len(batch.jobs) <= sizes.most) if batch.is_array else len(batch.jobs) == 1
