"""From what ``inspect`` prints of a container to how its job fares.  Pure."""

from __future__ import annotations

import json
from typing import Any

from redun.executors.docker.arguments import GIB
from redun.executors.exit_codes import describe_exit
from redun.executors.remote.submitter import RemoteState, RemoteStatus

STATE_TEMPLATE = "{{.Id}} {{.HostConfig.Memory}} {{json .State}}"
"""What ``inspect --format`` is to print of each container, on one line.  Podman 4 cannot put ``json .Id`` in a text."""

_WAITING = {"created", "configured", "initialized"}
_ENDED = {"exited", "dead", "stopped"}
_NOT_FOUND = 127  # of the init process in a container, as of a shell


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
    words = describe_exit(code)
    if code == _NOT_FOUND:
        return f"{words}, a program was not found: is redun installed in the image?"
    # Not every engine notices that the kernel did it: podman 4 with runc tells of the signal alone.
    return f"{words}; out of memory, perhaps: {limit}" if "SIGKILL" in words and memory_bytes else words
