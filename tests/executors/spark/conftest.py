"""Real Spark, once for each run of the tests: local[2], a standalone master with two workers, a Connect server.

A process has one SparkContext, so tests on the standalone cluster run in processes of their own.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

START_SECONDS = 100


class Daemons:
    """Programs of Spark that serve until the end of the tests."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home = home
        self.folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a class of Spark; its log is ``<last part of its name>-<n>.log``."""
        log = self.folder / f"{arguments[0].rpartition('.')[2]}-{len(self._processes)}.log"
        process = subprocess.Popen(
            [str(self.home / "bin" / "spark-class"), *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "SPARK_HOME": str(self.home),
                "SPARK_LOCAL_IP": "127.0.0.1",
                "SPARK_DAEMON_MEMORY": "256m",
                "PYSPARK_PYTHON": sys.executable,
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=log.open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def wait_for(self, is_up: Callable[[], bool]) -> None:
        """Wait until something answers."""
        deadline = time.monotonic() + START_SECONDS
        while not is_up():
            logs = "".join(path.read_text()[-2000:] for path in self.folder.glob("*.log"))
            assert time.monotonic() < deadline, f"Spark does not start: {logs}"
            assert all(process.poll() is None for process in self._processes), logs
            time.sleep(0.1)

    def stop(self) -> None:
        """End them all."""
        for process in reversed(self._processes):
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Tell whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Standalone(Daemons):
    """A master and two workers, of two cores each."""

    def __init__(self, home: Path, folder: Path) -> None:
        super().__init__(home, folder)
        self._port, self._page_port = free_port(), free_port()
        self.master = f"spark://127.0.0.1:{self._port}"
        self.workers: list[subprocess.Popen[bytes]] = []

    def begin(self) -> None:
        """Start them, and wait until the workers have registered."""
        place = ("--host", "127.0.0.1", "--port", str(self._port), "--webui-port", str(self._page_port))
        self.master_process = self.start("org.apache.spark.deploy.master.Master", *place)
        self.wait_for(lambda: answers(self._port) and answers(self._page_port))
        self.workers = [self._start_worker(number) for number in range(2)]
        self.wait_for(lambda: self._count_workers() == 2)

    def _start_worker(self, number: int) -> subprocess.Popen[bytes]:
        folder = str(self.folder / f"work-{number}")
        size = ("-c", "2", "-m", "1g", "--webui-port", "0", "--host", "127.0.0.1")
        return self.start("org.apache.spark.deploy.worker.Worker", *size, "-d", folder, self.master)

    def _count_workers(self) -> int:
        try:
            with urlopen(f"http://127.0.0.1:{self._page_port}/json/", timeout=10) as reply:
                return int(json.load(reply)["aliveworkers"])
        except (OSError, ValueError):
            return 0  # a page that is not there yet


@pytest.fixture
def standalone(spark_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    """A standalone cluster of its own, since tests kill parts of it."""
    cluster = Standalone(spark_home, tmp_path_factory.mktemp("standalone"))
    try:
        cluster.begin()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def connect_url(spark_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Spark Connect server over local[2]."""
    pytest.importorskip("grpc", reason="there is no grpc: pip install 'redun[spark]'")
    port = free_port()
    server = Daemons(spark_home, tmp_path_factory.mktemp("connect"))
    settings = {
        "spark.connect.grpc.binding.port": str(port),
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.python.unix.domain.socket.enabled": "true",
    }
    pairs = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    arguments = ("--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "--master", "local[2]")
    try:
        server.start(
            "org.apache.spark.deploy.SparkSubmit", *arguments, *pairs, "spark-internal", SPARK_DAEMON_MEMORY="700m"
        )
        server.wait_for(lambda: answers(port))
        yield f"sc://127.0.0.1:{port}"
    finally:
        server.stop()
