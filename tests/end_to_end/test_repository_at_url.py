"""A repository in a bucket of a real S3 server, as users work with it: the command line on two machines."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

WORKFLOW = """
import os, time
from pathlib import Path
from redun import File, task

redun_namespace = "shop"

@task()
def double(x: int) -> int:
    with open(os.environ["RUNS"], "a") as stream:
        stream.write(f"double {x}\\n")
    return 2 * x

@task()
def write(n: int) -> File:
    with open(os.environ["RUNS"], "a") as stream:
        stream.write("write\\n")
    file = File("big.txt")
    file.write("x" * n)
    return file

@task()
def main(n: int = 3, size: int = 2_000_000):
    return [[double(x) for x in range(n)], write(size)]

@task()
def wait(seconds: float, x: int) -> int:
    Path(os.environ["RUNS"]).with_name("waits").touch()
    time.sleep(seconds)
    return x

@task()
def last(x: int, y: int) -> int:
    return x + y

@task()
def slow(seconds: float):
    return last(wait(seconds, double(100)), 1)
"""
LIMIT_SECONDS = 60
SEED = 20261123


class Machine:
    """A folder of its own with the project, and the command line in it."""

    def __init__(self, folder, redun, url):
        self.folder = folder
        self.runs = folder.with_name(f"{folder.name}-runs")
        self.runs.write_text("")
        self._redun = redun
        (folder / ".redun").mkdir(parents=True)
        (folder / "shop.py").write_text(WORKFLOW)
        (folder / ".redun/redun.ini").write_text(f"[repository]\nurl = {url}\n")

    def redun(self, *words, code=0, **environment):
        return self._redun(*words, cwd=self.folder, code=code, RUNS=str(self.runs), **environment)

    def start(self, *words):
        program = str(Path(sys.executable).with_name("redun"))
        environment = {**os.environ, "RUNS": str(self.runs), "NO_COLOR": "1"}
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [program, *words], cwd=self.folder, env=environment, stdout=pipe, stderr=pipe, text=True
        )

    def wait_for(self, is_so):
        limit = time.monotonic() + LIMIT_SECONDS
        while not is_so():
            assert time.monotonic() < limit
            time.sleep(0.02)

    @property
    def n_runs(self):
        return len(self.runs.read_text().splitlines())

    def executions(self):
        return [(one["id"], one["status"]) for one in json.loads(self.redun("log", "--json").stdout)]


@pytest.fixture
def url(s3_bucket):
    return f"{s3_bucket}/team/shop"


@pytest.fixture
def redun(redun_command, s3_bucket):
    """The command, which finds the bucket's server."""
    found = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    return lambda *words, **options: redun_command(*words, **{**found, **options})


@pytest.fixture
def here(tmp_path, redun, url):
    return Machine(tmp_path / "here", redun, url)


@pytest.fixture
def there(tmp_path, redun, url):
    return Machine(tmp_path / "there", redun, url)


def test_what_one_machine_ran_another_does_not(here, there):
    """The second machine takes all from the bucket, the file's content included, and both see both executions."""
    first = here.redun("run", "shop.py", "main")
    assert here.n_runs == 4
    assert "[0, 2, 4]" in first.stdout
    assert here.redun("run", "shop.py", "main").stdout == first.stdout
    assert here.n_runs == 4
    assert there.redun("run", "shop.py", "main").stdout == first.stdout
    assert there.n_runs == 0
    assert (there.folder / "big.txt").stat().st_size == 2_000_000
    assert [status for _, status in here.executions()] == ["DONE"] * 3
    assert not list((here.folder / ".redun").glob("objects/*"))


def test_commands_take_a_url(here, tmp_path, redun, url):
    """With -r, from a folder that has nothing: log, show, du and fsck read the bucket and leave nothing behind."""
    here.redun("run", "shop.py", "main")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shown = json.loads(redun("-r", url, "log", "--json", cwd=elsewhere).stdout)
    job = json.loads(redun("-r", url, "log", "--json", "--job", "--task-name", "shop.double", cwd=elsewhere).stdout)
    assert len(shown) == 1
    assert len(job) == 3
    redun("-r", url, "show", shown[0]["object"] if "object" in shown[0] else job[0]["call_hash"], cwd=elsewhere)
    assert url in redun("-r", url, "du", cwd=elsewhere).stdout
    assert "Clean." in redun("-r", url, "fsck", cwd=elsewhere).stdout
    assert list(elsewhere.iterdir()) == []


def test_push_and_clone(here, tmp_path, redun, url):
    """A repository at a URL is a remote to others, and has remotes itself."""
    here.redun("run", "shop.py", "main")
    redun("clone", url, "copy", cwd=tmp_path)
    copy = tmp_path / "copy"
    (copy / "shop.py").write_text(WORKFLOW)
    runs = tmp_path / "copy-runs"
    redun("run", "shop.py", "main", cwd=copy, RUNS=str(runs))
    assert not runs.exists()
    assert "1 execution" in redun("push", cwd=copy).stdout
    assert len(here.executions()) == 2
    here.redun("remote", "add", "disk", str(tmp_path / "disk"))
    assert "2 executions" in here.redun("push", "disk").stdout
    other = tmp_path / "other"
    other.mkdir()
    second = f"{url}-second"
    redun("-r", second, "init", cwd=other)
    redun("remote", "add", "disk", str(tmp_path / "disk"), cwd=other)
    assert "2 executions" in redun("-r", second, "pull", "disk", cwd=other).stdout
    assert "Clean." in redun("-r", second, "fsck", cwd=other).stdout


def test_a_killed_run_is_sent_by_the_next_process(here, there):
    """What the run had finished is found by everybody, once somebody opens the repository from there again."""
    run = here.start("run", "shop.py", "slow", "--seconds", "600")
    here.wait_for(lambda: here.runs.with_name("waits").exists())
    assert there.executions() == here.executions()
    assert [status for _, status in there.executions()] == ["RUNNING"]
    run.send_signal(signal.SIGKILL)
    run.communicate()
    assert [status for _, status in here.executions()] == ["INTERRUPTED"]
    assert [status for _, status in there.executions()] == ["RUNNING"]  # it cannot be seen from there
    here.redun("run", "shop.py", "double", "--x", "100")
    assert here.n_runs == 1
    assert sorted(status for _, status in there.executions()) == ["DONE", "INTERRUPTED"]
    there.redun("run", "shop.py", "double", "--x", "100")
    assert there.n_runs == 0


def test_two_machines_at_once(here, there):
    """What both have run is there in the end, whole, and each finds what the other has run."""
    runs = [
        (machine, machine.start("run", "shop.py", "main", "--n", str(n)))
        for machine, n in ((here, 30), (there, 40), (here, 35), (there, 45))
    ]
    for _, run in runs:
        _, errors = run.communicate(timeout=LIMIT_SECONDS)
        assert run.returncode == 0, errors
    assert [status for _, status in here.executions()] == ["DONE"] * 4
    assert "Clean." in here.redun("fsck").stdout
    before = here.n_runs, there.n_runs
    for machine in (here, there):
        machine.redun("run", "shop.py", "main", "--n", "45")
    assert (here.n_runs, there.n_runs) == before


@pytest.mark.stress
@pytest.mark.timeout(900)
def test_kills_at_any_moment_lose_nothing_that_was_sent(here, there, tmp_path, redun, url):
    """Runs of two machines are killed at random; whoever comes next finds both sound, and runs nothing twice."""
    random.seed(SEED)
    for number in range(int(os.environ.get("REDUN_STRESS_ROUNDS", "12"))):
        words = ("run", "shop.py", "main", "--n", str(number * 7 + 20), "--size", str(1_500_000 + number))
        runs = [machine.start(*words) for machine in (here, there, here)]
        for run in random.sample(runs, 2):
            time.sleep(random.random() * 0.4)
            run.send_signal(signal.SIGKILL)
        for run in runs:
            run.communicate(timeout=LIMIT_SECONDS)
        for machine in (here, there):
            machine.redun(*words)
        before = here.n_runs, there.n_runs
        assert "Clean." in redun("-r", url, "fsck", cwd=tmp_path).stdout, f"round {number}, seed {SEED}"
        third = Machine(tmp_path / f"third-{number}", redun, url)
        third.redun(*words)
        assert (here.n_runs, there.n_runs, third.n_runs) == (*before, 0), f"round {number}, seed {SEED}"
    assert set(dict(here.executions()).values()) <= {"DONE", "INTERRUPTED", "RUNNING"}
    waiting = [path for machine in (here, there) for path in machine.folder.glob(".redun/spool/*/objects/*/**/*")]
    assert not [path for path in waiting if path.is_file()]
