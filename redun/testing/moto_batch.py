"""Jobs of moto's AWS Batch that run: each command line is a process of this machine.

moto keeps jobs and marks them; by itself it runs containers or nothing.  ``install(runner)`` puts ``ProcessJob`` in the
place of its class of jobs.  What counts for redun is as at AWS: attempts, exit codes, time limits, arrays, nodes, what
``TerminateJob`` ends, one log stream an attempt.  Imported by tests alone, after moto was.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from moto.batch import models
from moto.batch.responses import BatchResponse
from moto.batch.utils import JobStatus

_MAX_TIMEOUT_SECONDS = 120
_ENDED = {"SUCCEEDED", "FAILED"}
_asked = threading.local()
"""What SubmitJob was asked in this thread, and moto passes over."""


class JobRunner:
    """A few threads that run jobs in the order in which they were submitted: the machines of a queue."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *, n_machines: int = 4) -> None:
        """``folder`` is where commands run; ``environment`` what they see, before what the job says."""
        self.folder = folder
        self.environment = environment
        self.is_open = threading.Event()
        """While it is not set nothing begins."""
        self.is_open.set()
        self.errors: list[Exception] = []
        """Mistakes of these classes, not of the commands."""
        self._queue: SimpleQueue[Callable[[], None]] = SimpleQueue()
        for _ in range(n_machines):
            threading.Thread(target=self._serve, daemon=True).start()

    def submit(self, run: Callable[[], None]) -> None:
        """Run a job when there is a machine for it."""
        self._queue.put(run)

    def drop_waiting(self) -> None:
        """Forget what has not begun."""
        with suppress(Empty):
            while True:
                self._queue.get_nowait()

    def _serve(self) -> None:
        while True:
            run = self._queue.get()
            self.is_open.wait()
            try:
                run()
            except Exception as error:
                self.errors.append(error)


class ProcessJob(models.Job):  # type: ignore[misc]
    """A job whose command is a process, an array whose elements are, or nodes that are."""

    runner: JobRunner

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asked: Mapping[str, Any] = dict(getattr(_asked, "request", {}))
        self.reason: str | None = None
        self.job_stopped_reason: str | None = None
        self._processes: list[subprocess.Popen[bytes]] = []
        self._guard = threading.Lock()

    def start(self) -> None:
        self._status = "RUNNABLE"
        self.runner.submit(self.run)

    @property
    def status(self) -> str:
        """An array is PENDING until all of it has ended."""
        if not self._child_jobs:
            return str(JobStatus(self._status).value)
        found = {child.status for child in self._child_jobs}
        if found <= _ENDED:
            return "FAILED" if "FAILED" in found else "SUCCEEDED"
        return "PENDING"

    @status.setter
    def status(self, value: str) -> None:
        self._status = value

    def describe_short(self) -> dict[str, Any]:
        found: dict[str, Any] = super().describe_short()
        if self._child_jobs:
            found["arrayProperties"] = {"size": len(self._child_jobs)}
        return found

    def describe(self) -> dict[str, Any]:
        found: dict[str, Any] = super().describe()
        container = found.setdefault("container", {})
        if self.exit_code is not None:
            container["exitCode"] = self.exit_code
        if self.reason:
            container["reason"] = self.reason
        return found

    def terminate(self, reason: str) -> None:
        for child in self._child_jobs or ():
            child.terminate(reason)
        with self._guard:
            if self.job_stopped or self._child_jobs:
                return
            super().terminate(reason)
            for process in self._processes:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            if not self._processes:
                self._mark_stopped(success=False)

    def run(self) -> None:
        attempts: int = (self.asked.get("retryStrategy") or self.job_definition.retry_strategy or {}).get("attempts", 1)
        for attempt in range(1, attempts + 1):
            if self.stop:
                break
            code = self._run_attempt(attempt)
            self.exit_code = code
            if code == 0 or self.job_stopped_reason:
                break
        self.job_stopped_reason = self.job_stopped_reason or "Essential container in task exited"
        with self._guard:
            self._mark_stopped(success=self.exit_code == 0 and not self.stop)

    def _run_attempt(self, attempt: int) -> int:
        self.job_started_at = datetime.now()  # noqa: DTZ005  (as moto does)
        streams = [f"{self.job_definition.name}/default/{self.job_id}/{attempt}/{node}" for node in self._nodes()]
        self.log_stream_name = streams[0]
        self._start_attempt()
        with self._guard:
            if self.stop:
                return 137
            self._processes = [self._start_process(attempt, node) for node in self._nodes()]
            self._status = "RUNNING"
        readers = [threading.Thread(target=self._keep_log, args=pair) for pair in zip(self._processes, streams)]
        for reader in readers:
            reader.start()
        code = self._wait(readers)
        self._stop_attempt()
        assert self.latest_attempt is not None
        self.latest_attempt["container"]["exitCode"] = code
        return code

    def _wait(self, readers: list[threading.Thread]) -> int:
        """Wait for the main node, end the others with it, and return its exit code as a shell tells it."""
        main = self._processes[0]
        limit = self._get_attempt_duration()
        try:
            main.wait(limit or _MAX_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.job_stopped_reason = "Job attempt duration exceeded timeout"
        for process in self._processes:
            if process is main or process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        for process, reader in zip(self._processes, readers):
            process.wait()
            reader.join()
        return main.returncode if main.returncode >= 0 else 128 - main.returncode

    def _nodes(self) -> range:
        overrides = self.asked.get("nodeOverrides") or {}
        return range(overrides.get("numNodes", 1))

    def _start_process(self, attempt: int, node: int) -> subprocess.Popen[bytes]:
        overrides = self._overrides_of(node)
        environment = {**self.runner.environment, **self._variables(attempt, node)}
        environment.update((each["name"], each["value"]) for each in overrides.get("environment", ()))
        return subprocess.Popen(
            overrides["command"],
            cwd=self.runner.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _overrides_of(self, node: int) -> Mapping[str, Any]:
        groups = (self.asked.get("nodeOverrides") or {}).get("nodePropertyOverrides", ())
        for group in groups:
            first, _, last = group["targetNodes"].partition(":")
            if int(first or 0) <= node <= int(last or node):
                overrides: Mapping[str, Any] = group["containerOverrides"]
                return overrides
        return dict(self.container_overrides)

    def _variables(self, attempt: int, node: int) -> dict[str, str]:
        found = {
            "AWS_BATCH_JOB_ID": self.job_id,
            "AWS_BATCH_JOB_ATTEMPT": str(attempt),
            "AWS_BATCH_JQ_NAME": self.job_queue.name,
        }
        if "index" in self.array_properties:
            found["AWS_BATCH_JOB_ARRAY_INDEX"] = str(self.array_properties["index"])
        if self.asked.get("nodeOverrides"):
            found["AWS_BATCH_JOB_NODE_INDEX"] = str(node)
            found["AWS_BATCH_JOB_MAIN_NODE_INDEX"] = "0"
            found["AWS_BATCH_JOB_NUM_NODES"] = str(len(self._nodes()))
        return found

    def _keep_log(self, process: subprocess.Popen[bytes], stream: str) -> None:
        assert process.stdout is not None
        self._log_backend.ensure_log_group(self._log_group)
        self._log_backend.ensure_log_stream(self._log_group, stream)
        with process.stdout as output:
            for line in output:
                text = line.decode(errors="replace").rstrip("\n")
                event = {"timestamp": int(time.time() * 1000), "message": text or " "}
                self._log_backend.put_log_events(self._log_group, stream, [event])


@contextmanager
def installed(runner: JobRunner) -> Iterator[None]:
    """Let moto's Batch run its jobs with a runner, as long as the block lasts."""
    plain_submit, plain_describe = BatchResponse.submitjob, models.JobDefinition.describe

    def submit(self: Any) -> str:
        _asked.request = json.loads(self.body)
        return str(plain_submit(self))

    def describe(self: Any) -> dict[str, Any]:
        nodes = {"nodeProperties": self.node_properties} if self.node_properties else {}
        return {**plain_describe(self), **nodes}

    def describe_jobs(self: Any, jobs: list[str]) -> list[dict[str, Any]]:
        # moto goes through all jobs there are, and fails when others come meanwhile.
        return [self._jobs[job_id].describe() for job_id in jobs if job_id in self._jobs]

    ProcessJob.runner = runner
    ours: list[tuple[Any, str, Any]] = [
        (models, "Job", ProcessJob),
        (BatchResponse, "submitjob", submit),
        (models.JobDefinition, "describe", describe),
        (models.BatchBackend, "describe_jobs", describe_jobs),
    ]
    plain = [(owner, name, getattr(owner, name)) for owner, name, _ in ours]
    for owner, name, value in ours:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in plain:
            setattr(owner, name, value)
