"""The executor on real clusters: a standalone one, whose parts are killed, and one behind Spark Connect."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from redun.testing.executor import wait_until

pytestmark = pytest.mark.cluster

SECONDS = 100
FLOW = """
import os, time
from pathlib import Path
from redun import File, task
from shared.numbers import square

redun_namespace = "flow"


@task(executor="spark")
def work(number: int, folder: str) -> tuple:
    Path(folder, f"begun-{number}-{os.getpid()}").touch()
    time.sleep(0.3)
    return square(number), os.getppid()


@task(executor="spark")
def size(data: bytes) -> int:
    return len(data)


@task(executor="spark")
def make(n: int) -> bytes:
    return bytes(n)


@task
def main(n: int, folder: str) -> list:
    return [work(number, folder) for number in range(n)]


@task
def large(n: int = 3 << 20) -> int:
    return size(make(n))
"""
INI = """
[executors.spark]
type = spark
{where}
python = {python}
result_seconds = 0.2
cluster_timeout = 4
spark.driver.memory = 512m
"""


class Project:
    """A project whose code nothing but its code package brings to the workers."""

    def __init__(self, folder: Path, environment: dict[str, str], where: str) -> None:
        self.folder = folder
        self.marks = folder / "marks"
        self._environment = environment
        (folder / ".redun").mkdir()
        (folder / "shared").mkdir()
        self.marks.mkdir()
        (folder / "flow.py").write_text(FLOW)
        (folder / "shared" / "numbers.py").write_text("def square(x):\n    return x * x\n")
        (folder / ".redun" / "redun.ini").write_text(INI.format(where=where, python=sys.executable))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start ``redun run``."""
        return subprocess.Popen(
            [str(Path(sys.executable).with_name("redun")), "run", "flow.py", *arguments],
            cwd=self.folder,
            env={**self._environment, "SPARK_LOCAL_IP": "127.0.0.1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def count_begun(self) -> int:
        """Return how many calls have begun."""
        return len(list(self.marks.iterdir()))


def end(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    """Wait for the end of a program; return what it wrote."""
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == code, f"{out}\n{err}"
    return out, err


def executors_of(worker: subprocess.Popen[bytes]) -> list[int]:
    """Return the process ids of a standalone worker's executors."""
    found = subprocess.run(["pgrep", "-P", str(worker.pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def test_calls_outlive_an_executor_that_is_killed(standalone, tmp_path, redun_environment):
    """Spark runs the parts of a lost executor again elsewhere; each call has its result."""
    project = Project(tmp_path, redun_environment, f"master = {standalone.master}")
    process = project.start("main", "--n", "40", "--folder", str(project.marks))
    assert wait_until(lambda: project.count_begun() >= 6 or process.poll() is not None, SECONDS)
    (first, *_) = executors_of(standalone.workers[0])
    os.kill(first, signal.SIGKILL)
    out, _ = end(process)
    results = eval(out)
    assert [square for square, _ in results] == [number * number for number in range(40)]
    assert project.count_begun() > 40 or project.count_begun() == 40


def test_a_cluster_that_goes_away_ends_the_run(standalone, tmp_path, redun_environment):
    """Its jobs fail soon, and say why; nothing waits for ever."""
    project = Project(tmp_path, redun_environment, f"master = {standalone.master}")
    process = project.start("main", "--n", "400", "--folder", str(project.marks))
    assert wait_until(lambda: project.count_begun() >= 6 or process.poll() is not None, SECONDS)
    killed = time.monotonic()
    for worker in standalone.workers:
        running = executors_of(worker)
        worker.kill()
        for one in running:
            os.kill(one, signal.SIGKILL)
    standalone.master_process.kill()
    _, err = end(process, code=1)
    assert "has no executor for this application" in err
    assert time.monotonic() - killed < 60


def test_large_values_go_by_the_scratch_or_along(standalone, tmp_path, redun_environment):
    """With a scratch they lie there; without one they are part of the parcels."""
    for name, scratch in (("along", ""), ("aside", f"scratch = {tmp_path}/scratch")):
        (tmp_path / name).mkdir()
        project = Project(tmp_path / name, redun_environment, f"master = {standalone.master}\n{scratch}")
        out, _ = end(project.start("large"))
        assert out.strip() == str(3 << 20)
    assert any((tmp_path / "scratch" / "objects" / "blob").iterdir())


def test_spark_connect_keeps_the_contract_of_executors(connect_url, tmp_path):
    """All of it.  In another process, since one with a SparkContext cannot have a session of Connect."""
    suite = str(Path(__file__).with_name("suite_behind_connect.py"))
    plain = ["-p", "no:xdist", "-p", "no:cacheprovider", "-o", "addopts=", "--import-mode=importlib", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plain, f"--basetemp={tmp_path / 'inner'}", "--timeout=120", suite],
        env={**os.environ, "CONNECT_URL": connect_url},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_calls_run_behind_spark_connect(connect_url, tmp_path, redun_environment):
    """Without Java or a SparkContext here; the code package goes along."""
    project = Project(tmp_path, redun_environment, f"connect = {connect_url}")
    out, _ = end(project.start("main", "--n", "20", "--folder", str(project.marks)))
    assert [square for square, _ in eval(out)] == [number * number for number in range(20)]
    assert end(project.start("large"))[0].strip() == str(3 << 20)
