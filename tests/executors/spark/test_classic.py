"""The executor on a Spark of this machine."""

from __future__ import annotations

import pytest

from redun.executors.spark import SparkExecutor
from redun.scheduler.errors import TimedOut
from redun.scheduler.scheduler import Scheduler
from redun.testing import executor_tasks as tasks
from redun.testing.executor import WorkflowExecutorSuite, is_alive, wait_until


@pytest.mark.cluster
class TestSparkOnThisMachine(WorkflowExecutorSuite):
    """It keeps the contract of executors, with local[2]."""

    @pytest.fixture
    def executor(self, local_spark):
        """One over the SparkContext of this process."""
        return SparkExecutor("spark", config={"master": "local[2]"})


@pytest.mark.cluster
def test_a_call_whose_time_is_up_is_ended(local_spark, tmp_path):
    """What it started goes too, unlike that of a thread; others are not disturbed."""
    scheduler = Scheduler()
    scheduler.add_executor(SparkExecutor("spark", config={"master": "local[2]"}))
    late = tasks.hold_script.options(executor="spark", timeout=10)(str(tmp_path))
    others = [tasks.add.options(executor="spark")(number, 1) for number in range(20)]
    assert scheduler.run(others) == list(range(1, 21))  # the workers have started
    with pytest.raises(TimedOut):
        scheduler.run([late, others], keep_going=True)
    child = int((tmp_path / "child").read_text())
    assert wait_until(lambda: not is_alive(child), 30)
    assert scheduler.run(others) == list(range(1, 21))
