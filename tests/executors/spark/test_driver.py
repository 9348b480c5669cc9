"""Tasks that use Spark themselves: beside the session, with tables in and out by reference."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from redun import ShardedS3Dataset, task
from redun.errors import RedunError
from redun.executors.spark import SparkExecutor
from redun.glue import get_spark_session, sql_query, udf
from redun.scheduler.errors import Interrupted
from redun.scheduler.scheduler import Scheduler
from redun.store.repository import Repository
from redun.testing.executor import run_aside
from redun.testing.executor_tasks import wait_for

redun_namespace = "spark_driver"
pytestmark = pytest.mark.cluster
SECONDS = 60


@task(executor="spark", mode="driver", version="1")
def make_table(n: int, path: str) -> ShardedS3Dataset:
    frame = get_spark_session().range(n).selectExpr("id", "id % 3 AS rest")
    return ShardedS3Dataset.from_data(frame, path)


@task(executor="spark", mode="driver", version="1")
def count_by_rest(table: ShardedS3Dataset, path: str) -> ShardedS3Dataset:
    counted = sql_query(table.load_spark(validate=True), "SELECT rest, count(*) AS n FROM dataset GROUP BY rest")
    return ShardedS3Dataset.from_data(counted, path)


@task(executor="spark", version="1")
def add_up(table: ShardedS3Dataset) -> int:
    return int(table.load_pandas()["n"].sum())


@task(executor="spark", mode="driver", version="1")
def give_frame() -> list:
    return [get_spark_session().range(3)]


@task(executor="spark", version="1")
def ask_in_worker() -> int:
    return get_spark_session().range(3).count()


@task(executor="spark", mode="driver", version="1")
def compute_long(folder: str) -> int:
    @udf(return_type="long")
    def wait(number):
        import time

        Path(folder, "begun").touch()
        time.sleep(SECONDS)
        return number

    return len(get_spark_session().range(2).select(wait("id")).collect())


@task(executor="spark", mode="nowhere", version="1")
def run_nowhere() -> None:
    return None


@pytest.fixture
def scheduler(local_spark, tmp_path, monkeypatch):
    """A scheduler with an executor over the Spark of this process."""
    monkeypatch.chdir(tmp_path)
    repository = Repository.init(tmp_path / "repository")
    scheduler = Scheduler(backend=repository)
    scheduler.add_executor(SparkExecutor("spark", config={"master": "local[2]"}))
    yield scheduler
    repository.close()


def test_tables_go_from_task_to_task_by_reference(scheduler, tmp_path):
    """As datasets of Parquet files, with Spark beside the session and pandas in a worker; a second run does nothing."""
    table = make_table(10, "table")
    assert scheduler.run(add_up(count_by_rest(table, "counts"))) == 10
    files = sorted(path.stat().st_mtime_ns for path in tmp_path.glob("*/*.parquet"))
    assert scheduler.run(add_up(count_by_rest(table, "counts"))) == 10
    assert sorted(path.stat().st_mtime_ns for path in tmp_path.glob("*/*.parquet")) == files


def test_a_frame_as_a_result_is_refused_with_the_way_out(scheduler):
    """It is a plan for the cluster; the message says how to save it."""
    with pytest.raises(RedunError, match=r"ShardedS3Dataset\.from_data\(frame, path\)"):
        scheduler.run(give_frame())


def test_a_worker_that_asks_for_spark_is_told_where_it_is(scheduler):
    """The error names the option."""
    with pytest.raises(RedunError, match="no Spark session in a worker") as caught:
        scheduler.run(ask_in_worker())
    assert 'mode="driver"' in caught.value.hint


def test_a_run_that_stops_ends_the_spark_jobs_of_its_tasks(scheduler, tmp_path):
    """At once, though they would go on for long; and the session serves the next run."""
    ended = run_aside(scheduler, compute_long(str(tmp_path)))
    wait_for(tmp_path / "begun", SECONDS)
    scheduler.current_run().loop.interrupt(int(signal.SIGINT))
    assert isinstance(ended.get(timeout=SECONDS / 2), Interrupted)
    assert scheduler.run(add_up(count_by_rest(make_table(5, "table"), "counts"))) == 5


def test_a_mode_that_is_none_is_refused(scheduler):
    """The error names what there is."""
    with pytest.raises(RedunError, match=r"mode.*one of worker, driver.*nowhere"):
        scheduler.run(run_nowhere())
