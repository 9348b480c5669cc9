"""Remote executors do with whole workflows what every executor does."""

from __future__ import annotations

import pytest

from redun.testing.executor import WorkflowExecutorSuite


@pytest.mark.cluster
class TestRemoteExecutor(WorkflowExecutorSuite):
    """Over a cluster of this machine, whose jobs are processes."""

    n_jobs = 12
    has_shared_path = False

    @pytest.fixture
    def executor(self, make_remote, cluster):
        """Give one whose jobs make no arrays, over a cluster with room for three that wait."""
        cluster.n_slots = 3
        return make_remote()
