"""From what ``inspect`` prints of a container to how its job fares.  Pure."""

from __future__ import annotations

import json
import signal
from typing import Any

from redun.executors.docker.arguments import GIB
from redun.executors.remote.submitter import RemoteState, RemoteStatus

STATE_TEMPLATE = "{{.Id}} {{.HostConfig.Memory}} {{json .State}}"
"""What ``inspect --format`` is to print of each container, on one line.  Podman 4 cannot put ``json .Id`` in a text."""

_WAITING = {"created", "configured", "initialized"}
_ENDED = {"exited", "dead", "stopped"}
_SIGNALS_FROM = 128
"""A program ended by signal N ends its container with this plus N."""


def read_states(printed: str) -> dict[str, RemoteState]:
    """Return states by container id, from lines printed by ``STATE_TEMPLATE``; lines that are empty are passed over."""
    states: dict[str, RemoteState] = {}
    for line in printed.splitlines():
        if line:
            container, memory_bytes, state = line.split(" ", 2)
            states[container] = _read_state(container, json.loads(state), int(memory_bytes))
    return states


def _read_state(container: str, state: dict[str, Any], memory_bytes: int) -> RemoteState:
    tags = {"docker_container": container[:12]}
    if state["Status"] in _WAITING:
        return RemoteState(RemoteStatus.WAITING, tags=tags)
    if state["Status"] not in _ENDED:
        return RemoteState(RemoteStatus.RUNNING, tags=tags)
    code = int(state["ExitCode"])
    if code == 0 and not state.get("Error"):
        return RemoteState(RemoteStatus.SUCCEEDED, tags=tags)
    reason = _describe_end(code, memory_bytes, is_out_of_memory=bool(state.get("OOMKilled")))
    if state.get("Error"):
        reason += f": {state['Error']}"
    return RemoteState(RemoteStatus.FAILED, reason, tags)


def _describe_end(code: int, memory_bytes: int, *, is_out_of_memory: bool) -> str:
    limit = f"its limit is {memory_bytes / GIB:.3g} GiB" if memory_bytes else "the machine has no more"
    if is_out_of_memory:
        return f"out of memory, {limit} (OOMKilled, exit code {code})"
    try:
        name = signal.Signals(code - _SIGNALS_FROM).name
    except ValueError:
        return f"exit code {code}"
    # Not every engine notices that the kernel did it: podman with runc on cgroup v2 tells of the signal alone.
    guess = f"; out of memory, perhaps: {limit}" if name == "SIGKILL" and memory_bytes else ""
    return f"ended by {name} (exit code {code}){guess}"
