"""A server of Azure's blobs for tests: Azurite, one process on a free port of this machine, which keeps all in memory.

npm's ``azurite`` brings the program ``azurite-blob``; it checks signatures as Azure does.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path

from redun.testing.server_process import START_SECONDS, ServerProcess
from redun.testing.started import free_ports

ACCOUNT = "testaccount"
KEY = base64.b64encode(b"the key of the account of tests").decode()
_VERSION = "2021-08-06"


def find_program() -> str | None:
    """Return the server's program: in the folder ``azurite`` of this environment, else on the path; None: not there."""
    if shutil.which("node") is None:
        return None
    beside = Path(sys.prefix, "azurite/node_modules/.bin/azurite-blob")
    return str(beside) if beside.exists() else shutil.which("azurite-blob")


class AzureServer(ServerProcess):
    """The server; ``program`` is what ``find_program`` gave."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables by which every client of Azure finds it."""
        return self.environment_at(self.url)

    def environment_at(self, url: str) -> Mapping[str, str]:
        """Return the same for another URL where it is reached: a proxy's."""
        words = {"DefaultEndpointsProtocol": "http", "AccountName": ACCOUNT, "AccountKey": KEY}
        words["BlobEndpoint"] = f"{url}/{ACCOUNT}"
        return {"AZURE_STORAGE_CONNECTION_STRING": ";".join(f"{word}={value}" for word, value in words.items())}

    def make_container(self, name: str, *, is_public: bool = False) -> None:
        """Make an empty container; of one that is public, everybody may read and list what is in it."""
        self._ask("PUT", name, {"x-ms-blob-public-access": "container"} if is_public else {})

    def delete_container(self, name: str) -> None:
        """Delete a container and what is in it."""
        self._ask("DELETE", name, {})

    def _prepare(self) -> list[str]:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        options = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
        return [*options, "--disableProductStyleUrl", "--blobPort", str(port)]

    def _surroundings(self) -> Mapping[str, str]:
        node = Path(shutil.which("node") or "/usr/bin/node").parent
        return {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}", "HOME": str(self.folder), "PATH": f"{node}:/usr/bin:/bin"}

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(self.url, timeout=START_SECONDS).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def _ask(self, method: str, container: str, more: Mapping[str, str]) -> None:
        fields = {**more, "x-ms-date": formatdate(usegmt=True), "x-ms-version": _VERSION}  # in order of name
        lines = [method, *[""] * 11, *(f"{name}:{value}" for name, value in fields.items())]
        lines += [f"/{ACCOUNT}/{ACCOUNT}/{container}", "restype:container"]
        signed = hmac.new(base64.b64decode(KEY), "\n".join(lines).encode(), hashlib.sha256).digest()
        fields["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(signed).decode()}"
        url = f"{self.url}/{ACCOUNT}/{container}?restype=container"
        urllib.request.urlopen(urllib.request.Request(url, headers=fields, method=method)).close()
