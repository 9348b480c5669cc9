"""The part of a fake Google Batch that runs things: jobs, and tasks that are processes of this machine.

State is brought up to date whenever somebody looks: there is no thread.  Attempts, time limits and the codes that
Google has for them are as on its machines.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

OVERDUE_CODE = 50005


class FakeTask:
    """One task of a job, in one attempt or several."""

    def __init__(self, job: FakeGoogleJob, index: int) -> None:
        self.job, self.index = job, index
        self.log = job.folder / f"{job.job_id}-{index}.log"
        self.state = "PENDING"
        self.events: list[dict[str, Any]] = []
        self._n_failures = 0
        self._began = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def advance(self) -> None:
        """Start it, or note that it has ended."""
        if self.state == "PENDING":
            self._start()
        if self.state != "RUNNING" or self._process is None:
            return
        limit = self.job.max_run_seconds
        is_overdue = limit is not None and time.monotonic() - self._began > limit
        if is_overdue:
            self.kill()
        code = self._process.poll()
        if code is not None:
            self._end(OVERDUE_CODE if is_overdue else 128 - code if code < 0 else code)

    def kill(self) -> None:
        """End its processes, if any."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def show(self) -> dict[str, Any]:
        """Return the Task message, as JSON."""
        name = f"{self.job.name}/taskGroups/group0/tasks/{self.index}"
        return {"name": name, "status": {"state": self.state, "statusEvents": self.events}}

    def _start(self) -> None:
        spec = self.job.spec
        container = spec["runnables"][0]["container"]
        settings = {**spec["environment"]["variables"], "BATCH_TASK_INDEX": str(self.index)}
        settings["BATCH_TASK_COUNT"] = str(self.job.n_tasks)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "/usr/bin/env",
                    *(f"{name}={value}" for name, value in settings.items()),
                    container["entrypoint"],
                    *container.get("commands", ()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._began = time.monotonic()
        self._change("RUNNING", None)

    def _end(self, code: int) -> None:
        if code == 0:
            self._change("SUCCEEDED", code)
            return
        self._n_failures += 1
        self._change("FAILED" if self._n_failures > self.job.spec.get("maxRetryCount", 0) else "PENDING", code)

    def _change(self, state: str, code: int | None) -> None:
        words = f"Task state is updated from {self.state} to {state} on zones/z/instances/i"
        event: dict[str, Any] = {"description": words, "taskState": state, "eventTime": _stamp(len(self.events))}
        if code:
            event["taskExecution"] = {"exitCode": code}
            event["description"] += f" with exit code {code}"
        self.events.append(event)
        self.state = state


class FakeGoogleJob:
    """A job, and its tasks."""

    def __init__(self, name: str, body: dict[str, Any], folder: Path) -> None:
        """``body``: the Job message as JSON, checked."""
        self.name, self.body, self.folder = name, body, folder
        self.job_id = name.rpartition("/")[2]
        self.uid = f"{self.job_id[:20]}-uid"
        group = body["taskGroups"][0]
        self.spec: dict[str, Any] = group["taskSpec"]
        self.n_tasks = int(group.get("taskCount", 1))
        duration = self.spec.get("maxRunDuration")
        self.max_run_seconds = None if duration is None else float(duration.rstrip("s"))
        self.is_cancelled = False
        self.tasks = [FakeTask(self, index) for index in range(self.n_tasks)]
        self.advance()

    @property
    def state(self) -> str:
        """The state of the whole."""
        states = {task.state for task in self.tasks}
        if self.is_cancelled:
            return "CANCELLED"
        if states <= {"SUCCEEDED", "FAILED"}:
            return "FAILED" if "FAILED" in states else "SUCCEEDED"
        return "RUNNING"

    def advance(self) -> None:
        """Bring its tasks up to date."""
        for task in self.tasks if not self.is_cancelled else ():
            task.advance()

    def cancel(self) -> None:
        """End it."""
        self.is_cancelled = True
        self.kill()
        for task in self.tasks:
            if task.state in {"PENDING", "RUNNING"}:
                task.state = "UNEXECUTED"

    def kill(self) -> None:
        """End all processes."""
        for task in self.tasks:
            task.kill()

    def show(self) -> dict[str, Any]:
        """Return the Job message, as JSON."""
        counts: dict[str, int] = {}
        for task in self.tasks:
            counts[task.state] = counts.get(task.state, 0) + 1
        event = {"description": f"Job state is set to {self.state}", "eventTime": _stamp(0)}
        groups = {"group0": {"counts": {state: str(count) for state, count in counts.items()}}}
        status = {"state": self.state, "statusEvents": [event], "taskGroups": groups}
        return {**self.body, "name": self.name, "uid": self.uid, "createTime": _stamp(0), "status": status}


def _stamp(number: int) -> str:
    return f"2026-01-01T00:{number // 60:02d}:{number % 60:02d}Z"
