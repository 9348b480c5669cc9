"""From what Slurm prints of jobs to how they fare.  Pure.

``squeue`` is asked in columns and not with ``--json``: its JSON changes from version to version, costs 3.5 KiB a job,
and passes over every filter up to Slurm 22, so that each look would carry all jobs of the whole cluster.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from redun.executors.remote.submitter import RemoteState, RemoteStatus

QUEUE_FORMAT = "JobArrayID:|,State:|,exit_code:|,NodeList:|,Reason:|,Name:"
COMMENT_FORMAT = "JobArrayID:|,Comment:"
ACCOUNT_FORMAT = "JobID,State,ExitCode,NodeList,Reason,JobName"

_WAITING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
_FAILED = {
    "BOOT_FAIL": "a node did not start",
    "CANCELLED": "somebody cancelled it",
    "DEADLINE": "its deadline was over",
    "FAILED": "",
    "LAUNCH_FAILED": "it could not be started",
    "NODE_FAIL": "its node failed",
    "OUT_OF_MEMORY": "it used more memory than option memory allows",
    "PREEMPTED": "it gave way to another job",
    "RECONFIG_FAIL": "a node could not be set up",
    "REVOKED": "another cluster took it",
    "TIMEOUT": "its time limit was over",
}
_HOPELESS = {"BadConstraints", "DependencyNeverSatisfied", "InvalidAccount", "InvalidQOS", "PartitionTimeLimit"}
"""Reasons for which a job that waits will wait for ever.  Most others pass, though it may take an administrator."""
_OF_ONE_JOB = "PerJob"
"""In the names of limits on what one job may ask for: QOSMaxCpuPerJobLimit.  Those on all jobs of a user pass."""

_SIGNALS_FROM = 128
"""A shell tells of a program that signal N ended by the exit code 128 + N."""
_NO_LOG = 53
"""The signal that Slurm reports when it cannot open the job's output file."""


class Seen(NamedTuple):
    """What Slurm prints of one job."""

    state: str  # a word of Slurm's
    exit_code: int
    signal: int
    node: str
    reason: str
    name: str


def read_queue(printed: str) -> Iterator[tuple[str, Seen]]:
    """Yield (id, job) of each line that ``squeue`` printed by ``QUEUE_FORMAT``."""
    return _read_lines(printed)


def read_accounts(printed: str) -> Iterator[tuple[str, Seen]]:
    """Yield (id, job) of each line that ``sacct --parsable2`` printed by ``ACCOUNT_FORMAT``."""
    return _read_lines(printed)


def judge(job_id: str, seen: Seen | None, exit_code: int | None, notes: Iterable[str] = ()) -> RemoteState:
    """Return how a job fares.

    Args:
        job_id: of the job or the element.
        seen: what Slurm knows of it, if anything.
        exit_code: what its script said at its end, if it did.
        notes: what Slurm wrote into the job's log, to be told when it failed.
    """
    # A number, so that `--tag slurm_job=41` finds it.
    tags: dict[str, Any] = {"slurm_job": int(job_id) if job_id.isdecimal() else job_id}
    if seen is None:
        if exit_code is None:
            # So are, at once, elements that somebody takes out of an array whose others wait on.
            why = "it was cancelled before it began, or ended by force"
            return RemoteState(RemoteStatus.GONE, f"Slurm has no job {job_id} any more, nor an exit code: {why}", tags)
        status = RemoteStatus.FAILED if exit_code else RemoteStatus.SUCCEEDED
        return RemoteState(status, _describe_exit(exit_code, 0) if exit_code else "", tags)
    if seen.node:
        tags["slurm_node"] = seen.node
    if seen.state in _WAITING:
        if seen.reason not in _HOPELESS and _OF_ONE_JOB not in seen.reason:
            return RemoteState(RemoteStatus.WAITING, "", tags)
        return RemoteState(RemoteStatus.FAILED, f"it would wait for ever: {seen.reason}", tags)
    # The command is done, and Slurm cleans up behind it, for minutes when its epilog is slow.  Of a job that failed it
    # tells why only when that is over.
    if seen.state == "COMPLETED" or (seen.state == "COMPLETING" and exit_code == 0):
        return RemoteState(RemoteStatus.SUCCEEDED, "", tags)
    if seen.state in _FAILED:
        return RemoteState(RemoteStatus.FAILED, _describe_failure(seen, exit_code, notes), tags)
    return RemoteState(RemoteStatus.RUNNING, "", tags)  # a word that is not known here, too: it has not ended


def is_failed(seen: Seen | None) -> bool:
    """Tell whether a job has ended in any other way than by success."""
    return seen is not None and seen.state in _FAILED


def _read_lines(printed: str) -> Iterator[tuple[str, Seen]]:
    for line in printed.splitlines():
        columns = line.split("|", 5)
        if len(columns) == 6:
            job_id, state, ended, node, reason, name = (column.strip() for column in columns)
            # "CANCELLED by 1000"; a node that was never given: "None assigned".
            node = "" if node in {"", "(null)", "None assigned"} else node
            yield job_id, Seen(state.split(" ")[0].rstrip("+"), *_read_end(ended), node, reason, name)


def _read_end(text: str) -> tuple[int, int]:
    """Return (exit code, signal) from ``code:signal``, or from the status that wait(2) gives."""
    code, colon, number = text.partition(":")
    if not code.isdigit():
        return 0, 0
    if colon:
        return int(code), int(number or 0)
    return int(code) >> 8, int(code) & 0x7F


def _describe_failure(seen: Seen, exit_code: int | None, notes: Iterable[str]) -> str:
    told = list(notes)
    # Where no cgroup watches over memory, the node's daemon ends the job, and Slurm tells of a signal alone.
    is_short = any(sign in note.lower() for note in told for sign in ("memory limit", "oom"))
    meaning = _FAILED["OUT_OF_MEMORY" if is_short else seen.state]
    parts = [f"{seen.state} ({meaning})" if meaning else seen.state]
    if seen.signal == _NO_LOG:
        parts.append("Slurm could not write the job's log: is the folder of logs there on the node?")
    else:
        parts.append(_describe_exit(seen.exit_code or exit_code or 0, seen.signal))
    # Of what was cancelled, or ran, it is the reason for which it had waited.
    if seen.state != "CANCELLED" and seen.reason not in {"", "None", "NonZeroExitCode", "TimeLimit", "OutOfMemory"}:
        parts.append(f"reason {seen.reason}")
    if seen.node:
        parts.append(f"on node {seen.node}")
    return ", ".join(filter(None, [*parts, *told]))


def _describe_exit(exit_code: int, number: int) -> str:
    if not exit_code and not number:
        return ""
    name = _signal_name(number or exit_code - _SIGNALS_FROM)
    if number:
        return f"ended by {name or f'signal {number}'}"
    return f"exit code {exit_code} ({name})" if name else f"exit code {exit_code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""
