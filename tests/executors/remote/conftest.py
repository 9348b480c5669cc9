"""A remote executor over a cluster of this machine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from redun.executors.options import OptionTable
from redun.executors.remote.executor import RemoteExecutor
from redun.executors.remote.settings import common_options
from redun.testing.local_submitter import LocalSubmitter

MakeRemote = Callable[..., RemoteExecutor]

TABLE = OptionTable("local_cluster", common_options(worker_command=[sys.executable, "-m", "redun"]))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalSubmitter]:
    """A cluster whose jobs are ended with the test."""
    made = LocalSubmitter(tmp_path / "cluster")
    yield made
    made.end_all()


@pytest.fixture
def make_remote(tmp_path: Path, cluster: LocalSubmitter) -> MakeRemote:
    """Make an executor named ``remote`` over ``cluster``, or over another one; options are those of its section."""

    def make(submitter: Any = None, **section: Any) -> RemoteExecutor:
        quick = {"job_monitor_interval": 0.02, "min_array_size": 0, "code_package": False}
        values = TABLE.read_section("remote", {"scratch": str(tmp_path / "scratch"), **quick, **section})
        return RemoteExecutor(
            "remote", values, submitter or cluster, table=TABLE, scratch=values["scratch"], pauses=(0.01, 0.02, 0.02)
        )

    return make
