"""The jobs of one queue, for people who look after it: what ``redun aws`` stands on.

The invariant: only jobs whose names begin as redun's do are shown and ended; a queue may have other users.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

from redun.executors.aws import AwsRefused, AwsService
from redun.executors.aws_batch.logs import iter_log
from redun.executors.aws_batch.settings import BATCH_OPTIONS
from redun.executors.aws_batch.states import (
    DEFAULT_LOG_GROUP,
    ENDED,
    LIVE,
    array_of,
    describe_jobs,
    list_elements,
    log_group_of,
    log_stream_of,
    with_main_nodes,
)

STATUSES = (*LIVE, *ENDED)
ATTEMPTS = 5


class Stream(NamedTuple):
    """One log."""

    job_id: str  # at AWS; "" when only the stream is known
    name: str
    group: str = DEFAULT_LOG_GROUP


class BatchQueue:
    """One queue and the logs of its jobs."""

    def __init__(self, queue: str, region: str | None, prefixes: Collection[str]) -> None:
        """``prefixes``: what the names of redun's jobs begin with."""
        self.queue = queue
        self.region = region
        self._prefixes = tuple(f"{prefix}-" for prefix in prefixes)
        self._batch = AwsService("batch", region, attempts=ATTEMPTS)
        self._logs = AwsService("logs", region, attempts=ATTEMPTS)

    def iter_jobs(self, statuses: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield what AWS tells of each job and array that has one of some statuses.

        Raises:
            AwsRefused: there is no such queue, or it may not be listed.
            AwsUnavailable: AWS does not answer.
        """
        for status in statuses:
            listed = self._batch.iter_items("list_jobs", "jobSummaryList", jobQueue=self.queue, jobStatus=status)
            for job in listed:
                if job["jobName"].startswith(self._prefixes) and array_of(job["jobId"]) == job["jobId"]:
                    yield {"queue": self.queue, **job}

    def kill(self, job_id: str, reason: str) -> None:
        """End a job or a whole array.  Raises as ``iter_jobs`` does."""
        self._batch.call("terminate_job", jobId=job_id, reason=reason)

    def find_streams(self, job_id: str) -> list[Stream]:
        """Return the logs of a job, or of each element of an array that has begun; none when AWS does not know it.

        Raises as ``iter_jobs`` does.
        """
        jobs = with_main_nodes(self._batch, describe_jobs(self._batch, [job_id]))
        if any(job.get("arrayProperties", {}).get("size") for job in jobs.values()):
            begun = [element for element, _ in list_elements(self._batch, job_id, ("RUNNING", *ENDED))]
            begun.sort(key=lambda element: int(element.partition(":")[2] or 0))
            jobs = {**describe_jobs(self._batch, begun)}
        streams = ((each, log_stream_of(job), log_group_of(job)) for each, job in jobs.items())
        return [Stream(each, stream, group) for each, stream, group in streams if stream]

    def iter_lines(self, stream: Stream) -> Iterator[str]:
        """Yield the lines of a log, each with its time.

        Raises:
            AwsRefused: there is no such log, or it may not be read.
            AwsUnavailable: AWS does not answer.
        """
        for at_ms, text in iter_log(self._logs, stream.name, group=stream.group):
            yield f"{_time(at_ms)}  {text}"

    def has_stream(self, stream: Stream) -> bool:
        """Tell whether there is such a log in this region."""
        try:
            next(iter_log(self._logs, stream.name, group=stream.group), None)
        except AwsRefused as refused:
            if refused.code == "ResourceNotFoundException":
                return False
            raise
        return True


def find_queues(sections: Mapping[str, Mapping[str, Any]]) -> list[BatchQueue]:
    """Return the queues that executors of type ``aws_batch`` name, each once.

    Args:
        sections: the sections of executors by name.

    Raises:
        BadOption: one of them is not as it must be.
    """
    prefixes: dict[tuple[str, str | None], list[str]] = {}
    for name, section in sections.items():
        if section.get("type") == "aws_batch":
            values = BATCH_OPTIONS.read_section(name, section)
            prefixes.setdefault((values["queue"], values["aws_region"]), []).append(values["job_name_prefix"])
    return [BatchQueue(queue, region, set(found)) for (queue, region), found in prefixes.items()]


def _time(at_ms: int) -> str:
    seconds, millis = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M:%S}.{millis:03d}"
