"""What every executor promises, behind Spark Connect: run by a test, in a process without a SparkContext."""

from __future__ import annotations

import os

import pytest

from redun.executors.spark import SparkExecutor
from redun.testing.executor import WorkflowExecutorSuite


class TestSparkConnect(WorkflowExecutorSuite):
    """It keeps the contract of executors."""

    n_jobs = 500
    has_shared_path = False  # the server imports what it could when it started

    @pytest.fixture
    def executor(self):
        """One whose server is on this machine, and has redun installed."""
        return SparkExecutor("spark", config={"connect": os.environ["CONNECT_URL"], "code_package": False})
