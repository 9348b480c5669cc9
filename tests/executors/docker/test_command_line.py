"""How the engine's command line is run, and what its errors mean."""

from __future__ import annotations

import sys

import pytest

from redun.executors.docker.command_line import ContainerCommand, EngineRefused, EngineUnreachable, last_words
from redun.executors.remote.submitter import SubmitterError


def test_output_comes_back(command):
    """What the engine prints is the answer."""
    assert command.run("version") == "fake\n"


def test_a_refusal_carries_the_engines_words(command):
    """Without the advice to read its help."""
    with pytest.raises(EngineRefused) as got:
        command.run("pull", "nothing:1")
    words = "Error response from daemon: pull access denied for nothing:1, repository does not exist"
    assert got.value.words == words
    assert str(got.value).endswith(f" pull: {words}")


def test_an_engine_that_is_away_may_come_back(command, engine):
    """It is an OSError, which is worth another try."""
    (engine.home / "down").touch()
    with pytest.raises(EngineUnreachable, match="Cannot connect to the Docker daemon"):
        command.ask(["ps"])


def test_an_engine_that_does_not_answer_is_away():
    """Waiting has an end."""
    stuck = ContainerCommand([sys.executable, "-c", "import time; time.sleep(60)"])
    with pytest.raises(EngineUnreachable, match=r"no answer within 0 s"):
        stuck.run(seconds=0.05)


def test_a_missing_program_is_told_with_what_to_do():
    """Another engine can be named."""
    with pytest.raises(SubmitterError, match="cannot run 'dockr': No such file or directory") as got:
        ContainerCommand(["dockr"]).run("version")
    assert "command = podman" in got.value.hint


@pytest.mark.parametrize(
    ("words", "is_podman"),
    [(["podman"], True), (["/usr/bin/podman-remote"], True), (["sudo", "podman"], True), (["docker"], False)],
)
def test_podman_is_known_by_its_name(words, is_podman):
    """The few words that differ between engines depend on it."""
    assert ContainerCommand(words).is_podman is is_podman


def test_last_words_leave_out_what_says_nothing():
    """Progress, log lines and advice."""
    said = (
        "Unable to find image 'x' locally\ntime=2 level=warn\ndocker: Error response from daemon: no.\n\nRun 'docker'\n"
    )
    assert last_words(said) == "Error response from daemon: no."
