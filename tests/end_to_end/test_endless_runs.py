"""Workflows that never end by themselves: Ctrl-C stops them, with everything on record."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

from redun.objects.kinds import Kind
from redun.store.repository import Repository

WORKFLOW = """
import asyncio

from redun import task

redun_namespace = "endless"


@task()
def again(n: int = 0) -> int:
    return again(n + 1)


@task(version="1")
def inner(x: int) -> int:
    return x


@task(cache=False)
async def waits() -> int:
    await inner(1)
    try:
        print("it waits", flush=True)
        await asyncio.get_running_loop().create_future()
    finally:
        await asyncio.sleep(0)
        print("it cleans up", flush=True)
    return 1
"""
WAIT_SECONDS = 30
N_JOBS = 300


def start(folder, task_name):
    """Start a workflow in a process of its own."""
    (folder / "wf.py").write_text(WORKFLOW)
    command = [sys.executable, "-m", "redun", "run", "wf.py", task_name]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def count(folder, kind):
    """Return how many objects of a kind are on record."""
    repository = Repository.open(folder / ".redun", writable=False)
    try:
        return sum(1 for _ in repository.store.iter_oids(kind))
    finally:
        repository.close()


def test_a_recursion_without_end_is_stopped_by_ctrl_c(tmp_path):
    """It ends at once, as interrupted, each job that had run is on record, and the next run takes them from there."""
    process = start(tmp_path, "again")
    n_run = 0
    for line in process.stderr:
        n_run += "Run    Job" in line
        if n_run == N_JOBS:
            break
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=WAIT_SECONDS)
    n_run += len(re.findall("Run    Job", said))
    assert process.returncode == 130
    assert "interrupted" in said
    n_recorded = count(tmp_path, Kind.REDUCTION)
    assert n_run - 1 <= n_recorded <= n_run

    process = start(tmp_path, "again")
    # Nothing is said of a job whose reduction is on record: the first that runs comes after all of those.
    first = next(line for line in process.stderr if "Run    Job" in line)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=WAIT_SECONDS)
    assert int(re.search(r"\(n=(\d+)\)", first)[1]) >= n_recorded - 1


def test_a_coroutine_that_waits_is_cancelled_by_ctrl_c(tmp_path):
    """It gets to clean up, and what it had awaited is on record."""
    process = start(tmp_path, "waits")
    assert process.stdout.readline() == "it waits\n"
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, printed) == (130, "it cleans up\n")
    assert "Traceback" not in said
    assert count(tmp_path, Kind.CALL) == 1
