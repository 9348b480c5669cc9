"""``allowed_cache_results``: where the result of a call may come from."""

from __future__ import annotations

import pytest

from redun import Scheduler, task
from redun.store.memory import MemoryStore
from redun.task import CacheResult

redun_namespace = "test_cache_results"

RAN: list = []


@task(version="1")
def leaf(x):
    """Say that it ran."""
    RAN.append(x)
    return x


@task(version="1")
def above(x):
    """Call another."""
    RAN.append("above")
    return [leaf(x)]


def run_twice(call):
    """Run a call twice on one store; return what ran the second time, and how many calls were taken from the store."""
    store, counts = MemoryStore(), []
    for _ in range(2):
        RAN.clear()
        scheduler = Scheduler(backend=store)
        scheduler.run(call)
        (line,) = [line for line in scheduler.get_job_status_report() if line.startswith("| ALL")]
        counts.append(int(line.split()[5]))
    return list(RAN), counts[1]


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (None, ([], 1)),
        (set(CacheResult), ([], 1)),
        ({CacheResult.ULTIMATE}, ([], 1)),
        ({"SINGLE"}, ([], 2)),
        ({CacheResult.CSE}, (["above"], 1)),
        ({"MISS"}, (["above"], 1)),
    ],
    ids=["any", "every", "ultimate", "single", "cse", "miss"],
)
def test_results_come_from_where_they_may(allowed, expected):
    """ULTIMATE takes a call with all below it, SINGLE its reduction alone; without both the function runs."""
    assert run_twice(above.options(allowed_cache_results=allowed)(1)) == expected


@pytest.mark.parametrize(("allowed", "runs"), [({"SINGLE"}, 0), ({"ULTIMATE"}, 0), ({"CSE"}, 1)], ids=str)
def test_a_call_without_calls_is_both(allowed, runs):
    """What a function returned at once is a single reduction and the whole."""
    ran, _ = run_twice(leaf.options(allowed_cache_results=allowed)(1))
    assert len(ran) == runs


def test_without_cse_equal_calls_of_two_jobs_run_twice():
    """Equal calls of different jobs are one call only when CSE is allowed."""

    @task(version="1")
    def calls(n, allowed):
        return leaf.options(allowed_cache_results=allowed)(7)

    RAN.clear()
    Scheduler().run([calls(1, ["CSE"]), calls(2, ["CSE"])])
    assert RAN == [7]
    RAN.clear()
    Scheduler().run([calls(1, ["MISS"]), calls(2, ["MISS"])])
    assert RAN == [7, 7]


def test_what_is_no_result_is_refused():
    """The option is a set of members of CacheResult, or of their names."""
    for bad in ({"ELSEWHERE"}, "CSE", 3):
        with pytest.raises(ValueError, match="allowed_cache_results"):
            leaf.options(allowed_cache_results=bad)
