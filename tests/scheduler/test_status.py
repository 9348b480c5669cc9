"""The table of jobs by task, and when it is shown."""

from __future__ import annotations

import bdb
import sys

import pytest

from redun import Scheduler, task
from redun.scheduler.run import HEARTBEAT_MAX_SECONDS, HEARTBEAT_SECONDS, heartbeat_seconds
from redun.scheduler.status import Column, StatusCounts, is_debugged
from redun.store.repository import Repository
from redun.testing.lines import Lines

redun_namespace = "test_status"


class Debugger(bdb.Bdb):
    """A debugger that stops nowhere."""

    def trace_dispatch(self, frame, event, arg):
        """Do not trace."""


@task(version="1")
def first(x):
    """Return the argument."""
    return x


@task(version="1", retries=1, retry_backoff=0.05)
def fail_once(seen: list):
    """Fail."""
    raise OSError("down")


def test_the_table_counts_jobs_by_task():
    """A row for all, then the tasks by name."""
    counts = StatusCounts()
    counts.add("b.task", Column.PENDING)
    counts.add("a.task", Column.RUNNING)
    counts.move("a.task", Column.RUNNING, Column.DONE)
    _, header, columns, rule, *rows, _ = counts.lines(0)
    assert header.startswith("| JOB STATUS 19")
    assert columns.split() == ["|", "TASK", "PENDING", "RUNNING", "FAILED", "CACHED", "DONE", "TOTAL"]
    assert rule == "| "
    assert [row.split()[1:] for row in rows] == [
        ["ALL", "1", "0", "0", "0", "1", "2"],
        ["a.task", "0", "0", "0", "0", "1", "1"],
        ["b.task", "1", "0", "0", "0", "0", "1"],
    ]


def count_tables(**options):
    """Return how many tables a run shows that waits for a while."""
    log = Lines()
    with pytest.raises(OSError, match="down"):
        Scheduler(logger=log, **options).run(fail_once([]))
    return sum("JOB STATUS" in line for line in log.lines)


def test_the_table_is_shown_at_the_interval_and_at_the_end():
    """The interval comes from the settings or from the constructor, which wins; 0 or less is never."""
    assert count_tables(job_status_interval=0) == 1
    assert count_tables(config={"scheduler": {"job_status_interval": "-1"}}) == 1
    assert count_tables(config={"scheduler": {"job_status_interval": "0.01"}}) > 1
    assert count_tables(config={"scheduler": {"job_status_interval": "100"}}, job_status_interval=0.01) > 1


def test_a_debugger_is_noticed():
    """Its table of its own would fall between what people type."""
    before = sys.gettrace()
    assert not is_debugged()
    try:
        sys.settrace(Debugger().trace_dispatch)
        assert is_debugged()
    finally:
        sys.settrace(before)
    sys.modules["pydevd"] = sys
    try:
        assert is_debugged()
    finally:
        del sys.modules["pydevd"]


def test_the_report_can_be_asked_for_after_the_run():
    """It is that of the last one."""
    scheduler = Scheduler(logger=Lines())
    scheduler.run([first(n) for n in range(3)])
    assert any(
        line.split()[1:] == ["test_status.first", "0", "0", "0", "0", "3", "3"]
        for line in scheduler.get_job_status_report()
    )


def test_a_run_without_tables_is_heard_of_all_the_same(tmp_path, monkeypatch):
    """Its journal is touched."""
    monkeypatch.setattr("redun.scheduler.run.HEARTBEAT_SECONDS", 0.005)
    Repository.init(tmp_path / ".redun")
    repository = Repository.open(tmp_path / ".redun")
    touched = []
    touch = repository.store.touch
    repository.store.touch = lambda: touched.append(1) or touch()
    log = Lines()
    with pytest.raises(OSError, match="down"):
        Scheduler(backend=repository, logger=log, job_status_interval=0).run(fail_once([]))
    repository.close()
    assert touched
    assert sum("JOB STATUS" in line for line in log.lines) == 1


@pytest.mark.parametrize(
    ("interval", "heartbeat"),
    [(0, HEARTBEAT_SECONDS), (-1, HEARTBEAT_SECONDS), (5, 5), (20, 20), (86_400, HEARTBEAT_MAX_SECONDS)],
)
def test_a_heartbeat_comes_with_each_table_and_without_any(interval, heartbeat):
    """Others take a run for dead that they have not heard of for an hour: tables that are off must not cause that."""
    assert heartbeat_seconds(interval) == heartbeat
