"""What the Python workers of Spark do, in a process of its own: they fork, and a process with threads should not."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from redun.executors.spark.part import decode_result
from redun.testing.executor import is_alive, wait_until

PROGRAM = """
import json, sys
import redun.worker.spark_child as child
from redun.executors.spark.part import Place, encode_part
from redun.testing.portable_work import run_command
from redun.worker.spark_part import run_part

child.run_parcel = run_command  # commands as parcels
for line in sys.stdin:
    commands, seconds, run = json.loads(line)
    place = Place(run=run, folder=None, code=None, scratch=None, result_seconds=seconds)
    part = encode_part((number, json.dumps(words).encode()) for number, words in enumerate(commands))
    print(run_part(part, place).hex(), flush=True)
"""


class Worker:
    """A worker of Spark, without Spark."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def send(self, *commands: list[str], seconds: float = 60.0, run: str = "run") -> None:
        """Give it a part."""
        self.process.stdin.write(json.dumps([commands, seconds, run]) + "\n")
        self.process.stdin.flush()

    def ask(self, *commands: list[str], seconds: float = 60.0, run: str = "run"):
        """Have it run a part; return values by number, deaths by number, and what was not begun."""
        self.send(*commands, seconds=seconds, run=run)
        result = decode_result(bytes.fromhex(self.process.stdout.readline()))
        return {one.number: json.loads(one.outcome) for one in result.done}, dict(result.died), result.undone


@pytest.fixture
def worker():
    """One of its own."""
    made = Worker()
    yield made
    made.process.kill()
    made.process.communicate()


def test_calls_run_in_one_process_that_stays(worker):
    """In order, and the next part in the same process: what was imported is there; another run has another one."""
    values, _, _ = worker.ask(["process"], ["echo", "a"], ["process"])
    assert values[0] == values[2] != worker.process.pid
    assert values[1] == "a"
    assert worker.ask(["process"])[0] == {0: values[0]}
    assert worker.ask(["process"], run="next")[0] != {0: values[0]}
    assert not is_alive(values[0])


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["kill", "SIGKILL"], "SIGKILL"),
        (["kill", "SIGSEGV"], "SIGSEGV"),
        (["kill_beside", "SIGKILL"], "SIGKILL"),
        (["close_all"], "exit code 1"),
        (["break"], "exit code 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_a_call_whose_process_dies_costs_no_other(worker, command, told):
    """It is told of what; those before it have their results, those after it run in another process."""
    values, died, undone = worker.ask(["echo", "before"], command, ["echo", "after"])
    assert values == {0: "before", 2: "after"}
    assert told in died[1]
    assert undone == []


def test_what_did_not_begin_in_time_is_handed_back(worker, tmp_path):
    """The first call runs in any case."""
    values, died, undone = worker.ask(["echo", "a"], ["echo", "b"], ["echo", "c"], seconds=0.0)
    assert values == {0: "a"}
    assert died == {}
    assert undone == [1, 2]


def test_what_runs_ends_with_the_worker(worker, tmp_path):
    """Spark kills workers without a word; the process of the call goes too."""
    held = tmp_path / "held"
    worker.send(["hold", str(held), str(tmp_path / "never")])
    assert wait_until(held.exists, 30)
    child = int(held.read_text())
    worker.process.kill()
    begun = time.monotonic()
    assert wait_until(lambda: not is_alive(child), 30)
    assert time.monotonic() - begun < 10
