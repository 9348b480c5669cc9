"""A fake container engine, and the real ones: podman by itself, and docker's command line in front of podman."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

from redun.executors.docker.command_line import ContainerCommand
from redun.testing.podman import Podman, find_missing


class FakeEngine:
    """The command line of ``fake_engine.py``, and what its engine has."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.words = [sys.executable, "-S", str(Path(__file__).with_name("fake_engine.py")), str(home)]
        (home / "images").write_text("lab:1 lab:2")
        (home / "volumes").write_text("cache")

    @property
    def calls(self) -> list[str]:
        """The first two words of each call, in order."""
        return (self.home / "calls").read_text().splitlines()

    def read(self, container: str, name: str) -> str:
        """Return a file of a container."""
        folders = [self.home / "containers" / container, self.home / f"removed-{container}"]
        return next((each / name).read_text() for each in folders if each.exists())


@pytest.fixture
def engine(tmp_path):
    """A fake engine with images lab:1 and lab:2 and a volume cache."""
    home = tmp_path / "engine"
    home.mkdir()
    return FakeEngine(home)


@pytest.fixture
def command(engine):
    """The command line of the fake."""
    return ContainerCommand(engine.words)


@pytest.fixture(scope="session")
def podman():
    """A real engine, for all tests of this process that want it."""
    missing = find_missing()
    if missing:
        pytest.skip(f"there is no {' and no '.join(missing)}: apt-get install podman runc conmon catatonit")
    if os.getuid() != 0:
        pytest.skip("containers of containers need root")
    # Not below pytest's own folder: the path of a socket has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="redun-podman-") as folder, Podman(Path(folder)) as engine:
        yield engine
