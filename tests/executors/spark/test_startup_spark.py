"""Spark as it starts, does not start, and ends before its time.  Each in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.cluster

SECONDS = 110
HEAD = """
import os, signal, threading
from redun import Scheduler
from redun.executors.spark import SparkExecutor
from redun.testing import executor_tasks as tasks

executor = SparkExecutor("spark", config={"master": "local[2]"})
scheduler = Scheduler()
scheduler.add_executor(executor)
add = tasks.add.options(executor="spark")

def attempt(expression):
    try:
        print(scheduler.run(expression), flush=True)
    except Exception as error:
        print(type(error).__name__, error, getattr(error, "hint", ""), flush=True)
"""
GOES_AWAY = """
import tempfile
from pathlib import Path
from pyspark import SparkContext

def end_soon(end):
    folder = tempfile.mkdtemp()
    def run():
        tasks.wait_for(Path(folder, "held-0"))
        end()
    threading.Thread(target=run).start()
    return [tasks.hold.options(executor="spark")(folder, number) for number in range(5)]

attempt(add(1, 2))
attempt(end_soon(lambda: os.kill(SparkContext._gateway.proc.pid, signal.SIGKILL)))
attempt(add(1, 3))
attempt(end_soon(lambda: executor._cluster.session.sparkContext.stop()))
attempt(add(1, 4))
"""


def run_program(text: str, **environment: str) -> list[str]:
    """Run a program; return the lines that it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HEAD + text],
        env={**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_java_that_is_absent_is_named(spark_home, tmp_path):
    """With what to install; each job fails, and nothing waits."""
    lines = run_program("attempt(add(1, 2))\nattempt(add(1, 3))", JAVA_HOME=str(tmp_path))
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("JavaMissing executor 'spark': Spark cannot start Java")
        assert "install Java 17 or later" in line


def test_another_cluster_in_the_same_process_is_refused(spark_home):
    """A process has one SparkContext."""
    other = """
scheduler.add_executor(SparkExecutor("other", config={"master": "local[1]"}))
attempt(tasks.add.options(executor="other")(1, add(1, 2)))
"""
    (line,) = run_program(other)
    assert line.startswith("SparkBusy executor 'other': expected to start Spark with master 'local[1]', found")
    assert "Spark Connect" in line


def test_workers_without_redun_are_told_of(spark_home, tmp_path):
    """With what to install there."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    program = f"""
section = {{"master": "local[2]", "python": {str(tmp_path / "bare" / "bin" / "python")!r}}}
scheduler.add_executor(SparkExecutor("bare", config=section))
attempt(tasks.add.options(executor="bare")(1, 2))
"""
    (line,) = run_program(program)
    assert "ModuleNotFoundError: No module named" in line
    assert line.endswith("install redun, of the same version, in the Python of Spark's workers")


def test_spark_that_goes_away_fails_its_jobs_and_is_started_again(spark_home):
    """Whether its Java process is killed or somebody stops the context."""
    first, killed, second, stopped, third = run_program(GOES_AWAY)
    assert [first, second, third] == ["3", "4", "5"]
    assert killed.startswith("SparkFailed Spark: its Java process has ended")
    assert re.search(r"^SparkFailed Spark: .*SparkContext (has stopped|was shut down)", stopped)


def test_a_connect_server_that_is_not_there_is_named(spark_home):
    """Within half a minute, where pyspark itself would ask for ten."""
    program = """
scheduler.add_executor(SparkExecutor("far", config={"connect": "sc://127.0.0.1:1"}))
attempt(tasks.add.options(executor="far")(1, 2))
"""
    (line,) = run_program(program)
    assert "executor 'far': Spark at sc://127.0.0.1:1 cannot be used: failed to connect" in line
