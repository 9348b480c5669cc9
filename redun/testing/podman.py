"""A real container engine for tests: podman, with storage of its own, on a machine where one is root.

The image is empty: what runs in a container is this machine's Python, by volumes.  docker's own command line can stand
in front of it, by the socket that podman serves.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from types import TracebackType

PROGRAMS = ("podman", "runc", "conmon", "catatonit")
IMAGE = "localhost/redun-test:1"
START_SECONDS = 30.0
_POLL_SECONDS = 0.02
_SETTINGS = """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
netns = "host"
init_path = "{init_path}"

[engine]
runtime = "runc"
events_logger = "none"
"""
"""A container on a machine that is one itself may not raise its limits, and has no network to make."""


def find_missing() -> list[str]:
    """Return the programs that are not here."""
    return [name for name in PROGRAMS if shutil.which(name, path="/usr/bin:/usr/sbin:/usr/local/bin") is None]


class Podman:
    """The engine, from ``with`` to its end.

    Attributes:
        words: its command line.
        volumes: this machine's programs and Python, as option ``volumes`` takes them.
    """

    def __init__(self, folder: Path) -> None:
        """``folder``: where images and containers lie; empty, with a short path."""
        self.folder = folder
        settings = folder / "containers.conf"
        settings.write_text(_SETTINGS.format(init_path=shutil.which("catatonit")))
        places = [f"--root={folder / 'storage'}", f"--runroot={folder / 'run'}"]
        self.words = ["env", f"CONTAINERS_CONF={settings}", "podman", *places]
        seen = ["/usr", "/etc", sys.prefix, sys.base_prefix, str(Path(__file__).parents[2])]
        self.volumes = [f"{path}:{path}:ro" for path in dict.fromkeys(seen) if not path.startswith("/usr/")]
        self._service: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Podman:  # noqa: PYI034  (typing.Self came with Python 3.11)
        archive = self.folder / "image.tar"
        with tarfile.open(archive, "w") as image:
            for name in ("tmp", "proc", "sys", "dev", "etc", "root", "run", "usr"):
                entry = tarfile.TarInfo(name)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
                image.addfile(entry)
            for link in (Path("/bin"), Path("/sbin"), Path("/lib"), Path("/lib64")):
                if link.is_symlink():
                    image.add(link, link.name, recursive=False)
        self._run("import", str(archive), IMAGE)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._service is not None:
            self._service.terminate()
            self._service.wait()
        self._run("rm", "--all", "--force", "--time", "0")
        self._run("rmi", "--all", "--force")  # what is mounted below the folder is let go of

    def serve(self) -> list[str]:
        """Serve docker's protocol; return the command line of docker that speaks to it."""
        socket = self.folder / "s"
        if self._service is None:
            command = [*self.words, "system", "service", "--time", "0", f"unix://{socket}"]
            quiet = subprocess.DEVNULL
            self._service = subprocess.Popen(command, stdout=quiet, stderr=quiet, cwd=self.folder)
        limit = time.monotonic() + START_SECONDS
        while not socket.exists():
            if time.monotonic() > limit:
                raise TimeoutError(f"podman does not serve within {START_SECONDS:g} s")
            time.sleep(_POLL_SECONDS)
        return ["docker", "--host", f"unix://{socket}"]

    def _run(self, *words: str) -> None:
        subprocess.run(
            [*self.words, *words], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd=self.folder
        )
