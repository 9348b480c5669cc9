"""A cluster of one machine: a Submitter that runs command lines as processes of this one, and fails on demand.

All that it knows lies in a folder, one folder per job, so a new one goes on where another left off.  At most
``n_slots`` jobs run at once; others wait, and begin when somebody asks how they fare.  A job runs in a session of its
own, under a shell that notes its exit code; so it outlives whoever submitted it.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from redun.executors.remote.submitter import RemoteState, RemoteStatus, Submission, Submitter, SubmitterError

RANK_VARIABLE = "LOCAL_ARRAY_INDEX"
_RUN = 'cd "$1" || exit 1; out=$2; shift 2; "$@" >"$out/log" 2>&1; echo $? >"$out/.exit"; mv "$out/.exit" "$out/exit"'


class LocalSubmitter(Submitter):
    """Runs jobs here.  The attributes that are not in the contract are for tests."""

    array_rank_variable = RANK_VARIABLE
    max_array_size = 1000

    def __init__(self, root: Path, *, n_slots: int = 2, cwd: Path | None = None) -> None:
        """Make one over a folder; ``cwd`` is where jobs run, the folder itself when None."""
        self.root = root
        self._cwd = cwd or root
        self.n_slots = n_slots
        self._children: list[subprocess.Popen[bytes]] = []
        self.calls: list[str] = []
        """The verbs that were called, in order."""
        self.polled: list[int] = []
        """Of how many jobs each poll asked."""
        self.submissions: list[Submission] = []
        self.n_throttled = 0
        """How many of the next calls are to fail as throttled ones do."""
        self.refusal: SubmitterError | None = None
        """What every verb is to raise."""
        self.loses_reply = False
        """Whether the next submission is to be taken, and its reply lost."""
        self.is_held = False
        """Whether jobs that wait go on waiting."""
        self.forgotten: set[str] = set()
        """Jobs that the cluster is to know nothing of."""

    def check(self) -> None:
        self._enter("check")
        self.root.mkdir(parents=True, exist_ok=True)

    def submit(self, submission: Submission) -> list[str]:
        self._enter("submit")
        self.submissions.append(submission)
        with self._locked():
            known = {spec["name"]: job_id for job_id, spec in self._iter_specs() if spec["token"] == submission.token}
            names = [submission.name]
            if submission.is_array:
                names = [f"{submission.name}:{rank}" for rank in range(submission.size)]
            ids = [known.get(name) or self._add(submission, name, rank) for rank, name in enumerate(names)]
        if self.loses_reply:
            self.loses_reply = False
            raise ConnectionError("the reply was lost")
        self._begin_some()
        return ids

    def poll(self, ids: Sequence[str]) -> dict[str, RemoteState]:
        self._enter("poll")
        self.polled.append(len(ids))
        self._begin_some()
        return {job_id: self._state_of(job_id) for job_id in ids}

    def cancel(self, ids: Sequence[str], reason: str) -> None:
        self._enter("cancel")
        for job_id in ids:
            if self._status_of(job_id) in {RemoteStatus.WAITING, RemoteStatus.RUNNING}:
                (self.root / job_id / "cancelled").write_text(reason)
                self.kill(job_id)

    def fetch_log(self, job_id: str, max_lines: int) -> list[str]:
        self._enter("fetch_log")
        with suppress(FileNotFoundError):
            return (self.root / job_id / "log").read_text(errors="replace").splitlines()[-max_lines:]
        return []

    def find_live(self, prefix: str) -> dict[str, str]:
        self._enter("find_live")
        live = {RemoteStatus.WAITING, RemoteStatus.RUNNING}
        return {
            spec["name"]: job_id
            for job_id, spec in self._iter_specs()
            if spec["name"].startswith(prefix) and self._status_of(job_id) in live
        }

    # -- for tests

    def kill(self, job_id: str) -> None:
        """End all processes of a job, as the kernel does when memory runs out."""
        with suppress(FileNotFoundError, ProcessLookupError):
            os.killpg(int((self.root / job_id / "pid").read_text()), signal.SIGKILL)

    def end_all(self) -> None:
        """End every job that is left, and wait for those that began here."""
        self.is_held = True
        for job_id in self._iter_ids():
            self.kill(job_id)
        for child in self._children:
            child.wait()

    def n_calls(self, verb: str) -> int:
        """Return how often a verb was called."""
        return self.calls.count(verb)

    # -- private steps

    def _enter(self, verb: str) -> None:
        self.calls.append(verb)
        if self.refusal is not None:
            raise self.refusal
        if self.n_throttled:
            self.n_throttled -= 1
            raise OSError("the cluster is busy, try again later")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _add(self, submission: Submission, name: str, rank: int) -> str:
        job_id = f"{sum(1 for _ in self._iter_ids()):06d}-{uuid.uuid4().hex[:8]}"
        environment = {**submission.environment, **({RANK_VARIABLE: str(rank)} if submission.is_array else {})}
        draft = self.root / f".{job_id}"
        draft.mkdir()
        spec = {"name": name, "token": submission.token, "command": submission.command, "environment": environment}
        (draft / "spec").write_text(json.dumps(spec))
        draft.rename(self.root / job_id)
        return job_id

    def _begin_some(self) -> None:
        """Begin jobs that wait, as far as there are slots."""
        for child in self._children:
            child.poll()  # or it would go on to be found among the living
        if self.is_held:
            return
        with self._locked():
            states = [(job_id, self._status_of(job_id)) for job_id in self._iter_ids()]
            n_free = self.n_slots - sum(status is RemoteStatus.RUNNING for _, status in states)
            waiting = [job_id for job_id, status in states if status is RemoteStatus.WAITING]
            for job_id in waiting[: max(0, n_free)]:
                self._begin(job_id)

    def _begin(self, job_id: str) -> None:
        folder = self.root / job_id
        spec = self._read_spec(job_id)
        variables = [f"{name}={value}" for name, value in spec["environment"].items()]
        child = subprocess.Popen(
            ["sh", "-c", _RUN, "sh", str(self._cwd), str(folder), "env", *variables, *spec["command"]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._children.append(child)
        (folder / ".pid").write_text(str(child.pid))
        (folder / ".pid").rename(folder / "pid")

    def _iter_ids(self) -> Iterator[str]:
        if self.root.is_dir():
            yield from sorted(folder.name for folder in self.root.iterdir() if not folder.name.startswith("."))

    def _iter_specs(self) -> Iterator[tuple[str, Any]]:
        for job_id in self._iter_ids():
            yield job_id, self._read_spec(job_id)

    def _read_spec(self, job_id: str) -> Any:
        return json.loads((self.root / job_id / "spec").read_text())

    def _status_of(self, job_id: str) -> RemoteStatus:
        return self._state_of(job_id).status

    def _state_of(self, job_id: str) -> RemoteState:
        folder = self.root / job_id
        tags = {"local_job": job_id}
        if job_id in self.forgotten or not folder.is_dir():
            return RemoteState(RemoteStatus.GONE, "there is no such job")
        if (folder / "cancelled").exists():
            return RemoteState(RemoteStatus.FAILED, f"cancelled: {(folder / 'cancelled').read_text()}", tags)
        if not (folder / "pid").exists():
            return RemoteState(RemoteStatus.WAITING, "", tags)
        is_alive = _is_alive(int((folder / "pid").read_text()))
        if (folder / "exit").exists():
            code = int((folder / "exit").read_text())
            return RemoteState(RemoteStatus.FAILED if code else RemoteStatus.SUCCEEDED, _told(code), tags)
        if is_alive:
            return RemoteState(RemoteStatus.RUNNING, "", tags)
        return RemoteState(RemoteStatus.FAILED, _told(128 + signal.SIGKILL), tags)


def _told(code: int) -> str:
    if code > 128:
        with suppress(ValueError):
            return f"killed by {signal.Signals(code - 128).name}"
    return f"exit code {code}" if code else ""


def _is_alive(process_id: int) -> bool:
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
