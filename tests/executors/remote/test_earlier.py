"""What earlier runs left."""

from __future__ import annotations

from redun.executors.remote.earlier import Earlier


class _Cluster:
    """A scratch and a cluster whose one job ends while somebody looks."""

    def __init__(self, *, ends_at: int) -> None:
        """``ends_at``: after how many looks the job has ended."""
        self._ends_at = ends_at
        self._n_looks = 0

    def _look(self) -> bool:
        self._n_looks += 1
        return self._n_looks > self._ends_at

    def list_jobs(self) -> dict[str, dict[str, int]]:
        return {"key": {"output": 1}} if self._look() else {"key": {"input": 1}}

    def find_live(self, prefix: str) -> dict[str, str]:
        return {} if self._look() else {f"{prefix}key": "id"}


def test_a_job_that_ends_while_somebody_looks_is_not_missed():
    """It is found alive, or its result is: else the call would be made twice."""
    for ends_at in range(3):
        cluster = _Cluster(ends_at=ends_at)
        earlier = Earlier(cluster, cluster)
        earlier.look("a-")
        assert earlier.take_finished("key") or earlier.take_live("a-", "key") == "id"


def test_a_job_that_ends_before_a_second_prefix_is_looked_for_is_not_missed():
    """Executors may name their jobs differently by task."""
    for ends_at in range(5):
        cluster = _Cluster(ends_at=ends_at)
        earlier = Earlier(cluster, cluster)
        earlier.look("a-")
        earlier.look("b-")
        assert earlier.take_finished("key") or earlier.take_live("b-", "key") == "id"


def test_what_was_handed_out_is_not_found_again():
    """Whoever got it found it to be no good."""
    cluster = _Cluster(ends_at=0)
    earlier = Earlier(cluster, cluster)
    earlier.look("a-")
    assert earlier.take_finished("key")
    earlier.look("b-")
    assert not earlier.take_finished("key")
