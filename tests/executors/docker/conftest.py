"""A fake container engine, and the real ones: podman by itself, and docker's command line in front of podman."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from redun.executors.docker.command_line import ContainerCommand

SETTINGS = """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[engine]
runtime = "runc"
events_logger = "none"
"""
"""What podman needs inside another container, where it may not raise limits."""


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
