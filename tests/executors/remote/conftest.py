"""A remote executor over a cluster of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from redun.executors.remote.executor import RemoteExecutor
from redun.testing.local_submitter import LocalSubmitter
from redun.testing.shell_work import TABLE, ShellExecutor, ShellWork

WAIT_SECONDS = 30.0
MakeRemote = Callable[..., RemoteExecutor]


class Execution:
    """One run of an executor: hands work in and gets it back."""

    def __init__(self, executor: RemoteExecutor) -> None:
        self.executor = executor
        self.reports: SimpleQueue[Any] = SimpleQueue()
        executor.start(self.reports.put, lambda: None)

    def submit(self, *works: ShellWork) -> None:
        for work in works:
            self.executor.submit(work)

    def wait(self, n_works: int = 1) -> list[ShellWork]:
        """Return the next works that are reported."""
        return [self.reports.get(timeout=WAIT_SECONDS) for _ in range(n_works)]

    def do(self, *works: ShellWork) -> None:
        """Run works to their end; no other comes back, and none twice."""
        self.submit(*works)
        assert {id(work) for work in self.wait(len(works))} == {id(work) for work in works}
        with pytest.raises(Empty):
            self.reports.get_nowait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalSubmitter]:
    """A cluster whose jobs are ended with the test."""
    made = LocalSubmitter(tmp_path / "cluster", n_slots=4)
    yield made
    made.refusal, made.n_throttled = None, 0
    made.end_all()


@pytest.fixture
def make_remote(tmp_path: Path, cluster: LocalSubmitter) -> MakeRemote:
    """Make an executor named ``remote`` over ``cluster``, or over another one; options are those of its section."""

    def make(cls: Any = RemoteExecutor, submitter: Any = None, base: Path | None = None, **section: Any) -> Any:
        quick = {"job_monitor_interval": 0.02, "min_array_size": 0, "code_package": False}
        values = TABLE.read_section("remote", {"scratch": str(tmp_path / "scratch"), **quick, **section})
        cluster_ = submitter or cluster
        scratch, pauses = values["scratch"], (0.01, 0.02, 0.02)
        return cls("remote", values, cluster_, table=TABLE, scratch=scratch, base=base, pauses=pauses)

    return make


@pytest.fixture
def execution() -> type[Execution]:
    """The class, for tests that make the executor themselves."""
    return Execution


@pytest.fixture
def run(make_remote: MakeRemote) -> Iterator[Callable[..., Execution]]:
    """Begin an execution of shells."""
    begun: list[Execution] = []

    def begin(**section: Any) -> Execution:
        begun.append(Execution(make_remote(ShellExecutor, **section)))
        return begun[-1]

    yield begin
    for one in begun:
        one.executor.stop()
