"""Runs of moto's AWS Glue that run: the script is a process of this machine, with the files that Glue would fetch.

``installed(runner, fetch)`` puts ``ProcessRun`` in the place of moto's class of runs, lists the newest runs first as
AWS does, and adds ``BatchStopJobRun``, which moto lacks.  There is no Spark in it.  Imported by tests alone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from moto.core.responses import ActionResult
from moto.glue import models
from moto.glue.responses import GlueResponse
from moto.logs.models import logs_backends

from redun.testing.moto_batch import JobRunner

_LOG_GROUP = "/aws-glue/jobs"
_FILES = {"--extra-py-files", "--extra-files"}


class ProcessRun(models.FakeJobRun):  # type: ignore[misc]
    """A run whose script is a process."""

    runner: JobRunner
    fetch: Callable[[str], bytes]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._state = "STARTING"
        self._process: subprocess.Popen[str] | None = None
        self._guard = threading.Lock()
        self.error = ""

    @property
    def status(self) -> str:
        """Where the process is, not how often it was asked."""
        return self._state

    def as_dict(self) -> dict[str, Any]:
        error = {"ErrorMessage": self.error} if self.error else {}
        return {**super().as_dict(), "LogGroupName": _LOG_GROUP, **error}

    def run(self, job: Any) -> None:
        """Run the script of a job, and wait."""
        folder = Path(tempfile.mkdtemp(dir=self.runner.folder))
        script = self._place(job.command["ScriptLocation"], folder)
        files = {name: self._place_each(name, folder) for name in _FILES}
        words = [word for pair in (self.arguments or {}).items() for word in pair]
        environment = {**self.runner.environment, "PYTHONPATH": os.pathsep.join(files["--extra-py-files"])}
        with self._guard:
            if self._state != "STARTING":
                return
            self._process = subprocess.Popen(
                [sys.executable, script, "--JOB_NAME", self.job_name, *words],
                cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True, start_new_session=True,
            )  # fmt: skip
            self._state = "RUNNING"
        outputs = self._process.communicate()
        for kind, text in zip(("output", "error"), outputs):
            self._keep_log(logs_backends[job.backend.account_id][job.backend.region_name], f"{_LOG_GROUP}/{kind}", text)
        with self._guard:
            if self._state == "RUNNING":
                code = self._process.returncode
                if code < 0:
                    self.error = f"Command failed with exit code {128 - code}"
                elif code:
                    self.error = f"SystemExit: {code}"
                self._state = "FAILED" if code else "SUCCEEDED"

    def end(self) -> None:
        """Stop the run, whether it has begun or not."""
        with self._guard:
            if self._state not in {"STARTING", "RUNNING"}:
                return
            self._state = "STOPPED"
            if self._process is not None:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def _place_each(self, argument: str, folder: Path) -> list[str]:
        named: str = (self.arguments or {}).get(argument, "")
        return [self._place(url, folder) for url in named.split(",") if url]

    def _place(self, url: str, folder: Path) -> str:
        place = folder / url.rpartition("/")[2]
        place.write_bytes(type(self).fetch(url))
        return str(place)

    def _keep_log(self, logs: Any, group: str, text: str) -> None:
        events = [{"timestamp": int(time.time() * 1000), "message": line} for line in text.splitlines() if line]
        if events:
            logs.ensure_log_group(group)
            logs.ensure_log_stream(group, self.job_run_id)
            logs.put_log_events(group, self.job_run_id, events)


@contextmanager
def installed(runner: JobRunner, fetch: Callable[[str], bytes]) -> Iterator[None]:
    """Let moto's Glue run its jobs, as long as the block lasts; ``fetch`` reads what a URL names."""
    plain_run, plain_start, plain_list = models.FakeJobRun, models.FakeJob.start_job_run, models.FakeJob.get_job_runs

    def start(self: Any, **asked: Any) -> str:
        run_id = str(plain_start(self, **asked))
        run = self.job_runs[-1]
        runner.submit(lambda: run.run(self))
        return run_id

    def stop(self: Any) -> Any:
        job = self.glue_backend.get_job(self.parameters["JobName"])
        for run in job.job_runs:
            if run.job_run_id in self.parameters["JobRunIds"]:
                run.end()
        return ActionResult(_stopped(self.parameters))

    ProcessRun.runner, ProcessRun.fetch = runner, staticmethod(fetch)
    models.FakeJobRun, models.FakeJob.start_job_run = ProcessRun, start
    models.FakeJob.get_job_runs = lambda self: plain_list(self)[::-1]
    GlueResponse.batch_stop_job_run = stop
    try:
        yield
    finally:
        models.FakeJobRun, models.FakeJob.start_job_run, models.FakeJob.get_job_runs = (
            plain_run,
            plain_start,
            plain_list,
        )
        del GlueResponse.batch_stop_job_run


def _stopped(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "SuccessfulSubmissions": [{"JobName": asked["JobName"], "JobRunId": run_id} for run_id in asked["JobRunIds"]],
        "Errors": [],
    }
