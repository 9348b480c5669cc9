"""`redun forget` as it is typed, and what the next run makes of it."""

from __future__ import annotations

import json

import pytest

FLOW = """
from pathlib import Path
from redun import task

redun_namespace = "f"


@task()
def leaf(x):
    with open("runs.txt", "a") as stream:
        stream.write(f"leaf {x}\\n")
    return int(Path("number.txt").read_text()) + x


@task()
def twice(x, more=0):
    return [leaf(x), leaf(x + 1)]


@task(cache=True, check_valid="shallow")
async def awaiting(x):
    return await leaf(x)


@task()
def main(n: int = 1):
    return [twice(n), awaiting(n)]
"""


@pytest.fixture
def flow(tmp_path):
    """A workflow whose leaf reads a file behind redun's back: a result that one may want to forget."""
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "number.txt").write_text("100")
    return tmp_path


def _run(flow, redun_command):
    """Run it; return its result, and the calls of leaf that ran, which are in threads, by name."""
    runs = flow / "runs.txt"
    runs.write_text("")
    result = json.loads(redun_command("-q", "run", "flow.py", "main").stdout)
    return result, sorted(runs.read_text().splitlines())


def test_a_forgotten_task_runs_again_and_those_above_see_it(flow, redun_command):
    """In one step, awaited or stepped through: nobody serves what was made of the forgotten result."""
    assert _run(flow, redun_command) == ([[101, 102], 101], ["leaf 1", "leaf 2"])
    (flow / "number.txt").write_text("200")
    assert _run(flow, redun_command) == ([[101, 102], 101], [])
    told = redun_command("forget", "f.leaf").stdout
    assert told.count("would be forgotten: 1 recorded outcome of a call of f.leaf") == 2
    assert "Nothing was changed" in told
    assert _run(flow, redun_command)[1] == []
    record = json.loads(redun_command("forget", "f.leaf", "--apply", "--json").stdout)
    assert (record["applied"], [one["outcomes"] for one in record["evals"]]) == (True, [1, 1])
    result, ran = _run(flow, redun_command)
    assert (result, ran) == ([[201, 202], 201], ["leaf 1", "leaf 2"])
    assert _run(flow, redun_command) == ([[201, 202], 201], [])


def test_a_job_is_forgotten_by_its_id_and_an_execution_by_its(flow, redun_command):
    """Of the job its call runs again; the execution goes from the log."""
    _run(flow, redun_command)
    execution = json.loads(redun_command("log", "--json", "-").stdout)
    job = next(row["id"] for row in execution["jobs"] if row["task"] == "f.leaf")
    assert "1 recorded outcome" in redun_command("forget", job, "--yes").stdout
    assert len(_run(flow, redun_command)[1]) == 1
    assert "redun gc" in redun_command("forget", execution["id"], "--yes").stdout
    assert execution["id"][:8] not in redun_command("log").stdout


def test_what_is_not_on_record_is_an_error(flow, redun_command):
    """A mistyped hash, and an object that is no result."""
    _run(flow, redun_command)
    assert "nothing on record is called 'ffff0000'" in redun_command("forget", "ffff0000", code=1).stderr
    redun_command("forget", "f.leaf", "-y")
    assert redun_command("forget", "f.leaf", "-y").stdout == "Nothing is on record that could be forgotten.\n"


def test_a_remote_does_not_bring_back_what_was_forgotten(flow, redun_command):
    """Neither a pull nor a run that asks the remote: it is the same old result."""
    _run(flow, redun_command)
    redun_command("remote", "add", "origin", "../hub")
    redun_command("push")
    redun_command("forget", "f.leaf", "--apply")
    redun_command("pull")
    (flow / "number.txt").write_text("300")
    (flow / "runs.txt").write_text("")
    result = json.loads(redun_command("-q", "run", "--remote", "origin", "flow.py", "main").stdout)
    assert result == [[301, 302], 301]
