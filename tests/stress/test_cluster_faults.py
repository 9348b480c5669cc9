"""A cluster where everything goes wrong at once: each job ends once, and no run hangs."""

from __future__ import annotations

import random
import threading
import time
from queue import Empty, SimpleQueue

import pytest

from redun.executors.remote import monitor
from redun.testing.local_submitter import LocalSubmitter
from redun.testing.shell_work import FAILURE, RESULT, TABLE, ShellExecutor, ShellWork

pytestmark = pytest.mark.stress

SCRIPTS = [RESULT, FAILURE, "exit 3", f"sleep 0.1; {RESULT}", "true", "kill -9 $$"]
N_WORKS = 40
HANG_SECONDS = 60.0


class Chaos(threading.Thread):
    """Throttles, loses replies, forgets and kills jobs, holds the queue, and takes work back."""

    def __init__(self, cluster, executor, works, rng):
        super().__init__(daemon=True)
        self.cluster, self.executor, self.works, self.rng = cluster, executor, works, rng
        self.is_over = threading.Event()

    def run(self):
        while not self.is_over.wait(self.rng.random() * 0.05):
            ids = [path.name for path in self.cluster.root.glob("[0-9]*")] or ["none"]
            self.rng.choice([self.throttle, self.lose, self.forget, self.kill, self.hold, self.abandon])(
                self.rng.choice(ids)
            )
        self.cluster.n_throttled, self.cluster.is_held = 0, False

    def throttle(self, _job):
        self.cluster.n_throttled = self.rng.randrange(6)

    def lose(self, _job):
        self.cluster.loses_reply = True

    def forget(self, job):
        self.cluster.forgotten.add(job)

    def kill(self, job):
        self.cluster.kill(job)

    def hold(self, _job):
        self.cluster.is_held = not self.cluster.is_held

    def abandon(self, _job):
        self.executor.abandon(self.rng.choice(self.works))


@pytest.mark.parametrize("seed", range(6))
def test_each_job_ends_once_whatever_happens(tmp_path, monkeypatch, seed):
    """Five runs one after the other on one cluster; some are stopped, and what they left is there for the next."""
    monkeypatch.setattr(monitor, "LOOK_AGAIN_SECONDS", (0.05, 0.1))
    rng = random.Random(seed)
    cluster = LocalSubmitter(tmp_path / "cluster", n_slots=6)
    section = {
        "scratch": str(tmp_path / "scratch"),
        "job_monitor_interval": 0.02,
        "min_array_size": rng.choice([0, 2, 3]),
        "job_stale_time": 0.05,
        "code_package": False,
        "heartbeat_interval": rng.choice([0, 0.5]),
    }
    values = TABLE.read_section("remote", section)
    try:
        for _ in range(5):
            executor = ShellExecutor(
                "remote", values, cluster, table=TABLE, scratch=values["scratch"], pauses=(0.01, 0.02, 0.03)
            )
            _check_one_run(cluster, executor, rng)
    finally:
        cluster.end_all()


def _check_one_run(cluster, executor, rng):
    reports = SimpleQueue()
    executor.start(reports.put, lambda: None)
    works = [_make_work(rng) for _ in range(N_WORKS)]
    chaos = Chaos(cluster, executor, works, rng)
    chaos.start()
    for work in works:
        executor.submit(work)
    n_dropped = executor.cancel_waiting() if rng.random() < 0.3 else 0
    deadline, ended = time.monotonic() + HANG_SECONDS, []
    while len(ended) < N_WORKS - n_dropped:
        assert time.monotonic() < deadline, f"{len(ended)} of {N_WORKS} ended, {n_dropped} were dropped"
        try:
            ended.append(reports.get(timeout=1))
        except Empty:
            cluster.is_held = False
    chaos.is_over.set()
    chaos.join()
    assert len({id(work) for work in ended}) == len(ended)
    assert all(work.outcome is not None or work.error is not None for work in ended)
    if rng.random() < 0.5:
        executor.cancel_running()
    executor.stop()
    assert reports.empty()


def _make_work(rng):
    options = {"alone": rng.random() < 0.3, **({"timeout": 0.05} if rng.random() < 0.1 else {})}
    return ShellWork(f"{rng.choice(SCRIPTS)} # {rng.randrange(30)}", is_reusable=rng.random() < 0.7, **options)
