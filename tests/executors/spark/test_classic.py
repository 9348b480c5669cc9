"""The executor on a Spark of this machine."""

from __future__ import annotations

import pytest

from redun.executors.spark import SparkExecutor
from redun.testing.executor import WorkflowExecutorSuite


@pytest.mark.cluster
class TestSparkOnThisMachine(WorkflowExecutorSuite):
    """It keeps the contract of executors, with local[2]."""

    @pytest.fixture
    def executor(self, local_spark):
        """One over the SparkContext of this process."""
        return SparkExecutor("spark", config={"master": "local[2]"})
