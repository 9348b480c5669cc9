"""How a container's state is told."""

from __future__ import annotations

import json

import pytest

from redun.executors.docker.states import read_states
from redun.executors.remote.submitter import RemoteStatus


def line(status, code=0, *, memory=0, killed=False, error=""):
    """Return what the engine prints."""
    state = {"Status": status, "ExitCode": code, "OOMKilled": killed, "Error": error}
    return f"0123456789abcdef {memory} {json.dumps(state)}\n"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("created", RemoteStatus.WAITING),
        ("initialized", RemoteStatus.WAITING),
        ("running", RemoteStatus.RUNNING),
        ("paused", RemoteStatus.RUNNING),
        ("restarting", RemoteStatus.RUNNING),
        ("exited", RemoteStatus.SUCCEEDED),
    ],
)
def test_the_words_of_engines_are_understood(status, expected):
    """Those of docker and those that only podman has; the container's id goes to the redun job."""
    (state,) = read_states(line(status)).values()
    assert state.status is expected
    assert state.tags == {"docker_container": "0123456789ab"}


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        (line("exited", 3), "exit code 3"),
        (line("exited", 137), "ended by SIGKILL (exit code 137)"),
        (line("exited", 139), "ended by SIGSEGV (exit code 139)"),
        (line("exited", 255), "exit code 255"),
        (
            line("exited", 137, memory=1 << 30),
            "ended by SIGKILL (exit code 137); out of memory, perhaps: its limit is 1 GiB",
        ),
        (
            line("exited", 137, memory=3 << 29, killed=True),
            "out of memory, its limit is 1.5 GiB (OOMKilled, exit code 137)",
        ),
        (line("exited", 1, killed=True), "out of memory, the machine has no more (OOMKilled, exit code 1)"),
        (line("dead", 126, error="exec failed"), "exit code 126: exec failed"),
        (line("exited", 127), "exit code 127, a program was not found: is redun installed in the image?"),
    ],
)
def test_a_failure_has_a_reason(printed, reason):
    """With the signal's name, the limit of memory, and the engine's own words."""
    (state,) = read_states(printed).values()
    assert (state.status, state.reason) == (RemoteStatus.FAILED, reason)


def test_containers_are_told_apart():
    """Each line is one."""
    printed = line("running") + line("exited").replace("0123", "4567")
    assert list(read_states(printed)) == ["0123456789abcdef", "4567456789abcdef"]
