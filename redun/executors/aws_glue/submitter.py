"""How AWS Glue is talked to.

All calls of an executor are runs of one job of Glue, whose name holds a hash of its definition: so equal settings find
the job again, and changed ones make another.  What differs between calls (size, files, packages) is said for each run.

Glue runs only so many at a time and refuses the rest, for hours maybe.  So ``submit`` offers a call once, and ``poll``
offers what was refused again and again, telling that it waits.  The id of such a call is its place in this queue, which
nobody but this submitter knows; what Glue took has the id of its run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import Any

from redun.executors.aws import AwsRefused, AwsService, AwsUnavailable
from redun.executors.aws_glue.files import GlueFiles, driver_script, redun_requirements, redun_zip
from redun.executors.aws_glue.runs import LIVE, NAME_ARGUMENT, find_run, iter_runs, log_groups_of, poll_runs
from redun.executors.aws_glue.settings import SECONDS_PER_MINUTE
from redun.executors.remote.submitter import RemoteState, RemoteStatus, Submission, Submitter, SubmitterError
from redun.hashing import hash_blob

WORDS_ARGUMENT = "--redun-words"
ENVIRONMENT_ARGUMENT = "--redun-environment"
TOKEN_ARGUMENT = "--redun-token"  # noqa: S105 - no secret
MAX_CONCURRENT_RUNS = 1000
"""As many as AWS lets one job have."""
MAX_STOPPED = 25
"""The most runs that one request ends."""
_FULL = frozenset({"ConcurrentRunsExceededException", "ResourceNumberLimitExceededException"})
_PLACE = "waiting:"
_WAITING = RemoteState(RemoteStatus.WAITING)
_DEFINITION_DIGITS = 16


class AWSGlueSubmitter(Submitter):
    """Talks to one job of AWS Glue."""

    def __init__(
        self,
        values: Mapping[str, Any],
        *,
        base: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make no connection yet.

        Args:
            values: the value of every option of the executor.
            base: where relative paths start; the working directory when None.
            clock: seconds, from any start.
        """
        self._values = values
        self._base = base
        self._clock = clock
        self._glue = AwsService("glue", values["aws_region"])
        self._logs = AwsService("logs", values["aws_region"])
        self._files: GlueFiles | None = None
        self._job_name = ""
        self._redun_url = ""
        self._queue: dict[str, dict[str, Any]] = {}  # requests that Glue has not taken, by their place
        self._taken: dict[str, str] = {}  # ids of runs, by the place that they had
        self._refused: dict[str, str] = {}  # why Glue will never take one, by its place
        self._offer_at = float("-inf")

    def check(self) -> None:
        self._find_job()

    def submit(self, submission: Submission) -> list[str]:
        place = f"{_PLACE}{submission.name}"
        self._queue[place] = self._make_request(submission)
        self._offer()
        return [self._taken.get(place, place)]

    def poll(self, ids: Sequence[str]) -> dict[str, RemoteState]:
        self._offer()
        run_ids = {job_id: self._taken.get(job_id, job_id) for job_id in ids if job_id not in self._queue}
        refused = {job_id: RemoteState(RemoteStatus.FAILED, self._refused[job_id])
                   for job_id in ids if job_id in self._refused}  # fmt: skip
        asked = {run_id for job_id, run_id in run_ids.items() if job_id not in refused}
        states = poll_runs(self._glue, self._find_job(), asked) if asked else {}
        known = {job_id: states[run_id] for job_id, run_id in run_ids.items() if run_id in states}
        return {**dict.fromkeys(ids, _WAITING), **known, **refused}

    def cancel(self, ids: Sequence[str], reason: str) -> None:
        del reason  # Glue takes none
        run_ids = [self._taken.get(job_id, job_id) for job_id in ids if self._queue.pop(job_id, None) is None]
        run_ids = [run_id for run_id in run_ids if not run_id.startswith(_PLACE)]
        for start in range(0, len(run_ids), MAX_STOPPED):
            # Those that have ended come back as errors of their own in the answer.
            some = run_ids[start : start + MAX_STOPPED]
            self._glue.call("batch_stop_job_run", JobName=self._find_job(), JobRunIds=some)

    def fetch_log(self, job_id: str, max_lines: int) -> list[str]:
        with suppress(SubmitterError, OSError):
            run_id = self._taken.get(job_id, job_id)
            run = None if run_id.startswith(_PLACE) else find_run(self._glue, self._find_job(), run_id)
            if run is not None:
                events = [
                    event for group in log_groups_of(run) for event in self._last_events(group, run_id, max_lines)
                ]
                lines = [line for _, text in sorted(events, key=lambda event: event[0]) for line in text.splitlines()]
                return lines[-max_lines:] if max_lines > 0 else []
        return []

    def find_live(self, prefix: str) -> dict[str, str]:
        live: dict[str, str] = {}
        for run in iter_runs(self._glue, self._find_job()):
            name = run.get("Arguments", {}).get(NAME_ARGUMENT, "")
            if run["JobRunState"] in LIVE and name.startswith(prefix):
                live.setdefault(name, run["Id"])
        return live

    def close(self) -> None:
        self._glue.close()
        self._logs.close()

    # -- the job

    def _find_job(self) -> str:
        """Return the name of redun's job at Glue; make it when there is none."""
        if not self._job_name:
            definition = self._make_definition()
            digest = hash_blob(json.dumps(definition, sort_keys=True).encode()).hex()[:_DEFINITION_DIGITS]
            name = f"{self._values['glue_job_prefix']}-{digest}"
            try:
                self._glue.call("get_job", JobName=name)
            except AwsRefused as refused:
                if refused.code != "EntityNotFoundException":
                    raise
                self._create_job(name, definition)
            self._job_name = name
        return self._job_name

    def _create_job(self, name: str, definition: Mapping[str, Any]) -> None:
        try:
            self._glue.call("create_job", Name=name, **definition)
        except AwsRefused as refused:
            # Another run with the same settings was quicker.
            if refused.code not in {"AlreadyExistsException", "IdempotentParameterMismatchException"}:
                raise

    def _make_definition(self) -> dict[str, Any]:
        return {
            "Role": self._values["role"],
            "GlueVersion": self._values["glue_version"],
            "ExecutionProperty": {"MaxConcurrentRuns": MAX_CONCURRENT_RUNS},
            "MaxRetries": 0,  # the scheduler tries a job again when its options say so
            "Command": {
                "Name": "glueetl",
                "PythonVersion": "3",
                "ScriptLocation": self._open_files().send("redun_driver.py", driver_script()),
            },
        }

    # -- runs

    def _make_request(self, submission: Submission) -> dict[str, Any]:
        options, files = submission.options, self._open_files()
        if not self._redun_url:
            self._redun_url = files.send("redun.zip", redun_zip())
        py_files = [self._redun_url, *files.send_each("extra_py_files", options["extra_py_files"])]
        arguments = {
            WORDS_ARGUMENT: json.dumps(submission.command),
            ENVIRONMENT_ARGUMENT: json.dumps(dict(submission.environment)),
            NAME_ARGUMENT: submission.name,
            TOKEN_ARGUMENT: submission.token or submission.name,
            "--redun-task": submission.task_name,
            "--extra-py-files": ",".join(py_files),
            "--additional-python-modules": ",".join([*redun_requirements(), *options["additional_libs"]]),
            "--enable-spark-ui": "true",
            "--spark-event-logs-path": options["spark_history_dir"] or f"{files.url}/glue/spark_history/",
        }
        if extra := files.send_each("extra_files", options["extra_files"]):
            arguments["--extra-files"] = ",".join(extra)
        if options["enable_metrics"]:
            arguments["--enable-metrics"] = "true"
        limit = {"Timeout": ceil(options["timeout"] / SECONDS_PER_MINUTE)} if options["timeout"] else {}
        size = {"WorkerType": options["worker_type"], "NumberOfWorkers": options["workers"]}
        return {"Arguments": arguments, **size, **limit}

    def _offer(self) -> None:
        """Offer what waits to Glue, in order, until it is full; then not again for a while."""
        if self._clock() < self._offer_at:
            return
        for place, request in list(self._queue.items()):
            try:
                run_id = self._start(request)
            except AwsRefused as refused:
                if refused.code in _FULL:
                    self._offer_at = self._clock() + self._values["job_retry_interval"]
                    return
                del self._queue[place]
                self._refused[place] = f"{refused}; {refused.hint}" if refused.hint else str(refused)
                continue
            del self._queue[place]
            self._taken[place] = run_id

    def _start(self, request: Mapping[str, Any]) -> str:
        try:
            return str(self._glue.call("start_job_run", JobName=self._find_job(), **request)["JobRunId"])
        except AwsUnavailable as lost:
            # Glue knows no tokens of idempotency: a run whose answer was lost is looked for by an argument of it.
            if lost.may_be_done:
                with suppress(AwsUnavailable):
                    for run in iter_runs(self._glue, self._find_job()):
                        if run.get("Arguments", {}).get(TOKEN_ARGUMENT) == request["Arguments"][TOKEN_ARGUMENT]:
                            return str(run["Id"])
            raise

    def _last_events(self, group: str, stream: str, max_lines: int) -> list[tuple[int, str]]:
        try:
            answer = self._logs.call(
                "get_log_events", logGroupName=group, logStreamName=stream, limit=max(1, max_lines)
            )
        except AwsRefused as refused:
            if refused.code == "ResourceNotFoundException":
                return []
            raise
        return [(event["timestamp"], event["message"]) for event in answer["events"]]

    def _open_files(self) -> GlueFiles:
        if self._files is None:
            self._files = GlueFiles(self._values["s3_scratch"], self._base)
        return self._files
