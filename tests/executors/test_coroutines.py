"""The thread that runs coroutines."""

from __future__ import annotations

import asyncio
import threading
from queue import SimpleQueue

from redun.executors.coroutines import CoroutineThread

WAIT_SECONDS = 20


class Waits:
    """Work that waits for ever, and says when it begins and how it ends."""

    def __init__(self, reports):
        self.reports = reports

    async def run_async(self):
        """Wait until cancelled."""
        self.reports.put(("begin", threading.current_thread().name))
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.reports.put(("cancelled", threading.current_thread().name))


class Stubborn(Waits):
    """Work that blocks the loop, so that nothing in it can be cancelled."""

    def __init__(self, reports, gate):
        super().__init__(reports)
        self.gate = gate

    async def run_async(self):
        """Hold the thread."""
        self.reports.put(("begin", ""))
        self.gate.wait(WAIT_SECONDS)
        self.reports.put(("end", ""))


def test_all_work_shares_one_thread_that_was_set_up():
    """The set-up runs once, in the thread that runs all work."""
    reports, set_up = SimpleQueue(), []
    thread = CoroutineThread(lambda: set_up.append(threading.current_thread().name))
    for _ in range(3):
        thread.submit(Waits(reports))
    began = [reports.get(timeout=WAIT_SECONDS) for _ in range(3)]
    thread.stop()
    assert {name for _, name in began} == set(set_up) == {"redun-async"}
    assert len(set_up) == 1


def test_cancelling_ends_one_piece_of_work():
    """The others go on."""
    reports = SimpleQueue()
    thread = CoroutineThread(lambda: None)
    first, second = Waits(reports), Waits(reports)
    thread.submit(first)
    thread.submit(second)
    assert [reports.get(timeout=WAIT_SECONDS)[0] for _ in range(2)] == ["begin", "begin"]
    thread.cancel(first)
    assert reports.get(timeout=WAIT_SECONDS)[0] == "cancelled"
    assert reports.empty()
    thread.stop()
    assert reports.get(timeout=WAIT_SECONDS)[0] == "cancelled"


def test_stopping_lets_coroutines_clean_up():
    """When stop returns, what was cancelled has ended, and so has the thread."""
    reports = SimpleQueue()
    thread = CoroutineThread(lambda: None)
    thread.submit(Waits(reports))
    reports.get(timeout=WAIT_SECONDS)
    thread.stop()
    assert reports.get_nowait()[0] == "cancelled"
    assert "redun-async" not in {one.name for one in threading.enumerate()}


def test_stopping_does_not_wait_for_what_blocks():
    """Work that blocks the loop is left behind once its time is up."""
    reports, gate = SimpleQueue(), threading.Event()
    thread = CoroutineThread(lambda: None)
    thread.submit(Stubborn(reports, gate))
    reports.get(timeout=WAIT_SECONDS)
    thread.stop(timeout_seconds=0)
    assert reports.empty()
    gate.set()
    assert reports.get(timeout=WAIT_SECONDS)[0] == "end"


def test_stopping_without_work_does_nothing():
    """No thread is made before there is work, and stopping twice is as stopping once."""
    thread = CoroutineThread(lambda: None)
    thread.stop()
    reports = SimpleQueue()
    thread.submit(Waits(reports))
    reports.get(timeout=WAIT_SECONDS)
    thread.stop()
    thread.stop()
    assert reports.get_nowait()[0] == "cancelled"
